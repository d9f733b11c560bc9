"""Cuts a stream of tokens into pieces to speak: the first ones early, at a clause, the later ones at sentences.

The text is scanned a character at a time and every cut is decided from a fixed look-ahead, so where the tokens
begin and end makes no difference:

- `.` `?` `!` `…` and a clause's `,` `;` `:` count once the white space after them (and after closing quotes,
  brackets and markdown marks) has arrived: "on my screen," is out with the space that follows it;
- a comma between digits ("555, 0142"), a dot after "p.m." or "Inc." and an ellipsis also wait for the first
  character of the next word, which says whether the number or the sentence goes on;
- CJK marks need the next character only, since no space follows them.

The pieces, put together, are the text; a piece begins with the white space before its first word.
"""

from __future__ import annotations

import re

FIRST_WORDS, FIRST_CHARACTERS = 4, 20
"""A clause of as many words or characters is worth being spoken on its own while the listener waits."""
EAGER_CHARACTERS = 32
"""Until this much has been cut, clauses are; after it there is speech enough to wait for whole sentences."""
CONJUNCTION_CHARACTERS = 45
"""While eager, a clause without a comma ends before "and", "but", … once it is this long."""
LONG_CHARACTERS = 200
"""A sentence longer than this is cut at a clause."""
HARD_CHARACTERS = 320
"""A piece without any clause is cut at a space here, whatever brackets are open."""

_SENTENCE, _CLAUSE, _ELLIPSIS = ".?!", ",;:", "…"
_WIDE_SENTENCE, _WIDE_CLAUSE = "。！？｡", "，、；："
_OTHER_SENTENCE = "؟।۔"
_CLOSERS = "\"'”’»)]*_`~」』）】"
_OPEN, _CLOSE = "([", ")]"
_CONJUNCTIONS = frozenset(
    {"and", "but", "so", "because", "which", "where", "while", "or", "und", "aber", "e", "ma", "y"}
)
_NEVER_LAST = re.compile(
    r"(?:mr|mrs|ms|dr|prof|st|mt|sr|jr|rev|gen|col|capt|lt|sgt|hon|vs|e\.g|i\.e|cf|approx|ca|dept|est|fig|tel|ext|"
    r"u\.s|u\.k|e\.u|jan|feb|apr|aug|sept|oct|nov|dec|mon|tue|wed|thu|fri|[A-HJ-Z])",
    re.IGNORECASE,
)
_SOMETIMES_LAST = re.compile(
    r"(?:[ap]\.m|inc|ltd|co|corp|etc|ph\.d|no|nos|min|max|hrs?|vol|ave|blvd|rd)", re.IGNORECASE
)
_TERMINATORS = frozenset(_SENTENCE + _ELLIPSIS + _OTHER_SENTENCE)
_WORD = re.compile(r"\S+")
_LIST_NUMBER = re.compile(r"[\s*#-]*\d+")


