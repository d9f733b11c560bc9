"""Rate limits: windows and days, exact, told in headers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from server.database import Database, Identity, KeyInfo
from server.gate.limits import DAY, Limiter, LocalStorage, Verdict
from server.settings import Settings
from server.settings.platform import LimitSettings, PlanSettings, PlansSettings
from tests.peers.redis import RedisServer
from tests.server.gate.serving import Served, served

NOW = datetime(2026, 3, 16, 12, 0, tzinfo=UTC).timestamp()
MIDNIGHT = int(datetime(2026, 3, 17, tzinfo=UTC).timestamp())
THING = "/api/generate/thing"


@dataclass
class Clock:
    """A clock that stands still."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def account(name: str = "acct_1", plan: str = "free") -> Identity:
    """An account."""
    key = KeyInfo("key_1", name, "test", "sk_live_", datetime.now(UTC), None, None)
    return Identity(name, name, plan, key)


def limiter(clock: Callable[[], float], *, day: int = 1000, url: str | None = None) -> Limiter:
    """Limits of a plan with so many requests a day."""
    plans = PlansSettings(free=PlanSettings(requests_per_day=day))
    return Limiter(LimitSettings(redis_url=SecretStr(url) if url else None), plans, clock=clock)


async def test_a_window_begins_with_its_first_request_and_ends_whole() -> None:
    clock = Clock()
    limits = limiter(clock)
    seen = [await limits.admit(account(), "generate") for _ in range(6)]
    assert [verdict.admitted for verdict in seen] == [True] * 5 + [False]
    assert [verdict.remaining for verdict in seen] == [4, 3, 2, 1, 0, 0]
    assert {verdict.end for verdict in seen} == {NOW + 10}
    assert seen[5].headers(NOW)["retry-after"] == "10"
    clock.now = NOW + 9.9
    assert not (await limits.admit(account(), "generate")).admitted
    assert seen[5].headers(clock.now)["retry-after"] == "1"
    clock.now = NOW + 10
    assert (await limits.admit(account(), "generate")).remaining == 4


async def test_windows_of_kinds_and_accounts_are_apart() -> None:
    limits = limiter(Clock())
    for _ in range(6):
        await limits.admit(account(), "generate")
    assert (await limits.admit(account(), "read")).admitted
    assert (await limits.admit(account("acct_2"), "generate")).admitted


async def test_the_day_ends_at_midnight_utc_and_the_limit_that_binds_is_told() -> None:
    clock = Clock()
    limits = limiter(clock, day=22)
    first = await limits.admit(account(), "read")
    assert first == Verdict(True, 20, 19, int(NOW) + 10)
    for _ in range(19):
        await limits.admit(account(), "read")
    clock.now += 10
    assert await limits.admit(account(), "read") == Verdict(True, 22, 1, MIDNIGHT)
    assert (await limits.admit(account(), "read")).remaining == 0
    over = await limits.admit(account(), "read")
    assert over == Verdict(False, 22, 0, MIDNIGHT)
    assert over.headers(clock.now)["retry-after"] == str(MIDNIGHT - int(clock.now))
    clock.now = MIDNIGHT
    assert (await limits.admit(account(), "read")).admitted


async def test_what_a_window_refuses_does_not_count_against_the_day() -> None:
    clock = Clock()
    limits = limiter(clock, day=6)
    for _ in range(50):
        await limits.admit(account(), "generate")
    clock.now += 10
    assert (await limits.admit(account(), "generate")).admitted
    assert not (await limits.admit(account(), "generate")).admitted


async def test_strangers_share_the_window_of_their_address() -> None:
    limits = limiter(Clock())
    seen = [await limits.admit_stranger("192.0.2.1") for _ in range(21)]
    assert [verdict.admitted for verdict in seen] == [True] * 20 + [False]
    assert (await limits.admit_stranger("192.0.2.2")).admitted


async def test_the_console_has_a_window_of_its_own() -> None:
    limits = limiter(Clock(), day=1)
    seen = [await limits.admit(account(), "console") for _ in range(121)]
    assert sum(verdict.admitted for verdict in seen) == 120
    assert (await limits.admit(account(), "read")).admitted


async def test_what_has_ended_leaves_no_memory_behind() -> None:
    clock = Clock()
    storage = LocalStorage(clock)
    for number in range(1000):
        await storage.incr(f"address:{number}", 10)
    assert await storage.get("address:7") == 1
    await storage.clear("address:7")
    assert await storage.get("address:7") == 0
    clock.now += 10
    await storage.incr("address:new", 10)
    assert await storage.reset() == 1


