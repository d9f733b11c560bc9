"""Settings of the REST platform: limits, plans, prices, models."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator

from server.settings.section import Section


def _window(value: str) -> str:
    parse_window(value)
    return value


def parse_window(value: str) -> tuple[int, int]:
    """Requests and seconds of a text such as `5 per 10 seconds`. Raises `ValueError`."""
    found = _WINDOW.fullmatch(value.strip().lower())
    seconds = int(found[2] or 1) * _UNITS[found[3]] if found else 0
    if found is None or not 1 <= int(found[1]) <= 10**9 or not 1 <= seconds <= _UNITS["day"]:
        raise ValueError("must be requests per time of at most a day, for example 5 per 10 seconds or 200 per hour")
    return int(found[1]), seconds


_WINDOW = re.compile(r"(\d{1,10}) ?(?:/|per) ?(\d{1,6})? ?(second|minute|hour|day)s?")
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}

Window = Annotated[str, AfterValidator(_window)]


class LimitSettings(Section):
    """Rate limits. Quotas and windows of accounts are in `plans`; here is what holds for everybody."""

    enabled: bool = True
    redis_url: SecretStr | None = None
    anonymous: Window = "20 per 10 seconds"
    console: Window = "120 per 10 seconds"

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("must begin with redis:// or rediss://")
        return value


class PlanSettings(Section):
    """What an account of a plan may do: requests a day (UTC), a window for each kind of request, its first credits."""

    requests_per_day: int = Field(default=100, ge=1, le=10**9)
    credits: int = Field(default=0, ge=0, le=10**12)
    generate: Window = "5 per 10 seconds"
    read: Window = "20 per 10 seconds"
    write: Window = "20 per 10 seconds"
    upload: Window = "10 per 60 seconds"
    delete: Window = "10 per 60 seconds"
    call: Window = "200 per hour"


class PlansSettings(Section):
    """The plans, from the least to the most."""

    free: PlanSettings = PlanSettings(requests_per_day=100, credits=100)
    creator: PlanSettings = PlanSettings(requests_per_day=500, credits=1_000)
    pro: PlanSettings = PlanSettings(requests_per_day=1_000, credits=5_000)
    business: PlanSettings = PlanSettings(requests_per_day=10_000, credits=25_000)
    enterprise: PlanSettings = PlanSettings(requests_per_day=1_000_000, credits=100_000)

    def of(self, plan: str) -> PlanSettings:
        """The plan of this name; one that is not known any more counts as the least."""
        found: PlanSettings = getattr(self, plan) if plan in PLANS else self.free
        return found


PLANS = tuple(PlansSettings.model_fields)


Credits = Annotated[int, Field(ge=0, le=10**9)]


class PriceSettings(Section):
    """Credits for each piece of work; usage counts it under the same name."""

    image: Credits = 10
    video: Credits = 250
    voice: Credits = 80
    voice_clone: Credits = 80
    avatar: Credits = 750
    clip: Credits = 30
    b_roll: Credits = 150
    text2video: Credits = 250
    commercial: Credits = 3000
    translate: Credits = 1800
    instant_ad: Credits = 500
    instant_ad_more: Credits = 250
    photoshoot: Credits = 30
    call_minute: Credits = 10
    inbound_minute: Credits = 0
    avatar_video: Credits = 250
    content: Credits = 300
    agent: Credits = 250
    listing_video: Credits = 500
    talking_video: Credits = 250

    def of(self, item: str) -> int:
        """The price of a piece of work. Raises `KeyError` for one that is not in the list."""
        if item not in type(self).model_fields:
            raise KeyError(item)
        price: int = getattr(self, item)
        return price


def _default_engines() -> dict[str, str]:
    voices = ("kokoro", "elevenlabs-v3", "fish-audio-s1")
    avatars = ("veed-fabric", "creatify-aurora", "kling-avatar-v2", "omnihuman-1.5")
    return {**dict.fromkeys(voices, "voice"), **dict.fromkeys(avatars, "avatar")}


def _default_model_plans() -> dict[str, str]:
    return {
        "flux-2-pro": "creator",
        "ideogram-v3": "pro",
        "flux-kontext-max": "business",
        "kling-2.6-pro": "creator",
        "kling-3.0-pro": "pro",
        "veo-3.1": "business",
        "omnihuman-1.5": "creator",
    }


class ModelSettings(Section):
    """Which engine stands behind a model's commercial name, and which plan it takes.

    Kinds of work without models (clip, translate, …) are engines by their own name.
    """

    engines: dict[str, str] = Field(default_factory=_default_engines)
    plans: dict[str, Literal["free", "creator", "pro", "business", "enterprise"]] = Field(
        default_factory=_default_model_plans  # type: ignore[arg-type]  # checked: validate_default
    )
