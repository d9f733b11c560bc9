"""Numbers in English words, and the rules that read bare numbers."""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import num2words

from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, Word, plain, rule, word_set

LONGEST_CARDINAL = 15
"""Numbers of more digits than this are read digit by digit: nobody says quintillions."""

UNGROUPED_CARDINAL = 6
"""Without thousands separators, only numbers up to this many digits are read as a quantity."""

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

SCALES = {
    "hundred": "hundred", "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "mm": "million",
    "bn": "billion", "b": "billion", "B": "billion", "tn": "trillion", "T": "trillion",
}  # fmt: skip

_YEAR_CUES = word_set(
    "in since by from until till of year before after around circa during early mid late spring summer autumn "
    "fall winter and to between january february march april may june july august september october november "
    "december"
)
_DECADE_CUES = word_set("the early mid late her his their my your our")
_SUPERSCRIPTS = {"²": "squared", "³": "cubed"}


@lru_cache(maxsize=4096)
def cardinal(number: int, *, american: bool = True) -> str:
    """The number in words: 1205 is "one thousand two hundred five", with "and" outside America."""
    if len(str(abs(number))) > LONGEST_CARDINAL:
        return ("minus " if number < 0 else "") + digits(str(abs(number)))
    words = str(num2words(number, lang="en")).replace(",", "")
    return words.replace(" and ", " ") if american else words


@lru_cache(maxsize=1024)
def ordinal(number: int, *, american: bool = True) -> str:
    """The ordinal in words: 21 is "twenty-first"."""
    words = str(num2words(number, lang="en", to="ordinal")).replace(",", "")
    return words.replace(" and ", " ") if american else words


def digits(text: str) -> str:
    """Each digit as a word; other characters are passed over."""
    return " ".join(DIGITS[int(character)] for character in text if character.isdigit())


@lru_cache(maxsize=1024)
def year(number: int, *, american: bool = True) -> str:
    """A year as it is said: 1984 "nineteen eighty-four", 2005 "two thousand five", 1900 "nineteen hundred"."""
    century, rest = divmod(number, 100)
    if not 1000 <= number <= 2999 or (century % 10 == 0 and rest < 10):
        return cardinal(number, american=american)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def plural(words: str) -> str:
    """The plural of a spoken number or unit: "sixties", "inches"."""
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s", "ch", "sh")) else "s")


def quantity(text: str, *, american: bool = True) -> str:
    """A written number (digits with optional sign, separators and decimals) in words."""
    negative = text.startswith("-")
    whole, _, decimals = text.lstrip("-+").replace(",", "").partition(".")
    words = cardinal(int(whole), american=american) if whole else ""
    if decimals:
        words = f"{words} point {digits(decimals)}".strip()
    return f"minus {words}" if negative else words


def is_one(text: str) -> bool:
    """Whether a written number takes the singular."""
    return text.lstrip("+-") in ("1", "01")


NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
"""A written number without its sign: grouped by commas or not, with decimals or not."""

NOT_INSIDE = r"(?<![0-9A-Za-z.,_])"
"""In front of a sign that belongs to the number behind it."""

NUMBER_ENDS = r"(?![0-9]|[.,][0-9])"


def _ordinal(match: re.Match[str], context: Context) -> Reading | None:
    number = match["n"].replace(",", "")
    if len(number) > LONGEST_CARDINAL:
        return None
    return plain(ordinal(int(number), american=context.american))


def _decade(match: re.Match[str], context: Context) -> Reading | None:
    """1980s, '90s, the 60s; "60s" alone may be seconds."""
    text = match["n"]
    if len(text) == 2 and not match.group().startswith("'") and not context.said(_DECADE_CUES):
        return None
    if len(text) == 4 and text.endswith("00"):
        return plain(plural(year(int(text))))
    words = year(int(text), american=context.american) if len(text) == 4 else cardinal(int(text))
    return plain(plural(words))


def _grouped(match: re.Match[str], context: Context) -> Reading:
    text = match["n"]
    sign = "minus " if match["sign"] in ("-", "–") else "plus " if match["sign"] == "+" else ""
    return plain(sign + quantity(text, american=context.american)) + _power(match)


