"""The seam between words and phonemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Phonemiser(Protocol):
    """Turns words into phonemes. One instance serves all voices and sessions."""

    async def phonemise(self, segments: Sequence[Sequence[str]], *, language: str, deadline: float) -> list[list[str]]:
        """IPA for every word of every segment, in the same shape; "" for a word that makes no sound.

        A segment is the words between two punctuation marks: they are pronounced together ("the" before a vowel,
        weak forms). Phonemes carry stress marks (ˈ ˌ) and length marks (ː); a word that is
        joined to the next one without a break ends in ‿. `language` is an espeak language;
        `deadline` (monotonic clock) orders the request against others.

        Raises `LanguageNotSupported`, `PhonemiserStopped`, `PhonemiserError`, or what `media.worker` raises.
        """
        ...

    def close(self) -> None:
        """Release what it holds; closing twice is harmless."""
        ...
