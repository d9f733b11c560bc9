"""Settings of telephone calls: the carrier, our numbers, whom agents may call and what that may cost."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from server.settings.section import HttpUrl, Section
from telephony.numbers import country_of

_COUNTRY = re.compile(r"[A-Z]{2}")


def _number(value: str) -> str:
    if value and country_of(value) is None:
        raise ValueError("must be a telephone number in E.164 form, as +14155550123")
    return value


def _country(value: str) -> str:
    if not _COUNTRY.fullmatch(value):
        raise ValueError("must be a country's two letters (ISO 3166-1), as US or IT")
    return value


Number = Annotated[str, AfterValidator(_number)]
Country = Annotated[str, AfterValidator(_country)]


class TwilioSettings(Section):
    """The account at Twilio. Without a token only this machine may connect; without a SID nobody is called."""

    account_sid: str = Field(default="", pattern=r"^(AC[0-9a-fA-F]{32})?$")
    auth_token: SecretStr = SecretStr("")
    api: HttpUrl = "https://api.twilio.com"

    @model_validator(mode="after")
    def _account_needs_a_token(self) -> TwilioSettings:
        if self.account_sid and not self.auth_token.get_secret_value():
            raise ValueError("auth_token must be set where account_sid is")
        return self


class TelnyxSettings(Section):
    """Telnyx: the account's public key (base64), which proves its webhooks."""

    public_key: str = Field(default="", pattern=r"^([A-Za-z0-9+/]{43}=)?$")


class PlivoSettings(Section):
    """Plivo: the account's token, which proves its webhooks."""

    auth_token: SecretStr = SecretStr("")


class TelephonySettings(Section):
    """Phone calls.

    `numbers`: which agent answers which number of ours. `countries`: those that may be called; none named: that of
    `number`. `per_destination_day`: calls to one number in 24 hours. `spend_day`: credits that an account's calls may
    cost in a day (UTC). `quiet_from`, `quiet_until`: nobody is called then, by the clock where they are.
    """

    default_agent: str = Field(default="demo", min_length=1)
    carrier: Literal["twilio", "telnyx", "plivo"] = "twilio"
    number: Number = ""
    numbers: dict[Number, str] = Field(default_factory=dict)
    countries: tuple[Country, ...] = ()
    per_account: int = Field(default=2, ge=1, le=10_000)
    per_destination_day: int = Field(default=5, ge=1, le=10_000)
    spend_day: int = Field(default=10_000, ge=0, le=10**9)
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    ring_s: int = Field(default=30, ge=5, le=600)
    longest_s: int = Field(default=3600, ge=60, le=14_400)
    recording_days: float = Field(default=30.0, gt=0, le=3650)
    redact_cards: bool = True
    twilio: TwilioSettings = TwilioSettings()
    telnyx: TelnyxSettings = TelnyxSettings()
    plivo: PlivoSettings = PlivoSettings()

    @model_validator(mode="after")
    def _numbers_are_numbers(self) -> TelephonySettings:
        if "" in self.numbers:
            raise ValueError("numbers must name telephone numbers, as +14155550123: demo")
        return self

    @property
    def may_call(self) -> frozenset[str]:
        """The countries that may be called."""
        own = country_of(self.number) if self.number else None
        return frozenset(self.countries or ((own,) if own else ()))

    @property
    def can_dial(self) -> bool:
        """Whether calls can be placed: there is an account and a number to call from."""
        return self.carrier == "twilio" and bool(self.twilio.account_sid and self.number)