def _power(match: re.Match[str]) -> list[Word]:
    exponent = match["power"]
    return [Word(_SUPERSCRIPTS[exponent])] if exponent else []


def _dotted(match: re.Match[str], context: Context) -> Reading:
    """Versions read part by part, internet addresses digit by digit."""
    parts = match.group().split(".")
    if len(parts) == 4 and all(len(part) <= 3 for part in parts):
        return plain(" dot ".join(digits(part) for part in parts))
    read = (cardinal(int(p)) if len(p) <= 2 and (p == "0" or p[0] != "0") else digits(p) for p in parts)
    return plain(" point ".join(read))


def _whole(match: re.Match[str], context: Context) -> Reading:
    text = match["n"]
    sign = "minus " if match["sign"] in ("-", "–") else "plus " if match["sign"] == "+" else ""
    if not sign and is_year(text, context):
        return plain(year(int(text), american=context.american))
    if (text[0] == "0" and len(text) > 1) or len(text) > UNGROUPED_CARDINAL:
        return plain(sign) + spell_digits(text)
    if len(text) == 4 and text[1] != "0" and text.endswith("00") and context.american and int(text) < 2000:
        return plain(sign + year(int(text)))  # "fifteen hundred people"
    return plain(sign + cardinal(int(text), american=context.american)) + _power(match)


def is_year(text: str, context: Context) -> bool:
    """Whether four digits are a year: those of our time always, older and later ones after a word that dates."""
    if len(text) != 4 or text[0] not in "12":
        return False
    if 1900 <= int(text) <= 2099:
        return True
    return 1066 <= int(text) <= 2999 and context.said(_YEAR_CUES)


def spell_digits(text: str) -> list[Word]:
    """Digit by digit, with a short pause between groups: of four in 16 digits, of three or two otherwise."""
    size = 4 if len(text) % 4 == 0 and len(text) > 6 else 3
    groups = [text[i : i + size] for i in range(0, len(text), size)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2][:-1], groups[-2][-1] + groups[-1]] if size == 3 else [groups[-2] + groups[-1]]
    if len(text) <= 4:
        groups = [text]
    words: list[Word] = []
    for group in groups:
        spoken = [Word(DIGITS[int(character)]) for character in group]
        spoken[-1] = Word(spoken[-1].text, mark="," if group is not groups[-1] else "")
        words.extend(spoken)
    return words


def _scaled(match: re.Match[str], context: Context) -> Reading:
    """1.2M and 10k: millions and thousands. "5m" is five metres, "4K" and "3B" are names."""
    return plain(f"{quantity(match['n'], american=context.american)} {SCALES[match['scale']]}")


_SIGN = rf"(?P<sign>{NOT_INSIDE}[-–+])?"
_POWER = r"(?P<power>[²³])?"

DECADES: tuple[Rule, ...] = (rule("sign digit", r"(?:(?<!\w)')?(?P<n>[12][0-9]{2}0|[1-9]0)'?s\b", _decade),)
"""Tried before units, which would read the s as seconds."""

SCALED: tuple[Rule, ...] = (
    rule("digit", r"(?P<n>[0-9]+\.[0-9]+)(?P<scale>[kKMB]|bn|mn)(?![A-Za-z0-9])", _scaled),
    rule("digit", r"(?P<n>[0-9]{1,3})(?P<scale>[kM]|(?<=[0-9]{2})K|bn|mn)(?![A-Za-z0-9])", _scaled),
)
"""Tried before codes, which would spell the letter."""

RULES: tuple[Rule, ...] = (
    rule("digit", r"(?P<n>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:st|nd|rd|th)\b", _ordinal, re.IGNORECASE),
    rule("digit", r"[0-9]+(?:\.[0-9]+){2,}(?![0-9])", _dotted),
    rule(
        "sign digit",
        rf"{_SIGN}(?P<n>[0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?|[0-9]*\.[0-9]+){_POWER}{NUMBER_ENDS}",
        _grouped,
    ),
    rule("sign digit", rf"{_SIGN}(?P<n>[0-9]+){_POWER}", _whole),
)
"""Bare numbers, tried after everything that gives a number a meaning (dates, money, codes, ...)."""
