"""Blocks of a text that may be Markdown: paragraphs, headings, list items, table rows; code blocks are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from media.speech.synthesis.normalise.inline import strip_inline
from media.speech.synthesis.normalise.spans import SpannedText

HARD_WRAP = 60
"""A line at least this long (in characters) that breaks without punctuation was wrapped, not ended."""

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_RULE = re.compile(r"\s*(?:(?:[-*_=]\s*){3,}|=+|-{2,})\s*$")
_QUOTE = re.compile(r"(?:\s{0,3}>\s?)+")
_HEADING = re.compile(r"\s{0,3}\#{1,6}(?:\s+|$)")
_HEADING_TAIL = re.compile(r"\s+#+\s*$")
_BULLET = re.compile(r"\s*(?:[-*+•‣▪◦●○–]\s+(?:\[[ xX]\]\s+)?)")
_NUMBERED = re.compile(r"\s*(?P<number>[0-9]{1,3})[.)]\s+(?=\S)")
_REFERENCE = re.compile(r"\s{0,3}\[[^\]\[]+\]:\s*\S+")
_ROW = re.compile(r"\s*\|.*\|\s*$")
_SEPARATOR = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its text without the line end, and where it starts in the source."""

    text: str
    start: int


def blocks(text: str) -> Iterator[SpannedText]:
    """The speakable blocks of `text` in order, their markup taken out, each with its place in the source."""
    lines = list(_lines(text))
    index = 0
    while index < len(lines):
        line = lines[index]
        if fence := _FENCE.match(line.text):
            index = _after_fence(lines, index + 1, fence.group(1))
        elif _is_table(lines, index):
            while index < len(lines) and "|" in lines[index].text:
                if not _SEPARATOR.match(lines[index].text):
                    yield strip_inline(_row(lines[index]))
                index += 1
        elif not line.text.strip() or _REFERENCE.match(line.text) or _RULE.match(line.text):
            index += 1
        else:
            block, index = _block(lines, index)
            stripped = strip_inline(block)
            if stripped.text.strip():
                yield stripped


def _lines(text: str) -> Iterator[_Line]:
    position = 0
    for line in text.splitlines(keepends=True):
        yield _Line(line.rstrip("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), position)
        position += len(line)


def _after_fence(lines: list[_Line], index: int, fence: str) -> int:
    """Index of the line after the end of a code block; an unclosed one goes to the end of the text."""
    while index < len(lines):
        closing = lines[index].text.strip()
        index += 1
        if len(closing) >= len(fence) and set(closing) == {fence[0]}:
            break
    return index


def _is_table(lines: list[_Line], index: int) -> bool:
    if _ROW.match(lines[index].text) and lines[index].text.count("|") > 1:
        return True
    following = lines[index + 1].text if index + 1 < len(lines) else ""
    return "|" in lines[index].text and "|" in following and bool(_SEPARATOR.match(following))


def _row(line: _Line) -> SpannedText:
    """A table row as a sentence: its cells with commas between."""
    bare = line.text.strip()
    first = line.text.index(bare) + bare.startswith("|")
    last = line.text.index(bare) + len(bare) - (bare.endswith("|") and len(bare) > 1)
    cells = ((", " if c == "|" else c, line.start + first + i) for i, c in enumerate(line.text[first:last]))
    return SpannedText.of(cells)


def _opens_block(text: str) -> bool:
    """Whether a line cannot go on the paragraph before it."""
    return any(p.match(text) for p in (_FENCE, _RULE, _HEADING, _BULLET, _NUMBERED, _REFERENCE, _ROW))


def _block(lines: list[_Line], index: int) -> tuple[SpannedText, int]:
    """The block that begins at `index`, still with its inline markup, and the index of the line after it."""
    pieces: list[tuple[str, int]] = []
    first, heading = _opening(lines[index], pieces)
    _add(pieces, lines[index], first)
    index += 1
    while not heading and index < len(lines) and _goes_on(lines[index - 1], lines[index]):
        pieces.append((" ", lines[index].start - 1))
        quote = _QUOTE.match(lines[index].text)
        _add(pieces, lines[index], quote.end() if quote else 0)
        index += 1
    return SpannedText.of(pieces), index


def _opening(line: _Line, pieces: list[tuple[str, int]]) -> tuple[int, bool]:
    """Where the words of a block's first line begin, and whether it is a heading; a list number is a word."""
    position = quote.end() if (quote := _QUOTE.match(line.text)) else 0
    if heading := _HEADING.match(line.text, position):
        return heading.end(), True
    if numbered := _NUMBERED.match(line.text, position):
        number = numbered["number"]
        pieces.extend((digit, line.start + numbered.start("number") + i) for i, digit in enumerate(number))
        pieces.append((": ", line.start + numbered.end("number")))
        return numbered.end(), False
    if bullet := _BULLET.match(line.text, position):
        return bullet.end(), False
    return position, False


def _goes_on(line: _Line, following: _Line) -> bool:
    text = following.text
    if not text.strip() or (_opens_block(text) and not _QUOTE.match(text)):
        return False
    words = _QUOTE.sub("", text, count=1).lstrip()
    if not words or _opens_block(words):
        return False
    ended = line.text.rstrip()
    return words[0].islower() or ended.endswith((",", "-", "(")) or len(ended) >= HARD_WRAP


def _add(pieces: list[tuple[str, int]], line: _Line, first: int) -> None:
    tail = _HEADING_TAIL.search(line.text, first) if _HEADING.match(line.text) else None
    words = line.text[first : tail.start() if tail else None]
    pieces.extend((character, line.start + first + i) for i, character in enumerate(words))
