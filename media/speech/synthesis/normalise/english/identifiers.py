"""Codes and numbers that name something: booking numbers, rooms, flights, models."""

from __future__ import annotations

import re

from media.speech.synthesis.normalise.english.letters import spelled
from media.speech.synthesis.normalise.english.numbers import cardinal, digits, spell_digits
from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, Word, plain, rule, word_set

_NAMING = word_set(
    "booking order reference ref confirmation account code passcode pin ticket case invoice tracking id "
    "customer member membership policy serial extension ext flight room gate postcode zip zipcode reservation "
    "license licence card sort routing verification"
)
_LINKING = word_set("number numbers no is was are as")
_ENDING = (["ending", "in"], ["ending", "with"], ["starting", "with"], ["beginning", "with"])
_STATED = (["number", "is"], ["number", "was"], ["number", "will", "be"])
_PHONE = word_set("phone telephone mobile cell fax")
_COUNTED = re.compile(r"\s+[a-z]+s\b")

_SHORT = 4
"""A number that names something is read in one go up to this many digits, in groups above."""


def names_something(context: Context) -> bool:
    """Whether the words in front say that a number is a name, as in "your booking number is"."""
    before = context.before
    if any(before[-len(words) :] == words for words in (*_ENDING, *_STATED)):
        return True
    if len(before) > 1 and before[-2] in _NAMING and len(before[-1]) <= 3 and before[-1] not in _LINKING:
        return before[-2] in ("flight", "room", "gate")  # "flight BA 2490"
    while before and before[-1] in _LINKING:
        before = before[:-1]
    return bool(before) and before[-1] in (_NAMING | _PHONE)


def _number(match: re.Match[str], context: Context) -> Reading | None:
    """A number that names something, digit by digit; two digits and round hundreds stay a quantity (room 12)."""
    text = match.group()
    if not names_something(context) or (len(text) < 3 and text[0] != "0"):
        return None
    if context.before[-1:] in (["room"], ["flight"], ["gate"]) and len(text) == 3 and text.endswith("00"):
        return None
    if _COUNTED.match(match.string, match.end()) and context.before[-1:] == ["is"]:
        return None  # "the order is 150 cups"
    return plain(digits(text)) if len(text) <= _SHORT else spell_digits(text)


def _hash(match: re.Match[str], context: Context) -> Reading:
    """#4821: number four eight two one; #12: number twelve."""
    text = match["n"]
    return [Word("number"), *(plain(cardinal(int(text))) if len(text) <= 2 and text[0] != "0" else spell_digits(text))]


def _mixed(match: re.Match[str], context: Context) -> Reading | None:
    """Letters and digits in one word: MP3, B52, AB12CD, 3D; a code is read sign by sign."""
    text = match.group()
    parts = re.findall(r"[A-Za-z]+|[0-9]+", text)
    code = len(parts) > 2 or names_something(context)
    words: list[Word] = []
    for part in parts:
        if part.isdigit():
            as_number = len(part) <= 2 and part[0] != "0" and not code
            words += plain(cardinal(int(part)) if as_number else digits(part))
        elif part.isupper() or len(part) == 1 or code or not re.search(r"[aeiouy]", part.lower()):
            words.append(spelled(part))
        else:
            words.append(Word(part))
    return words


RULES: tuple[Rule, ...] = (
    rule("sign", r"\#\s?(?P<n>[0-9]{1,20})(?![0-9]|[.,][0-9])", _hash),
    rule("digit", r"[0-9]{2,20}(?![0-9A-Za-z%]|[.,:/][0-9]|\s?[%°])", _number),
    rule(
        "letter digit",
        r"(?![0-9]+(?:st|nd|rd|th)\b)(?:[A-Za-z]{1,12}[0-9]{1,8}|[0-9]{1,8}[A-Za-z]{1,12})(?:[A-Za-z]{1,4}|[0-9]{1,8}){0,6}"
        r"(?![A-Za-z0-9])",
        _mixed,
    ),
)
