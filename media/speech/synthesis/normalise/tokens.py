"""What normalisation yields, and the parts its rules are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

MARKS = ("", ",", ";", ":", ".", "!", "?")
"""The marks that may follow a word, the weakest first. All of them are symbols a voice knows."""

SENTENCE_MARKS = frozenset(".!?")


def stronger_mark(one: str, other: str) -> str:
    """The one of two marks that governs when they meet, as in `?!` or `.)`."""
    return max(one, other, key=MARKS.index)


@dataclass(frozen=True, slots=True)
class Token:
    """One word to be spoken.

    `text` is the word as spoken, `say` the spelling that is turned into phonemes (they differ for
    letters: "FBI" is said as "eff-bee-eye"). `start` and `end` are the source characters it came from: inside
    the source, never before those of the token in front (words of one number share a span). `mark` is the
    punctuation after the word, one of `MARKS`. `ends_block` is set on the last word of a paragraph,
    heading, list item or table row.
    """

    text: str
    say: str
    start: int
    end: int
    mark: str = ""
    ends_block: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A word as a rule reads it; `span` says which part of the rule's match it speaks, None: all of it."""

    text: str
    say: str = ""
    mark: str = ""
    span: tuple[int, int] | None = None


Reading: TypeAlias = Sequence[Word]


@dataclass(slots=True)
class Context:
    """What a rule may know besides its match: the dialect and the words in front (lower case, the last few)."""

    american: bool = True
    before: list[str] = field(default_factory=list)

    def said(self, words: frozenset[str], within: int = 1) -> bool:
        """Whether one of `words` is among the last `within` words."""
        return any(word in words for word in self.before[-within:])


Read: TypeAlias = Callable[[re.Match[str], Context], Reading | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern tried where a word may begin, and the reading of what it matches (None: another rule's turn).

    `opens` says which first characters it is tried at.
    """

    opens: frozenset[Literal["digit", "letter", "sign"]]
    pattern: re.Pattern[str]
    read: Read


def rule(opens: str, pattern: str, read: Read, flags: int = 0) -> Rule:
    """A rule from a verbose pattern; `opens` is "digit", "letter", "sign" or several of them with spaces between."""
    kinds = frozenset(opens.split())
    if not kinds <= {"digit", "letter", "sign"}:
        raise ValueError(f"opens must name digit, letter or sign, not {opens!r}")
    return Rule(kinds, re.compile(pattern, re.VERBOSE | flags), read)  # type: ignore[arg-type]


def word_set(text: str) -> frozenset[str]:
    """The words of a list written as one string."""
    return frozenset(text.split())


def plain(text: str) -> list[Word]:
    """The words of a phrase."""
    return [Word(word) for word in text.split()]
