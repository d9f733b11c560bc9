"""Telephone numbers: which may be called, and what time it is where they are.

Everything is known from the number itself (`phonenumbers`, Google's metadata); nothing is asked of the network.
Sources: ITU-T E.164 and E.164.1 (shared country codes), libphonenumber.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType
from phonenumbers.timezone import time_zones_for_number

from telephony.errors import TelephonyError

_REFUSED_KINDS: Final = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal number, which is billed at its own rates",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.UAN: "a universal access number, which is billed at its own rates",
    PhoneNumberType.VOICEMAIL: "a voicemail access number",
}
_NOWHERE: Final = "001"
"""libphonenumber's region of the codes that belong to no country."""
_SATELLITE: Final = frozenset({870, 881, 882, 883})
"""Inmarsat, global mobile satellite systems, and the international networks billed like them (ITU-T E.164.1)."""
_UNKNOWN_ZONE: Final = "Etc/Unknown"
_ANYWHERE: Final = frozenset({PhoneNumberType.TOLL_FREE, PhoneNumberType.VOIP})
"""Kinds of numbers that say nothing of where the telephone is."""


class DestinationRefused(TelephonyError):
    """The number is not called. `code` is for programs, the text for people; it never holds the number itself."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Destination:
    """A number that may be called.

    `number`: E.164, "+14155550123". `country`: ISO 3166-1 alpha-2. `zones`: the IANA zones the telephone may be in,
    empty where the number does not say.
    """

    number: str
    country: str
    zones: tuple[str, ...]


def check_destination(text: str, countries: AbstractSet[str]) -> Destination:
    """The destination that `text` names, if it may be called. Raises `DestinationRefused`.

    `countries`: ISO codes that may be called. Refused are numbers that are not E.164 or cannot exist, other countries,
    and all that cost more than a call: premium, shared-cost, personal and satellite numbers.
    """
    parsed = _parse(text)
    if parsed.country_code in _SATELLITE:
        raise DestinationRefused("SATELLITE", "phoneNumber is a satellite number; those are not called")
    if not phonenumbers.is_valid_number(parsed):
        raise DestinationRefused("NO_SUCH_NUMBER", "phoneNumber has the form of a number, but none can be like it")
    kind = phonenumbers.number_type(parsed)
    if kind in _REFUSED_KINDS:
        raise DestinationRefused("COSTLY", f"phoneNumber is {_REFUSED_KINDS[kind]}; those are not called")
    country = phonenumbers.region_code_for_number(parsed)
    if country is None or country == _NOWHERE:
        raise DestinationRefused("COSTLY", "phoneNumber belongs to no country; such numbers are not called")
    if country not in countries:
        allowed = ", ".join(sorted(countries)) or "none"
        raise DestinationRefused(
            "COUNTRY", f"phoneNumber is in {country}, and calls go only to: {allowed} (setting telephony.countries)"
        )
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return Destination(number, country, zones_of(number))


def country_of(number: str) -> str | None:
    """The country of an E.164 number, None where it has none or is no number."""
    try:
        region = phonenumbers.region_code_for_number(_parse(number))
    except DestinationRefused:
        return None
    return None if region == _NOWHERE else region


def zones_of(number: str) -> tuple[str, ...]:
    """The IANA zones that an E.164 number may be in; empty where it does not say, or is no number."""
    try:
        parsed = _parse(number)
    except DestinationRefused:
        return ()
    return () if phonenumbers.number_type(parsed) in _ANYWHERE else _zones(parsed)


def _parse(text: str) -> PhoneNumber:
    """An E.164 number: a plus and 7 to 15 digits. Raises `DestinationRefused`."""
    digits = text[1:]
    if not (text.startswith("+") and digits.isascii() and digits.isdecimal() and 7 <= len(digits) <= 15):
        raise DestinationRefused(
            "NOT_E164", "phoneNumber must be in E.164 form: a plus, the country code and the number, as +14155550123"
        )
    try:
        return phonenumbers.parse(text, None)
    except NumberParseException:
        raise DestinationRefused("NO_SUCH_NUMBER", "phoneNumber begins with no country's code") from None


def _zones(parsed: PhoneNumber) -> tuple[str, ...]:
    return tuple(zone for zone in time_zones_for_number(parsed) if zone != _UNKNOWN_ZONE)
