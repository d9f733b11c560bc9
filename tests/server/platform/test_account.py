"""Usage and settings over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from server.credits import refund, reserve
from server.database.tables import Account
from server.platform.account import USED
from server.platform.times import month_of, timestamp
from server.settings.platform import PriceSettings
from tests.server.gate.serving import Served


async def test_usage_tells_credits_and_what_they_went_for(service: Served) -> None:
    headers = service.bearer(credits=1000)
    account = service.database.run_here(lambda session: session.scalars(select(Account.id)).one())
    for number in range(3):
        service.database.run_here(reserve, account, 10, job_id=f"image{number}", item="image")
    service.database.run_here(reserve, account, 250, job_id="video", item="video")
    service.database.run_here(refund, "image0")
    answer = await service.client.get("/api/usage", headers=headers)
    data = answer.json()["data"]
    assert (data["credits"], data["plan"], data["creditsUsed"], data["creditsReserved"]) == (
        730,
        "enterprise",
        270,
        270,
    )
    assert (data["used"]["images"], data["used"]["videos"], data["used"]["voices"]) == (2, 1, 0)
    assert data["cycleStart"] == timestamp(month_of(datetime.now(UTC))[0])


def test_usage_has_a_name_for_every_price() -> None:
    prices = set(PriceSettings.model_fields) - {"instant_ad_more"}
    assert set(USED) == prices
    with pytest.raises(KeyError):
        PriceSettings().of("model_config")


@pytest.mark.parametrize(
    ("moment", "first", "following"),
    [
        ("2026-03-16T12:00:00+00:00", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("2026-12-31T23:59:59+00:00", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-03-01T01:00:00+02:00", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
    ],
)
def test_a_billing_cycle_is_a_month_of_utc(moment: str, first: str, following: str) -> None:
    cycle = month_of(datetime.fromisoformat(moment))
    assert [timestamp(end) for end in cycle] == [first, following]


async def test_the_webhook_is_set_shown_and_cleared_and_its_secret_stays(service: Served) -> None:
    headers = service.bearer()
    before = (await service.client.get("/api/settings", headers=headers)).json()["data"]
    assert before["webhookUrl"] is None
    assert before["webhookSecret"].startswith("whsec_")
    url = "https://hooks.example.com/visavis?x=1"
    changed = await service.client.patch("/api/settings", json={"webhookUrl": url}, headers=headers)
    assert changed.json() == {"data": {"webhookUrl": url, "webhookSecret": before["webhookSecret"]}}
    assert (await service.client.get("/api/settings", headers=headers)).json() == changed.json()
    cleared = await service.client.patch("/api/settings", json={"webhookUrl": None}, headers=headers)
    assert cleared.json()["data"]["webhookUrl"] is None
    other = (await service.client.get("/api/settings", headers=service.bearer())).json()["data"]
    assert other["webhookSecret"] != before["webhookSecret"]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/",
        "https://user:password@example.com/",
        "https://example.com:22/",
        "https://2130706433/",
        "ftp://example.com/",
        "",
    ],
)
async def test_a_webhook_goes_to_a_public_https_url(service: Served, url: str) -> None:
    answer = await service.client.patch("/api/settings", json={"webhookUrl": url}, headers=service.bearer())
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("webhookUrl: ")


async def test_the_webhook_has_to_be_named(service: Served) -> None:
    answer = await service.client.patch("/api/settings", json={}, headers=service.bearer())
    assert answer.json() == {"error": "webhookUrl: is required", "code": "BAD_REQUEST"}
