"""Signs between words in English, Greek letters, and plain words."""

from __future__ import annotations

import re
import unicodedata

from media.speech.synthesis.normalise.english.numbers import cardinal
from media.speech.synthesis.normalise.tokens import Context, Read, Reading, Rule, Word, plain, rule

_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega"
)
_GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _GREEK_NAMES.split(" "), strict=True))
_SIGNS = {
    "&": "and", "+": "plus", "=": "equals", "×": "times", "÷": "divided by", "±": "plus or minus", "≤": "at most",
    "≥": "at least", "≠": "does not equal", "≈": "about", "√": "the square root of", "∞": "infinity", "%": "percent",
    "§": "section", "№": "number", "°": "degrees", "@": "at",
}  # fmt: skip

_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-ſƀ-ɏẀ-ỿ\u0300-\u036f"
_LONGEST = 40
"""A run of letters is cut into words of at most this many: nothing longer is a word, and the rest must be bounded."""


def _fixed(words: str) -> Read:
    return lambda match, context: plain(words)


def _sign(match: re.Match[str], context: Context) -> Reading:
    return plain(_SIGNS[match.group()])


def _compared(match: re.Match[str], context: Context) -> Reading:
    words = "less than" if match.group()[0] == "<" else "greater than"
    return plain(words + (" or equal to" if "=" in match.group() else ""))


def _power(match: re.Match[str], context: Context) -> Reading:
    return plain({"2": "squared", "3": "cubed"}.get(match["n"]) or f"to the power of {cardinal(int(match['n']))}")


def _greek(match: re.Match[str], context: Context) -> Reading | None:
    name = _GREEK.get(match.group().lower())
    return plain(name) if name else None


def _word(match: re.Match[str], context: Context) -> Reading:
    word = match.group()
    return [Word(word, say=unicodedata.normalize("NFC", word))]


RULES: tuple[Rule, ...] = (
    rule("letter", r"and/or\b", _fixed("and or"), re.IGNORECASE),
    rule("letter", rf"(?![µ])[{_LETTER}]{{1,{_LONGEST}}}(?:['-][{_LETTER}]{{1,{_LONGEST}}}){{0,5}}", _word),
    rule("letter", r"[α-ωΑ-Ωµ](?!\w)", _greek),
    rule("sign", r"\^\s?(?P<n>[0-9]{1,3})(?![0-9])", _power),
    rule("sign", r"²", _fixed("squared")),
    rule("sign", r"³", _fixed("cubed")),
    rule("sign", r"<=|>=|[<>](?=\s?[-$£€]?[0-9])|(?<=\s)[<>](?=\s)", _compared),
    rule("sign", r"-(?=\s?\.?[0-9])(?<=[0-9)]\s-)", _fixed("minus")),
    rule("sign", r"\*(?:(?<=\w\*)(?=\w)|(?<=[\w)]\s\*)(?=\s[-(]?\w))", _fixed("times")),
    rule("sign", r"~\s?(?=[$£€]?[0-9])", _fixed("about")),
    rule("sign", r"'(?:cause|til|em|tis|twas)\b", _word, re.IGNORECASE),
    rule("sign", r"/(?<=[0-9)]\s/)(?=\s[0-9(])", _fixed("divided by")),
    rule("sign", "[" + re.escape("".join(_SIGNS)) + "]+?", _sign),
)
