"""Dates and times of day in English."""

from __future__ import annotations

import datetime
import re

from media.speech.synthesis.normalise.english.numbers import cardinal, ordinal, year
from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, Word, plain, rule

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_DAYS = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "weds": "Wednesday",
    "thu": "Thursday", "thur": "Thursday", "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip

_MONTH = r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?" + (
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_SHORT_MONTHS = tuple(month[:3] for month in MONTHS)
_DAY = r"(?P<day>(?:3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?)"
_YEAR = r"(?P<year>[12][0-9]{3})(?![0-9]|[.,:/-][0-9])"
_MERIDIEM = r"(?P<half>[AaPp])\.?\s?[Mm]\b(?:\.(?!\w))?"


def _month_name(text: str) -> str:
    return next(month for month in MONTHS if month.lower().startswith(text.lower()[:3]))


def _day(match: re.Match[str]) -> str:
    return ordinal(int(match["day"].rstrip("sthndr")))


def _part(match: re.Match[str], group: str, words: str) -> list[Word]:
    """The words that one group of a date is spoken as."""
    return [Word(word, span=match.span(group)) for word in words.split()]


def _valid(year_number: int, month: int, day: int) -> bool:
    try:
        datetime.date(year_number, month, day)
    except ValueError:
        return False
    return True


def _date_words(year_number: int, month: int, day: int, context: Context) -> list[Word]:
    spoken_day, spoken_year = ordinal(day), year(year_number, american=context.american)
    if context.american:
        return plain(f"{MONTHS[month - 1]} {spoken_day} {spoken_year}")
    return plain(f"the {spoken_day} of {MONTHS[month - 1]} {spoken_year}")


def _iso_date(match: re.Match[str], context: Context) -> Reading | None:
    numbers = int(match["year"]), int(match["month"]), int(match["day"])
    return _date_words(*numbers, context) if _valid(*numbers) else None


def _slashed_date(match: re.Match[str], context: Context) -> Reading | None:
    """3/4/2026: month first in America unless only the other order is a date; day first elsewhere and with dots."""
    first, second, number = int(match["first"]), int(match["second"]), int(match["year"])
    if len(match["year"]) == 2:
        number += 2000 if number < 70 else 1900
    month_first = context.american and match["sep"] == "/"
    orders = [(first, second), (second, first)] if month_first else [(second, first), (first, second)]
    for month, day in orders:
        if _valid(number, month, day):
            return _date_words(number, month, day, context)
    return None


def _month_day(match: re.Match[str], context: Context) -> Reading:
    words = _part(match, "month", _month_name(match["month"]))
    words += _part(match, "day", _day(match))
    if match["year"]:
        words += _part(match, "year", year(int(match["year"]), american=context.american))
    return words


def _day_month(match: re.Match[str], context: Context) -> Reading:
    the = "" if context.before[-1:] == ["the"] else "the "
    words = _part(match, "day", f"{the}{_day(match)} of")
    words += _part(match, "month", _month_name(match["month"]))
    if match["year"]:
        words += _part(match, "year", year(int(match["year"]), american=context.american))
    return words


def _month_year(match: re.Match[str], context: Context) -> Reading:
    words = _part(match, "month", _month_name(match["month"]))
    return words + _part(match, "year", year(int(match["year"]), american=context.american))


def _month_alone(match: re.Match[str], context: Context) -> Reading:
    return plain(_month_name(match.group()))


def _weekday(match: re.Match[str], context: Context) -> Reading:
    return [Word(_DAYS[match["name"].lower()], mark="," if match.group().endswith(",") else "")]


def _half_day(match: re.Match[str]) -> list[Word]:
    """The words for a.m. and p.m.; a full stop behind them may also end the sentence."""
    rest = match.string[match.end() : match.end() + 2]
    ends = match.group().endswith(".") and (not rest.strip() or rest.strip()[0].isupper())
    half = match["half"].upper()
    return [Word(f"{half}M", say=f"{'eigh' if half == 'A' else 'pee'}-em", mark="." if ends else "")]


def _clock(match: re.Match[str], context: Context) -> Reading | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 24 or (match["half"] and not 1 <= hour <= 12):
        return None
    half = _half_day(match) if match["half"] else []
    words = cardinal(hour)
    if minute:
        words += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not half and not match["second"]:
        words += " o'clock" if 1 <= hour <= 12 else " hundred hours"
    if match["second"] and int(match["second"]):
        words += f" and {cardinal(int(match['second']))} seconds"
    return plain(words) + half


def _hour(match: re.Match[str], context: Context) -> Reading:
    return plain(cardinal(int(match["hour"]))) + _half_day(match)


RULES: tuple[Rule, ...] = (
    rule(
        "digit",
        r"(?P<year>[12][0-9]{3})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])(?![0-9-])T?",
        _iso_date,
    ),
    rule(
        "digit",
        r"(?P<first>[0-9]{1,2})(?P<sep>[/.])(?P<second>[0-9]{1,2})(?P=sep)(?P<year>[12][0-9]{3}|[0-9]{2})(?![0-9./])",
        _slashed_date,
    ),
    rule("letter", rf"{_MONTH}\s+{_DAY}(?![0-9]|[:/.,][0-9]|\s?[ap]\.?m)(?:,?\s+{_YEAR})?", _month_day),
    rule("digit", rf"{_DAY}(?:\s+of)?\s+{_MONTH}(?!')(?:,?\s+{_YEAR})?", _day_month),
    rule("letter", rf"{_MONTH},?\s+{_YEAR}", _month_year),
    rule("letter", r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.(?=\s+[a-z0-9])", _month_alone),
    rule(
        "letter",
        r"(?P<name>Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun)\b(?:\.,?|,)?(?=\s+(?:[0-9]|"
        + "|".join(_SHORT_MONTHS)
        + "))",
        _weekday,
    ),
    rule(
        "digit",
        rf"(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?(?![0-9:])(?:\s?{_MERIDIEM})?",
        _clock,
    ),
    rule("digit", rf"(?P<hour>1[0-2]|0?[1-9])(?:\.00)?\s?{_MERIDIEM}", _hour),
)
