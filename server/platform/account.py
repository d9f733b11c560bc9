"""GET /api/usage, GET and PATCH /api/settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from server.credits import Usage, usage
from server.database.tables import Account
from server.fetching import FetchError, UrlPolicy, check_url
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Invalid
from server.gate.families import Family
from server.gate.models import AnswerModel, CamelRequest, Url
from server.gate.registry import Endpoint
from server.platform.times import month_of, timestamp
from server.settings.platform import PlansSettings
from server.webhooks.endpoints import account_secret

USED: Final = {
    "image": "images",
    "video": "videos",
    "voice": "voices",
    "voice_clone": "voiceClones",
    "avatar": "avatars",
    "clip": "clips",
    "b_roll": "bRolls",
    "text2video": "textVideos",
    "commercial": "commercials",
    "translate": "translations",
    "instant_ad": "instantAds",
    "photoshoot": "photoshoots",
    "call_minute": "callMinutes",
    "inbound_minute": "inboundMinutes",
    "avatar_video": "avatarVideos",
    "content": "contents",
    "agent": "agents",
    "listing_video": "listingVideos",
    "talking_video": "talkingVideos",
}
"""How usage names each item of the price list."""


class Used(AnswerModel):
    """An account's credits, and what it used in this billing cycle."""

    credits: Annotated[int, Field(ge=0)]
    used: dict[str, int]
    plan: str
    credits_used: int
    credits_reserved: int
    requests_per_day: int
    cycle_start: str
    cycle_end: str


class UsageAnswer(AnswerModel):
    """GET /api/usage."""

    data: Used


class SettingsRequest(CamelRequest):
    """Where to send webhooks; null: nowhere."""

    webhook_url: Url | None


class AccountSettings(AnswerModel):
    """An account's settings. `webhook_secret` signs what is sent (Standard Webhooks)."""

    webhook_url: str | None
    webhook_secret: str


class SettingsAnswer(AnswerModel):
    """GET and PATCH /api/settings."""

    data: AccountSettings


class AccountDesk:
    """What an account may know and set. `policy`: which URLs webhooks may be sent to."""

    def __init__(
        self,
        plans: PlansSettings,
        policy: UrlPolicy,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._plans = plans
        self._policy = policy
        self._now = now

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return [
            Endpoint(
                family=Family.F2,
                method="GET",
                path="/api/usage",
                summary="Get usage",
                description="The credits that are left, and what was used in this billing cycle (a calendar month).",
                handler=self.usage,
                answers={200: UsageAnswer},
                limit="read",
            ),
            Endpoint(
                family=Family.F2,
                method="GET",
                path="/api/settings",
                summary="Get settings",
                handler=self.show,
                answers={200: SettingsAnswer},
                limit="read",
            ),
            Endpoint(
                family=Family.F2,
                method="PATCH",
                path="/api/settings",
                summary="Set the webhook URL",
                handler=self.change,
                body=SettingsRequest,
                answers={200: SettingsAnswer},
                limit="write",
            ),
        ]

    async def usage(self, call: ApiCall[None]) -> ApiResult:
        """Credits and use."""
        first, following = month_of(self._now())
        found: Usage = await call.database.read(usage, call.account.id, since=first, until=following)
        counts = {USED.get(item, item): count for item, count in sorted(found.counts.items())}
        return ApiResult(
            UsageAnswer(
                data=Used(
                    credits=found.balance,
                    used={**dict.fromkeys(USED.values(), 0), **counts},
                    plan=call.account.plan,
                    credits_used=found.spent,
                    credits_reserved=found.held,
                    requests_per_day=self._plans.of(call.account.plan).requests_per_day,
                    cycle_start=timestamp(first),
                    cycle_end=timestamp(following),
                )
            )
        )

    async def show(self, call: ApiCall[None]) -> ApiResult:
        """The settings as they are."""
        return await call.database.run(_settings, call.account.id)

    async def change(self, call: ApiCall[SettingsRequest]) -> ApiResult:
        """Set the webhook URL. Raises `Invalid` for one that must not be called."""
        url = call.body.webhook_url
        if url is not None:
            try:
                url = check_url(url, self._policy).url
            except FetchError as error:
                raise Invalid(error.message, field="webhookUrl") from None
        return await call.database.run(_change, call.account.id, url)


def _change(session: Session, account_id: str, url: str | None) -> ApiResult:
    session.get_one(Account, account_id).webhook_url = url
    session.flush()
    return _settings(session, account_id)


def _settings(session: Session, account_id: str) -> ApiResult:
    secret = account_secret(session, account_id)
    account = session.get_one(Account, account_id)
    return ApiResult(
        SettingsAnswer(data=AccountSettings(webhook_url=account.webhook_url, webhook_secret=secret)),
        headers={"cache-control": "no-store"},
    )
