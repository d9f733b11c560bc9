"""Which characters can be spoken: quotes, dashes and widths made plain, emoji and controls dropped."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from media.speech.synthesis.normalise.spans import SpannedText

_PLAIN = {
    **dict.fromkeys("‘’‚‛ʼ`´′＇", "'"),
    **dict.fromkeys("“”„‟«»″＂", '"'),
    **dict.fromkeys("‐‑⁃﹣－", "-"),
    "‒": "–",
    "―": "—",
    "−": "-",
    "…": "...",
    "‥": "..",
    "⁄": "/",
    "∕": "/",
    "。": ". ",
    "、": ", ",
    "，": ", ",
    "！": "! ",
    "？": "? ",
    "：": ": ",
    "；": "; ",
    "•": ",",
    "‣": ",",
    "▪": ",",
    "→": ",",
    "⇒": ",",
    "➔": ",",
    "\u00ad": "",
    "\u200b": "",
    "\u2060": "",
    "\ufeff": "",
}

_SPOKEN_SYMBOLS = frozenset("+=<>×÷±≤≥≠≈√∞°%&@#$€£¥₹₩₽¢§~^|*_/\\½¼¾⅓⅔⅛⅜⅝⅞²³№µ")
"""Symbols that rules of some language read; other symbols (arrows, dingbats, pictures) are dropped."""

_PAUSES = frozenset(".,;:!?-–—()[]{}\"'¿¡")

_EMOTICON = re.compile(r"(?<!\S)(?:[:;=8xX]['^-]?[)(\]\[DPpOo/\\|3*]+|<3+|\^_*\^|[-_]{1,2}\.[-_]|¯\S*_/¯)(?![^\s.,!?])")

_KEYCAP = re.compile(r"[0-9#*]\ufe0f?\u20e3")


@lru_cache(maxsize=4096)
def plain_form(character: str) -> str:
    """What stands for a character in text to be spoken: itself, simpler characters, a space, or nothing.

    Letters, marks and digits of all scripts stay; whether a voice can read them is for its language to say.
    """
    if character in _PLAIN:
        return _PLAIN[character]
    if character in _SPOKEN_SYMBOLS or character in _PAUSES:
        return character
    category = unicodedata.category(character)
    if category[0] in "LMN":
        return _compatible(character)
    return "" if category == "Cf" else " "


def _compatible(character: str) -> str:
    """Full-width, circled and mathematical letters and digits in their plain form; variation selectors dropped."""
    if "\ufe00" <= character <= "\ufe0f" or character == "\u20e3" or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    folded = unicodedata.normalize("NFKC", character)
    kept = "".join(c for c in folded if unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Nd")
    if unicodedata.category(character) == "Nd" and not character.isascii():
        return str(unicodedata.digit(character, 0))
    return kept if kept == folded else " "


def make_plain(text: SpannedText) -> SpannedText:
    """The text in characters that rules know, without emoji, emoticons, controls and variation marks."""
    dropped: set[int] = set()
    for pattern in (_KEYCAP, _EMOTICON):
        for match in pattern.finditer(text.text):
            dropped.update(range(match.start(), match.end()))
    pieces = (
        (" " if index in dropped else plain_form(character), origin)
        for index, (character, origin) in enumerate(zip(text.text, text.origins, strict=True))
    )
    return SpannedText.of(pieces)
