"""Markup inside a line of Markdown: what is spoken of it stays, with its place in the source."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict

from media.speech.synthesis.normalise.spans import SpannedText

_TARGET = r"""\((?:[^()\s]|\([^()\s]*\)){0,2000}(?:\s+(?:"[^"]*"|'[^']*'))?\)"""
_LINK = re.compile(rf"!?\[(?P<text>[^\]\[]*)\](?:{_TARGET}|\[[^\]\[]*\])")
_FOOTNOTE = re.compile(r"\[\^?[0-9]{1,3}\]|\[\^[^\]\[\s]{1,40}\]|【[^】]{0,80}】")
_AUTOLINK = re.compile(r"<(?P<text>https?://[^<>\s]+|[^<>\s@]{1,64}@[^<>\s@]{1,255})>")
_TAG = re.compile(r"<!--.*?-->|</?(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*)?/?>", re.DOTALL)
_ENTITY = re.compile(r"&(?:(?P<name>amp|lt|gt|quot|apos|nbsp|copy|reg|hellip|mdash|ndash);|\#(?P<code>[0-9]{1,6});)")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " ", "copy": " ", "reg": " "} | {
    "hellip": "…",
    "mdash": "—",
    "ndash": "–",
}
_ESCAPE = re.compile(r"""\\(?=[!"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-])""")
_EMPHASIS = re.compile(r"\*+|_+|~~+")
_TICKS = re.compile(r"`+")
_SPACING_TAGS = frozenset({"br", "p", "div", "li", "tr", "td", "th", "hr", "ul", "ol", "h1", "h2", "h3", "h4"})


class _Line:
    """Text being stripped: what was dropped or replaced at each position, and what is out of bounds for patterns."""

    def __init__(self, source: SpannedText) -> None:
        self.source = source
        self.text = source.text
        self.replaced: dict[int, str] = {}
        self.fixed: set[int] = set()

    def drop(self, start: int, end: int, *, leave: str = "") -> None:
        for index in range(start, end):
            self.replaced[index] = ""
        if leave and start < end:
            self.replaced[start] = leave

    def free(self, match: re.Match[str]) -> bool:
        return match.start() not in self.fixed and match.start() not in self.replaced

    def result(self) -> SpannedText:
        characters = enumerate(zip(self.text, self.source.origins, strict=True))
        return SpannedText.of((self.replaced.get(i, character), origin) for i, (character, origin) in characters)


def strip_inline(text: SpannedText) -> SpannedText:
    """Take the markup out of one block of Markdown; links keep their text, code its words, tags go."""
    line = _Line(text)
    _strip_code(line)
    for match in _ESCAPE.finditer(line.text):
        if line.free(match):
            line.drop(match.start(), match.end())
            line.fixed.add(match.end())
    _strip_brackets(line)
    for match in _ENTITY.finditer(line.text):
        if line.free(match):
            name, code = match["name"], match["code"]
            line.drop(match.start(), match.end(), leave=_ENTITIES[name] if name else _character(int(code)))
    for match in _EMPHASIS.finditer(line.text):
        if line.free(match):
            _strip_emphasis(line, match)
    return line.result()


def _character(code: int) -> str:
    return chr(code) if 32 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF else " "


def _strip_code(line: _Line) -> None:
    """Drop the ticks around code; what is between them is no markup."""
    runs = list(_TICKS.finditer(line.text))
    starts: dict[int, list[int]] = defaultdict(list)
    ends = {run.start(): run.end() for run in runs}
    for run in runs:
        starts[len(run.group())].append(run.start())
    position = 0
    for run in runs:
        if run.start() < position:
            continue
        same = starts[len(run.group())]
        following = bisect_right(same, run.start())
        line.drop(run.start(), run.end())
        position = run.end()
        if following < len(same):
            closing = same[following]
            line.fixed.update(range(run.end(), closing))
            line.drop(closing, ends[closing])
            position = ends[closing]


def _strip_brackets(line: _Line) -> None:
    for match in _LINK.finditer(line.text):
        if line.free(match):
            line.drop(match.start(), match.start("text"))
            line.drop(match.end("text"), match.end())
    for match in _FOOTNOTE.finditer(line.text):
        if line.free(match):
            line.drop(match.start(), match.end())
    for match in _AUTOLINK.finditer(line.text):
        if line.free(match):
            line.drop(match.start(), match.start() + 1)
            line.drop(match.end() - 1, match.end())
            line.fixed.update(range(match.start("text"), match.end("text")))
    for match in _TAG.finditer(line.text):
        if line.free(match):
            spacing = (match["name"] or "br").lower() in _SPACING_TAGS
            line.drop(match.start(), match.end(), leave=" " if spacing else "")


def _strip_emphasis(line: _Line, match: re.Match[str]) -> None:
    """Drop delimiters of emphasis; a lone star between spaces or in a sum stays, it may mean times."""
    before = line.text[match.start() - 1 : match.start()] or " "
    after = line.text[match.end() : match.end() + 1] or " "
    run = match.group()
    if run == "*" and ((before.isspace() and after.isspace()) or (before.isalnum() and after.isalnum())):
        return
    inside_word = run[0] == "_" and before.isalnum() and after.isalnum()
    line.drop(match.start(), match.end(), leave=" " if inside_word else "")