@pytest.mark.parametrize("where", ["memory", "redis"])
async def test_two_hundred_at_once_get_exactly_what_the_limit_says(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.gate.limits.REDIS_TIMEOUT_S", 30.0)  # how busy the machine is, is not the question
    url = request.getfixturevalue("redis_url") if where == "redis" else None
    clock = Clock(datetime.now(UTC).timestamp())
    processes = [limiter(clock, day=37, url=url) for _ in range(2 if url else 1)]
    plan_wide = [
        Limiter(
            LimitSettings(redis_url=SecretStr(url) if url else None),
            PlansSettings(free=PlanSettings(requests_per_day=37, read="1000 per 10 seconds")),
            clock=clock,
        )
        for _ in processes
    ]
    windows = await asyncio.gather(*(one.admit(account("a"), "read") for one in processes for _ in range(100)))
    assert sum(verdict.admitted for verdict in windows) == 20
    days = await asyncio.gather(*(one.admit(account("b"), "read") for one in plan_wide for _ in range(100)))
    assert sum(verdict.admitted for verdict in days) == 37
    for one in processes + plan_wide:
        await one.close()


async def test_redis_tells_when_a_window_ends(redis_url: str) -> None:
    now = datetime.now(UTC).timestamp()
    limits = limiter(lambda: now, url=redis_url)
    verdict = await limits.admit(account(), "generate")
    assert verdict.remaining == 4
    assert 9 <= verdict.end - now <= 12
    await limits.close()


async def test_without_redis_this_process_counts_until_it_is_back(redis_server: RedisServer) -> None:
    clock = Clock(datetime.now(UTC).timestamp())
    limits = limiter(clock, url=redis_server.url)
    assert (await limits.admit(account(), "generate")).remaining == 4
    redis_server.stop()
    seen = [await limits.admit(account(), "generate") for _ in range(6)]
    assert [verdict.admitted for verdict in seen] == [True] * 5 + [False]
    redis_server.start()
    clock.now += 6
    assert (await limits.admit(account(), "generate")).remaining == 4
    await limits.close()


@pytest.fixture
async def service(settings: Settings, database: Database) -> AsyncIterator[Served]:
    """Things with limits."""
    async with served(settings, database) as made:
        yield made


async def test_every_answer_tells_its_limit(service: Served) -> None:
    headers = service.bearer()
    for method, path, body, status in (
        ("POST", THING, {"prompt": "x"}, 202),
        ("POST", THING, {}, 400),
        ("GET", THING, None, 200),
        ("GET", "/v1/nothing", None, 404),
        ("PUT", THING, None, 405),
        ("POST", "/v1/videos", {"prompt": "x" * (1 << 20)}, 413),
        ("GET", "/api/refused", None, 403),
    ):
        answer = await service.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status
        assert int(answer.headers["x-ratelimit-limit"]) in (5, 20)
        assert int(answer.headers["x-ratelimit-remaining"]) < int(answer.headers["x-ratelimit-limit"])
        assert int(answer.headers["x-ratelimit-reset"]) > datetime.now(UTC).timestamp()
        assert "retry-after" not in answer.headers
    stranger = await service.client.get(THING)
    assert stranger.status_code == 401
    assert stranger.headers["x-ratelimit-remaining"] == "19"


async def test_one_too_many_is_told_when_to_come_back(service: Served) -> None:
    headers = service.bearer()
    for _ in range(5):
        assert (await service.client.post(THING, json={"prompt": "x"}, headers=headers)).status_code == 202
    answer = await service.client.post(THING, json={"prompt": "x"}, headers=headers)
    assert answer.status_code == 429
    assert answer.json() == {"error": "Too many requests", "code": "RATE_LIMITED"}
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert service.things.made == 5
    agent = await service.client.post("/v1/agent/generate", json={"prompt": "x"}, headers=headers)
    assert agent.json() == {
        "error": "Too many requests",
        "code": "RATE_LIMITED",
        "details": "Too many requests",
    }


async def test_a_day_of_requests_is_counted_whatever_they_are(settings: Settings, database: Database) -> None:
    plans = settings.plans.model_copy(update={"free": PlanSettings(requests_per_day=3)})
    async with served(settings.model_copy(update={"plans": plans}), database) as service:
        headers = service.bearer("free")
        for path in ("/v1/videos", "/v1/agent/generate", "/api/nothing"):
            assert (await service.client.get(path, headers=headers)).status_code in (200, 404)
        answer = await service.client.get("/v1/videos", headers=headers)
        assert answer.status_code == 429
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert int(answer.headers["x-ratelimit-reset"]) % DAY == 0


async def test_wrong_keys_soon_get_no_more_answers_but_valid_ones_do(service: Served) -> None:
    for _ in range(20):
        assert (await service.client.get(THING, headers={"x-api-key": "sk_live_guess"})).status_code == 401
    assert (await service.client.get(THING, headers={"x-api-key": "sk_live_guess"})).status_code == 429
    assert (await service.client.get(THING, headers=service.bearer())).status_code == 200


async def test_health_is_not_limited(service: Served) -> None:
    for _ in range(50):
        answer = await service.client.get("/healthz")
        assert answer.status_code == 200
        assert "x-ratelimit-limit" not in answer.headers


async def test_limits_can_be_switched_off(settings: Settings, database: Database) -> None:
    async with served(settings, database, enabled=False) as service:
        headers = service.bearer()
        for _ in range(50):
            answer = await service.client.get(THING, headers=headers)
            assert answer.status_code == 200
        assert "x-ratelimit-limit" not in answer.headers
