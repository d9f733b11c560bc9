"""Reading of languages without rules of their own: words as they stand, numbers by num2words.

Markup and emoji are gone by then as for every language. What num2words does not know is left in digits, which
espeak reads in many languages. Signs are dropped, except those that a decimal or a negative number needs.
"""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import CONVERTER_CLASSES, num2words

from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, Word, plain, rule, word_set

_LONGEST_NUMBER = 15
_LONGEST = 40
_LETTER = r"(?:(?![²³½¼¾⅓⅔⅛⅜⅝⅞№])[^\W\d_])"
_COMMA_DECIMALS = word_set("bg cs da de el es et fi fr hr hu id is it lt lv nl no pl pt ro ru sk sl sr sv tr uk")
_POINT_GROUPS = word_set("da de el es hr id is it nl pt ro sl sr tr")


def base_language(language: str) -> str:
    """The language of a tag: "pt" of "pt-br"."""
    return language.lower().replace("_", "-").split("-")[0]


@lru_cache(maxsize=64)
def _converter(language: str) -> str | None:
    """The name under which num2words knows a language, None if it does not."""
    tag = language.lower().replace("-", "_")
    for name in (tag, tag.split("_")[0] + "_" + tag.split("_")[-1].upper(), base_language(language)):
        if name in CONVERTER_CLASSES:
            return str(name)
    return None


def number_words(text: str, language: str) -> str:
    """A written number in the words of a language; unchanged where they are not known."""
    base, converter = base_language(language), _converter(language)
    if converter is None or len(text) > _LONGEST_NUMBER:
        return text
    plain_text = text.replace("'", "").replace("\u00a0", "")
    if base in _COMMA_DECIMALS:
        if base in _POINT_GROUPS and re.fullmatch(r"-?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?", plain_text):
            plain_text = plain_text.replace(".", "")
        plain_text = plain_text.replace(",", ".")
    else:
        plain_text = plain_text.replace(",", "")
    try:
        value = float(plain_text) if "." in plain_text else int(plain_text)
        return str(num2words(value, lang=converter))
    except (NotImplementedError, ValueError, OverflowError, IndexError, KeyError, TypeError):
        return text  # num2words knows the language in part; espeak reads the digits


def rules(language: str) -> tuple[Rule, ...]:
    """The rules for one language."""

    def number(match: re.Match[str], context: Context) -> Reading:
        text = match.group().replace("–", "-")
        if len(text) > _LONGEST_NUMBER or (text[0] == "0" and text.isdigit() and len(text) > 1):
            return [word for digit in text if digit.isdigit() for word in plain(number_words(digit, language))]
        return plain(number_words(text, language).replace(",", " "))

    def word(match: re.Match[str], context: Context) -> Reading:
        return [Word(match.group())]

    return (
        rule("digit sign", r"(?<![\w.,])[-–]?[0-9]+(?:[.,'][0-9]+)*", number),
        rule("digit", r"[0-9]+", number),
        rule("letter", rf"{_LETTER}{{1,{_LONGEST}}}(?:['-]{_LETTER}{{1,{_LONGEST}}}){{0,5}}", word),
    )
