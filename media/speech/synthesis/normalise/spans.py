"""Text that remembers where each of its characters came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpannedText:
    """Text made from a source by dropping, replacing and inserting characters.

    `origins[i]` is the index in the source of the character that `text[i]` stands for; never decreasing,
    one for each character of `text`.
    """

    text: str
    origins: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, int]]) -> SpannedText:
        """Join pieces of (characters, origin); all characters of a piece share its origin."""
        kept = [(piece, origin) for piece, origin in pieces if piece]
        return cls("".join(piece for piece, _ in kept), tuple(origin for piece, origin in kept for _ in piece))

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """The source characters behind `text[start:end]`, as (start, end); the slice must not be empty."""
        return self.origins[start], self.origins[end - 1] + 1
