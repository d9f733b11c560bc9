"""Amounts in English: money, percentages, units, fractions, sizes, ranges."""

from __future__ import annotations

import re
from fractions import Fraction

from media.speech.synthesis.normalise.english.numbers import (
    NOT_INSIDE,
    NUMBER,
    NUMBER_ENDS,
    SCALES,
    cardinal,
    is_one,
    is_year,
    ordinal,
    plural,
    quantity,
    year,
)
from media.speech.synthesis.normalise.tokens import Context, Reading, Rule, plain, rule

_DOLLAR, _EURO, _POUND = ("dollar", "dollars", "cent", "cents"), ("euro", "euros", "cent", "cents"), (
    "pound", "pounds", "penny", "pence",
)  # fmt: skip
_YEN, _WON, _RUPEE = ("yen", "yen", "", ""), ("won", "won", "", ""), ("rupee", "rupees", "paisa", "paise")
_FRANC, _ROUBLE = ("franc", "francs", "centime", "centimes"), ("rouble", "roubles", "kopek", "kopeks")

CURRENCIES: dict[str, tuple[str, str, str, str]] = {
    "$": _DOLLAR, "€": _EURO, "£": _POUND, "¥": _YEN, "₩": _WON, "₹": _RUPEE, "₽": _ROUBLE,
    "USD": _DOLLAR, "EUR": _EURO, "GBP": _POUND, "JPY": _YEN, "KRW": _WON, "INR": _RUPEE, "RUB": _ROUBLE,
    "CHF": _FRANC, "AUD": _DOLLAR, "CAD": _DOLLAR,
}  # fmt: skip
"""Currency signs and codes: one, several, one hundredth, several hundredths."""

_PREFIXES = {"US": "US ", "C": "Canadian ", "CA": "Canadian ", "A": "Australian ", "AU": "Australian ", "": ""} | {
    "HK": "Hong Kong ",
    "NZ": "New Zealand ",
}
_CODE_PREFIXES = {"AUD": "Australian ", "CAD": "Canadian ", "CHF": "Swiss "}

