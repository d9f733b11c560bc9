"""Reads a block of plain text from left to right with a language's rules, yielding tokens as it goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from media.speech.synthesis.normalise.spans import SpannedText
from media.speech.synthesis.normalise.tokens import (
    SENTENCE_MARKS,
    Context,
    Rule,
    Token,
    Word,
    stronger_mark,
)

_REMEMBERED = 6
_PUNCTUATION = {
    ".": ".", "!": "!", "?": "?", ",": ",", ";": ";", ":": ":",
    "(": ",", ")": ",", "[": ",", "]": ",", "{": ",", "}": ",", "—": ",", "–": ",", "|": ",",
}  # fmt: skip
_DOTS = re.compile(r"\.{2,}(?:\s*\.)*")
_GOES_ON = re.compile(r"[\s\"')\]]*[a-z]")


def _kind(character: str) -> Literal["digit", "letter", "sign"]:
    if character.isascii() and character.isdigit():
        return "digit"
    return "letter" if character.isalpha() else "sign"


class Scanner:
    """Applies rules, the first that matches wins; what no rule reads is punctuation or is passed over."""

    def __init__(self, rules: Sequence[Rule], context: Context) -> None:
        self._context = context
        self._rules: dict[str, list[Rule]] = {
            kind: [rule for rule in rules if kind in rule.opens] for kind in ("digit", "letter", "sign")
        }

    def tokens(self, block: SpannedText) -> Iterator[Token]:
        """The words of one block in order, the last one with a sentence mark and `ends_block`."""
        pending: Token | None = None
        for item in self._items(block.text):
            if isinstance(item, str):
                if pending is not None:
                    pending = replace(pending, mark=stronger_mark(pending.mark, item))
                continue
            word, start, end = item
            if pending is not None:
                yield pending
                if pending.mark in SENTENCE_MARKS:
                    self._context.before.clear()
            self._remember(word)
            source_start, source_end = block.source_span(start, end)
            pending = Token(word.text, word.say or word.text, source_start, source_end, word.mark)
        self._context.before.clear()
        if pending is not None:
            mark = pending.mark if pending.mark in (*SENTENCE_MARKS, ":") else "."
            yield replace(pending, mark=mark, ends_block=True)

    def _items(self, text: str) -> Iterator[tuple[Word, int, int] | str]:
        """Words with the part of the text they speak, and marks between them."""
        position = 0
        while position < len(text):
            character = text[position]
            if character.isspace():
                position += 1
                continue
            match, reading = self._read(text, position)
            if match is not None:
                for word in reading:
                    first, last = word.span or match.span()
                    yield word, first, last
                position = match.end()
            elif dots := _DOTS.match(text, position):
                position = dots.end()
                yield "," if _GOES_ON.match(text, position) else "."
            else:
                position += 1
                if character in _PUNCTUATION and _is_mark(text, position):
                    yield _PUNCTUATION[character]
                elif character == "-" and text[position - 2 : position - 1] in ("", " ") and text[position:].strip():
                    yield ","

    def _read(self, text: str, position: int) -> tuple[re.Match[str] | None, Sequence[Word]]:
        for rule in self._rules[_kind(text[position])]:
            match = rule.pattern.match(text, position)
            if match is not None and match.end() > position:
                reading = rule.read(match, self._context)
                if reading is not None:
                    return match, reading
        return None, ()

    def _remember(self, word: Word) -> None:
        self._context.before.append(word.text.lower())
        del self._context.before[:-_REMEMBERED]


def _is_mark(text: str, after: int) -> bool:
    """Whether the sign before `after` is punctuation, not part of something nobody could read, as in `a.b.c`."""
    return text[after - 1] not in ".:!?" or not text[after : after + 1].isalnum() or text[after - 1] in "!?"