class SentenceSplitter:
    """Feed tokens, get pieces. `feed` and `finish` return the pieces that are complete; `finish` gives the rest."""

    def __init__(self) -> None:
        self._text = ""  # not yet given out
        self._at = 0  # the next character to decide about
        self._clause = 0  # end of the last clause in the text, 0 for none
        self._depth = 0  # open brackets before `_at`
        self._given = 0  # characters given out that were not white space

    def feed(self, token: str) -> list[str]:
        """Add a token of any length; returns the pieces it completes."""
        self._text += token
        pieces: list[str] = []
        while (cut := self._next_cut()) is not None:
            if cut:
                pieces.append(self._give(cut))
        return pieces

    def finish(self) -> list[str]:
        """The stream has ended: the rest of the text, if any."""
        return [self._give(len(self._text))] if self._text else []

    def _give(self, end: int) -> str:
        piece, self._text = self._text[:end], self._text[end:]
        self._at = max(0, self._at - end)
        self._clause = 0
        self._depth = 0
        self._given += len(piece.strip())
        return piece

    def _next_cut(self) -> int | None:
        """Decide about one character: the end of a piece, 0 for "go on", None for "more text is needed"."""
        if self._at >= len(self._text):
            return None
        cut = self._decide(self._at)
        if cut is not None:
            self._note_brackets()
            self._at += 1
        return cut

    def _note_brackets(self) -> None:
        character = self._text[self._at]
        if character in _OPEN:
            self._depth += 1
        elif character in _CLOSE:
            self._depth = max(0, self._depth - 1)

    def _decide(self, at: int) -> int | None:
        text, character = self._text, self._text[at]
        if not text[:at].strip():
            return 0
        if character.isspace():
            return self._at_space(at)
        if character in _TERMINATORS:
            if self._depth and at + 1 >= len(text):
                return None
            return 0 if self._depth and text[at + 1] not in _CLOSE else self._at_terminator(at)
        if self._depth:
            return 0
        rule = _RULES.get(character)
        return rule(self, at) if rule else 0

    def _at_space(self, at: int) -> int | None:
        text = self._text
        if text[at] == "\n" and not self._depth:
            return at
        if at >= HARD_CHARACTERS:
            return at
        if at >= LONG_CHARACTERS and self._clause:
            return self._clause
        if not self._depth and self._eager and at >= CONJUNCTION_CHARACTERS:
            return self._before_conjunction(at)
        return 0

    def _before_conjunction(self, at: int) -> int | None:
        """Whether the word after the space at `at` opens another clause; None until that word is whole."""
        longest = max(map(len, _CONJUNCTIONS))
        word = _WORD.match(self._text, at + 1)
        end = at + 1 if word is None else word.end()
        if end - at - 1 > longest:
            return 0
        if end >= len(self._text):
            return None
        return at if word is not None and word.group().lower() in _CONJUNCTIONS else 0

    def _at_wide(self, at: int) -> int | None:
        end = self._after_closers(at + 1)
        if end is None:
            return None
        if self._text[at] in _WIDE_SENTENCE:
            return end
        return self._clause_end(end)

    def _at_terminator(self, at: int) -> int | None:
        text = self._text
        if at + 1 < len(text) and text[at + 1] in _TERMINATORS:
            return 0  # the last mark of a run decides
        end = self._after_closers(at + 1)
        if end is None:
            return None
        if not text[end].isspace():
            return 0
        begin = at
        while begin > 0 and text[begin - 1] in _TERMINATORS:
            begin -= 1
        marks = text[begin : at + 1]
        if marks in ("..", "...", "....", "…"):
            following = self._next_character(end)
            return None if following is None else (self._clause_end(end) if following.islower() else end)
        return self._at_full_stop(begin, end) if marks == "." else end

    def _at_full_stop(self, at: int, end: int) -> int | None:
        before = self._text[:at]
        words = before.split()
        word = words[-1].lstrip("([\"'“‘*_") if words else ""
        if _NEVER_LAST.fullmatch(word) or _LIST_NUMBER.fullmatch(before):
            return 0
        if _SOMETIMES_LAST.fullmatch(word):
            following = self._next_character(end)
            if following is None:
                return None
            return 0 if following.islower() or following.isdigit() else end
        return end

    def _at_clause_mark(self, at: int) -> int | None:
        end = self._after_closers(at + 1)
        if end is None:
            return None
        return self._unless_in_number(at, end) if self._text[end].isspace() else 0

    def _unless_in_number(self, at: int, end: int) -> int | None:
        """A clause's end at `end`, unless digits stand on both sides of the mark at `at`."""
        if self._text[:at].rstrip()[-1].isdigit():
            following = self._next_character(end)
            if following is None or following.isdigit():
                return None if following is None else 0
        return self._clause_end(end)

    def _at_dash(self, at: int) -> int | None:
        text = self._text
        if at + 1 >= len(text):
            return None
        spaced = text[at - 1].isspace() and text[at + 1].isspace()
        joined = text[at] == "—" and text[at - 1].isalpha() and text[at + 1].isalpha()
        return self._unless_in_number(at, at + 1) if spaced or joined else 0

    def _clause_end(self, end: int) -> int:
        """A clause ends at `end`: cut there if the listener waits or the piece is long, else remember it."""
        clause = self._text[:end].strip()
        worth = len(clause.split()) >= FIRST_WORDS or len(clause) >= FIRST_CHARACTERS
        if (self._eager and worth) or end >= LONG_CHARACTERS:
            return end
        self._clause = end
        return 0

    @property
    def _eager(self) -> bool:
        return self._given < EAGER_CHARACTERS

    def _after_closers(self, at: int) -> int | None:
        """The position after the closing marks at `at`; None if the text ends before the next character."""
        while at < len(self._text) and self._text[at] in _CLOSERS:
            at += 1
        return at if at < len(self._text) else None

    def _next_character(self, at: int) -> str | None:
        """The first character from `at` on that is not white space, None if it has not arrived."""
        return next((character for character in self._text[at:] if not character.isspace()), None)


_RULES = (
    dict.fromkeys(_WIDE_SENTENCE + _WIDE_CLAUSE, SentenceSplitter._at_wide)
    | dict.fromkeys(_CLAUSE, SentenceSplitter._at_clause_mark)
    | dict.fromkeys("—–-", SentenceSplitter._at_dash)
)


def speakable(text: str) -> bool:
    """Whether there is anything in `text` to speak: a letter or a digit."""
    return any(character.isalnum() for character in text)