UNITS: dict[str, tuple[str, str]] = {
    "km": ("kilometre", "kilometres"), "m": ("metre", "metres"), "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"), "nm": ("nanometre", "nanometres"), "µm": ("micrometre", "micrometres"),
    "mi": ("mile", "miles"), "yd": ("yard", "yards"), "ft": ("foot", "feet"), "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"), "mg": ("milligram", "milligrams"), "µg": ("microgram", "micrograms"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"), "l": ("litre", "litres"),
    "L": ("litre", "litres"), "ml": ("millilitre", "millilitres"), "mL": ("millilitre", "millilitres"),
    "cl": ("centilitre", "centilitres"), "mph": ("mile per hour", "miles per hour"),
    "kph": ("kilometre per hour", "kilometres per hour"), "km/h": ("kilometre per hour", "kilometres per hour"),
    "m/s": ("metre per second", "metres per second"), "h": ("hour", "hours"), "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"), "min": ("minute", "minutes"), "mins": ("minute", "minutes"), "s": ("second", "seconds"),
    "sec": ("second", "seconds"), "secs": ("second", "seconds"), "ms": ("millisecond", "milliseconds"),
    "µs": ("microsecond", "microseconds"), "ns": ("nanosecond", "nanoseconds"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"),
    "KB": ("kilobyte", "kilobytes"), "kB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "MiB": ("mebibyte", "mebibytes"), "GiB": ("gibibyte", "gibibytes"), "kbps": ("kilobit per second",) * 2,
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "MB/s": ("megabyte per second", "megabytes per second"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"), "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"),
    "mAh": ("milliamp hour", "milliamp hours"), "mA": ("milliamp", "milliamps"), "dB": ("decibel", "decibels"),
    "kcal": ("kilocalorie", "kilocalories"), "cal": ("calorie", "calories"), "kJ": ("kilojoule", "kilojoules"),
    "px": ("pixel", "pixels"), "fps": ("frame per second", "frames per second"), "ha": ("hectare", "hectares"),
    "psi": ("pound per square inch", "pounds per square inch"), "°": ("degree", "degrees"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "%": ("percent", "percent"),
}  # fmt: skip
"""Units by their written form: one and several. British spelling; the phonemes are the same."""

_DENOMINATORS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_VULGAR = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"}
_NUMBER_ENDING = re.compile(r"(?:[0-9]|[0-9]\s?(?:[ap]\.?m\.?|%|°[CF]?|[a-zA-Z]{1,3})|[½¼¾])$")

_SCALE = r"(?:\s?(?P<scale>hundred|thousand|million|billion|trillion|k|K|mn|m|M|bn|b|B|tn|T)(?![A-Za-z0-9]))?"
_SIGN = rf"(?P<sign>{NOT_INSIDE}[-–])?"
_UNIT = "|".join(sorted((re.escape(unit) for unit in UNITS), key=len, reverse=True))


def _amount(number: str, names: tuple[str, str, str, str], prefix: str, context: Context) -> str:
    """An amount of money: dollars and cents where there are two decimals or one, a decimal number otherwise."""
    whole, _, decimals = number.replace(",", "").partition(".")
    one, several, minor_one, minor_several = names
    if len(decimals) > 2 or (decimals and not minor_one):
        return f"{quantity(number, american=context.american)} {prefix}{several}"
    major, minor = int(whole or 0), int(decimals.ljust(2, "0")) if decimals else 0
    parts = []
    if major or not minor:
        parts.append(f"{cardinal(major, american=context.american)} {prefix}{one if major == 1 else several}")
    if minor:
        parts.append(f"{cardinal(minor)} {minor_one if minor == 1 else minor_several}")
    return " and ".join(parts)


def _money(match: re.Match[str], context: Context) -> Reading | None:
    groups = match.groupdict()
    sign, number = groups["currency"], groups["n"]
    prefix = _PREFIXES.get(groups.get("prefix") or "", "") + _CODE_PREFIXES.get(sign, "")
    names = CURRENCIES[sign]
    minus = "minus " if groups["sign"] else ""
    to = ""
    if groups.get("low"):
        to = f"{quantity(groups['low'], american=context.american)} to "
    if groups["scale"]:
        words = f"{quantity(number, american=context.american)} {SCALES[groups['scale']]} {prefix}{names[1]}"
    else:
        words = _amount(number, names, prefix, context)
    return plain(minus + to + words)


def _pence(match: re.Match[str], context: Context) -> Reading:
    one, several = ("cent", "cents") if match["unit"] == "¢" else ("penny", "pence")
    return plain(f"{cardinal(int(match['n']))} {one if is_one(match['n']) else several}")


def _measure(match: re.Match[str], context: Context) -> Reading:
    number, unit = match["n"], match["unit"]
    one, several = UNITS[unit.replace("μ", "µ")]
    power = {"²": "square ", "³": "cubic ", "2": "square ", "3": "cubic "}.get(match["power"] or "", "")
    minus = "minus " if match["sign"] else ""
    words = f"{minus}{quantity(number, american=context.american)}"
    name = one if is_one(number) else several
    if match["scale"]:
        words, name = f"{words} {SCALES[match['scale']]}", several
    return plain(f"{words} {power}{name}")


def _fraction(match: re.Match[str], context: Context) -> Reading | None:
    whole, text = match["whole"], match["fraction"]
    text = _VULGAR.get(text, text)
    top, bottom = (int(part) for part in text.split("/"))
    if bottom == 0 or top == 0 or (whole is None and (top >= bottom or bottom > 100)):
        return None
    if whole is None and Fraction(top, bottom).denominator != bottom:
        return None  # 4/10 is a score or a share, not a fraction in lowest terms
    words = f"{cardinal(int(whole), american=context.american)} and " if whole else ""
    one, several = _DENOMINATORS.get(bottom, (ordinal(bottom), plural(ordinal(bottom))))
    number = "a" if whole and top == 1 else cardinal(top)
    return plain(f"{words}{number} {one if top == 1 else several}")


def _over(match: re.Match[str], context: Context) -> Reading:
    """24/7, 4/10, 9/11: the numbers, with what the stroke means between them."""
    first, second = int(match["first"]), int(match["second"])
    between = " " if (first, second) in ((24, 7), (9, 11), (50, 50)) else " out of " if first <= second else " over "
    return plain(f"{cardinal(first, american=context.american)}{between}{cardinal(second, american=context.american)}")


def _height(match: re.Match[str], context: Context) -> Reading:
    inches = match["inches"]
    words = f"{cardinal(int(match['feet']))} foot"
    return plain(f"{words} {cardinal(int(inches))}" if inches else words)


def _size(match: re.Match[str], context: Context) -> Reading:
    """3x4 and 1920×1080: by; the second number is left to its own rule."""
    return plain(f"{_say(match['first'], context)} by")


def _say(number: str, context: Context) -> str:
    return year(int(number)) if is_year(number, context) else quantity(number, american=context.american)


def _multiple(match: re.Match[str], context: Context) -> Reading:
    return plain(f"{quantity(match['n'])} times")


def _ratio(match: re.Match[str], context: Context) -> Reading:
    return plain(f"{cardinal(int(match['first']))} to {cardinal(int(match['second']))}")


def _range(match: re.Match[str], context: Context) -> Reading | None:
    """A dash between numbers is "to"; a hyphen only where it stands directly behind the first."""
    before = match.string[max(0, match.start() - 8) : match.start()]
    if match.group()[0] != "-":
        before = before.rstrip()
    return plain("to") if _NUMBER_ENDING.search(before) else None


_SIGNS = r"[$€£¥₩₹₽]"
_CODES = "|".join(code for code in CURRENCIES if code.isalpha())

RULES: tuple[Rule, ...] = (
    rule(
        "sign letter",
        rf"{_SIGN}(?P<prefix>US|CA|AU|HK|NZ|C|A)?(?P<currency>{_SIGNS})\s?"
        rf"(?:(?P<low>{NUMBER})\s?[-–]\s?{_SIGNS}?(?=[0-9]))?(?P<n>{NUMBER}){NUMBER_ENDS}{_SCALE}",
        _money,
    ),
    rule("letter", rf"(?P<sign>(?!))?(?P<currency>{_CODES})\s?(?P<n>{NUMBER}){NUMBER_ENDS}{_SCALE}", _money),
    rule("sign digit", rf"{_SIGN}(?P<n>{NUMBER}){_SCALE}\s?(?P<currency>{_SIGNS}|(?:{_CODES})\b)(?!\s?[0-9])", _money),
    rule("digit", r"(?P<n>[0-9]{1,2})\s?(?P<unit>¢|p(?![A-Za-z0-9]))", _pence),
    rule("digit", r"(?P<feet>[1-9])'(?:\s?(?P<inches>1[01]|[0-9])(?:\"|''))?(?!\w)", _height),
    rule(
        "sign digit",
        rf"{_SIGN}(?P<n>{NUMBER}){_SCALE}(?:\s?|-)(?P<unit>{_UNIT})(?:(?P<power>[²³]|(?<=m)\^?[23]))?(?![A-Za-z0-9'/])",
        _measure,
    ),
    rule("digit sign", r"(?:(?P<whole>[0-9]{1,4})\s?)?(?P<fraction>[½¼¾⅓⅔⅛⅜⅝⅞])", _fraction),
    rule("digit", r"(?P<whole>[0-9]{1,4})\s(?P<fraction>[0-9]{1,2}/[0-9]{1,2})(?![0-9/])", _fraction),
    rule("digit", r"(?P<whole>(?!))?(?P<fraction>[0-9]{1,2}/[0-9]{1,3})(?![0-9/]|[.,][0-9])", _fraction),
    rule("digit", r"(?P<first>[0-9]{1,4})/(?P<second>[0-9]{1,4})(?![0-9/]|[.,][0-9])", _over),
    rule("digit", r"(?P<first>[0-9]+(?:\.[0-9]+)?)\s?[x×]\s?(?=[0-9])", _size),
    rule("digit", r"(?P<n>[0-9]+(?:\.[0-9]+)?)[x×](?!\w)", _multiple),
    rule("digit", r"(?P<first>[0-9]{1,4}):(?P<second>[0-9]{1,4})(?![0-9:])", _ratio),
    rule("sign", rf"[-–—]\s?(?={_SIGNS}?\.?[0-9])", _range),
)
