"""From what a language model wrote to words that can be spoken, and to as many of them as fit a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.sentences import SentenceSplitter
from server.renders.speaking_time import estimate_seconds

_FENCE = re.compile(r"^[ \t]*(```\w*|#{1,6}[ \t].*|[-=*_]{3,})[ \t]*$", re.MULTILINE)
_DIRECTION = re.compile(
    r"\[[^\]]*\]|\((?:[^)]*\b(?:music|pause|cut|camera|scene|fade|smil\w*|sfx|visual)\b[^)]*)\)", re.I
)
_LABEL = re.compile(
    r"^[ \t]*(?:\*\*)?(?:narrator|presenter|host|speaker|voice[- ]?over|vo|script|title|scene(?:\s+\d+)?|"
    r"intro(?:duction)?|outro|hook|call to action|cta|body)(?:\*\*)?[ \t]*(?:\([^)]*\))?[ \t]*:[ \t]*(?:\*\*)?",
    re.IGNORECASE | re.MULTILINE,
)
_PREAMBLE = re.compile(r"^\s*(?:sure|certainly|of course|here(?:'s| is)|okay)\b[^\n]*:\s*\n", re.IGNORECASE)
_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])\s+", re.MULTILINE)
_MARKS = re.compile(r"[*_`~#|<>]+|\bhttps?://\S+")
_PICTOGRAMS = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")
_END = (".", "!", "?", "…", "।", "。", "？", "！")
_TITLE_WORDS = 8
_QUOTES = "\"'“”‘’«»"


def spoken_words(text: str) -> str:
    """What of a model's answer is meant to be said: without labels, stage directions, markdown and pictograms."""
    text = _PREAMBLE.sub("", text)
    for pattern in (_FENCE, _DIRECTION, _LABEL, _BULLET, _MARKS, _PICTOGRAMS):
        text = pattern.sub("", text)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]
    text = " ".join(part for part in paragraphs if not _is_title(part) or len(paragraphs) == 1)
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def _is_title(paragraph: str) -> bool:
    return not paragraph.rstrip(_QUOTES + ")").endswith(_END) and len(paragraph.split()) <= _TITLE_WORDS


def sentences(text: str) -> list[str]:
    """The text's sentences; pieces that the splitter cut at a clause are joined again."""
    splitter = SentenceSplitter()
    found: list[str] = []
    whole = True
    for piece in [*splitter.feed(text), *splitter.finish()]:
        piece = piece.strip()  # noqa: PLW2901
        if not piece:
            continue
        if whole:
            found.append(piece)
        else:
            found[-1] += " " + piece
        whole = piece.rstrip(_QUOTES + ")").endswith(_END)
    return found


def fitted(parts: Sequence[str], language: str, seconds: float) -> list[str]:
    """As many of the first sentences as are expected to take at most `seconds`; the last that was cut off is left."""
    kept: list[str] = []
    for part in parts:
        if not part.rstrip(_QUOTES + ")").endswith(_END) and kept:
            break
        if estimate_seconds(" ".join([*kept, part]), language) > seconds:
            break
        kept.append(part)
    return kept
