"""The seam between a voice and the network that makes its sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from media.audio.frames import Samples


@dataclass(frozen=True, slots=True)
class Sound:
    """One symbol a network reads.

    `ipa` is what it sounds like, "" for a space or a punctuation mark. `word` is the index of the word it belongs to
    within its clause, -1 for spaces and marks.
    """

    symbol: str
    ipa: str
    word: int


class BegunClause(Protocol):
    """A clause whose timing is known, and whose sound is made in the stretches asked for. Used by one job at a time."""

    @property
    def lead(self) -> int:
        """Samples before the first sound."""
        ...

    @property
    def durations(self) -> Sequence[int]:
        """Samples of each sound, in the order they were given; 0 for one that the network does not know."""
        ...

    @property
    def length(self) -> int:
        """Samples of the whole clause."""
        ...

    def chunks(self, *, urgent: bool) -> list[int]:
        """Where to stop rendering, rising, the last being `length`; `urgent`: the listener waits for the first."""
        ...

    def render(self, start: int, stop: int) -> Samples:
        """The samples [start, stop) of the clause. Blocks; belongs on a model's worker."""
        ...


class SpeechModel(Protocol):
    """A network that speaks clauses. Thread-safe; one instance serves all sessions."""

    @property
    def rate(self) -> int:
        """Samples a second."""
        ...

    @property
    def language(self) -> str:
        """The espeak language its phonemes are of."""
        ...

    @property
    def reads_letters(self) -> bool:
        """Whether it reads the letters of a word instead of its phonemes."""
        ...

    @property
    def most_sounds(self) -> int:
        """How many sounds one clause may have."""
        ...

    def spell(self, phonemes: str, word: int) -> list[Sound]:
        """The symbols for one word's phonemes (or letters)."""
        ...

    def begin(self, sounds: Sequence[Sound], *, speed: float) -> BegunClause:
        """Find the timing of a clause. Blocks; belongs on the model's worker."""
        ...
