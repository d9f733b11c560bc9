"""Cuts a stream of words into clauses of a length that a voice speaks well, the first one short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from media.speech.synthesis.normalise.tokens import SENTENCE_MARKS, Token, word_set

FIRST_CLAUSE, FIRST_LONGEST = 40, 90
"""Letters the first clause of a text should have at most, if a mark allows it, and may have: the listener waits."""

LATER_CLAUSE, LATER_LONGEST = 120, 220
"""The same for later clauses. The longest bounds a voice's work and memory per clause."""

SHORTEST_CLAUSE = 12
"""A sentence is not cut into parts of fewer letters than this."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds of silence, what the voice leaves of its own included.

    `sentence`: between two sentences; `block`: between paragraphs and list items; `clause`: where a sentence is cut at
    a mark.
    """

    sentence: float = 0.2
    block: float = 0.35
    clause: float = 0.1


TALKING = Pauses()
"""As people talk to each other."""

_JOINING = word_set("and or but because so which that who when while if where then with for to of in on at by")


@dataclass(frozen=True, slots=True)
class Clause:
    """Words spoken in one breath; never empty. `pause` is the silence in seconds that should follow it."""

    tokens: tuple[Token, ...]
    pause: float

    @property
    def mark(self) -> str:
        """The punctuation that ends it, "" where a long sentence had to be cut between words."""
        return self.tokens[-1].mark


def clauses(tokens: Iterable[Token], pauses: Pauses = TALKING) -> Iterator[Clause]:
    """Group words into clauses, reading no further than needed.

    A sentence ends a clause; a long sentence is cut at its marks, and where there are none in front of a joining
    word or, at the longest, between any two words.
    """
    wanted, longest = FIRST_CLAUSE, FIRST_LONGEST
    for sentence in _sentences(tokens):
        start = 0
        while start < len(sentence):
            end = _cut(sentence, start, wanted, longest)
            yield Clause(tuple(sentence[start:end]), _pause(sentence[end - 1], pauses))
            start = end
            wanted, longest = LATER_CLAUSE, LATER_LONGEST


def letters(token: Token) -> int:
    """The length of a word as it is said, the space behind it included."""
    return len(token.say) + 1


def _sentences(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Sentences, or as much of one as several of the longest clauses hold."""
    sentence: list[Token] = []
    length = 0
    for token in tokens:
        sentence.append(token)
        length += letters(token)
        if token.mark in SENTENCE_MARKS or token.ends_block or length > 4 * LATER_LONGEST:
            yield sentence
            sentence, length = [], 0
    if sentence:
        yield sentence


def _cut(sentence: list[Token], start: int, wanted: int, longest: int) -> int:
    """The index after the last word of the clause that begins at `start`."""
    lengths = list(accumulate(letters(token) for token in sentence[start:]))
    total = lengths[-1]
    if total <= wanted:
        return len(sentence)
    fitting = [
        index
        for index, length in enumerate(lengths[:-1])
        if SHORTEST_CLAUSE <= length <= longest and total - length >= SHORTEST_CLAUSE
    ]
    marked = [index for index in fitting if sentence[start + index].mark]
    near = [index for index in marked if lengths[index] <= wanted]
    if near or marked:
        return start + (near[-1] if near else marked[0]) + 1
    if total <= longest:
        return len(sentence)
    joining = [i for i in fitting if lengths[i] >= wanted // 2 and sentence[start + i + 1].text.lower() in _JOINING]
    last = joining or fitting or [0]
    return start + last[-1] + 1


def _pause(token: Token, pauses: Pauses) -> float:
    if token.ends_block:
        return pauses.block
    if token.mark in SENTENCE_MARKS:
        return pauses.sentence
    return pauses.clause if token.mark else 0.0
