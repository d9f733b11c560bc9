"""Who asks: keys in three headers, remembered for a moment, revoked at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.database import Database, create_account, create_key, list_keys, revoke_key, rotate_key
from server.gate.auth import TTL_S, Authenticator
from server.settings import Settings
from tests.server.gate.serving import Served, served

THING = "/api/generate/thing"


@pytest.fixture
async def service(settings: Settings, database: Database) -> AsyncIterator[Served]:
    """Things without limits."""
    async with served(settings, database, enabled=False) as made:
        yield made


@pytest.mark.parametrize("path", ["/v1/videos", THING, "/v1/agent/generate", "/api/video-editor/thing", "/jobs/v2"])
async def test_every_family_takes_the_key_in_any_of_the_three_headers(service: Served, path: str) -> None:
    key = service.key()
    for headers in ({"authorization": f"bearer  {key}"}, {"api-secret": key}, {"x-api-key": key}):
        assert (await service.client.get(path, headers=headers)).status_code == 200
    both = {"authorization": f"Bearer {key}", "x-api-key": key}
    assert (await service.client.get(path, headers=both)).status_code == 200


async def test_keys_that_differ_are_refused_even_where_each_is_valid(service: Served) -> None:
    headers = {"api-secret": service.key(), "x-api-key": service.key()}
    answer = await service.client.get(THING, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": "The request presents several API keys that differ", "code": "UNAUTHORIZED"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer sk_live_unknown"},
        {"authorization": "Basic c2tfbGl2ZTo="},
        {"x-api-key": "sk_live_" + "x" * 10_000},
        {"api-secret": "é".encode()},
        {"x-api-key": "' OR 1=1 --"},
    ],
)
async def test_without_a_valid_key_nothing_is_told(service: Served, headers: dict[str, str | bytes]) -> None:
    answer = await service.client.get("/v1/agent/generate", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.json()["error"] == "Invalid or missing API key"
    assert answer.json()["code"] == "UNAUTHORIZED"
    assert "sk_live_…" in answer.json()["details"]


async def test_an_endpoint_of_a_plan_is_closed_below_it(service: Served) -> None:
    answer = await service.client.get("/api/rich", headers=service.bearer("business"))
    assert answer.status_code == 403
    assert answer.json() == {"error": "This needs the enterprise plan; yours is business", "code": "FORBIDDEN"}


def owner(database: Database) -> tuple[str, str]:
    """A new account and its key."""
    account = database.run_here(create_account, "one", plan="pro")
    return account, database.run_here(create_key, "test", account).secret


async def test_a_key_is_asked_for_once_in_a_while(database: Database) -> None:
    _, key = owner(database)
    now = 100.0
    authenticator = Authenticator(database, clock=lambda: now)
    found = await authenticator.identify(key)
    assert found is not None
    assert found.plan == "pro"
    database.run_here(revoke_key, key[:16])  # as another process does
    assert await authenticator.identify(key) == found
    now += TTL_S
    assert await authenticator.identify(key) is None


async def test_what_is_revoked_here_counts_at_once_also_for_a_look_up_under_way(database: Database) -> None:
    _, key = owner(database)
    read, go_on = asyncio.Event(), asyncio.Event()
    run = database.read

    async def slow(*arguments: object, **named: object) -> object:
        found: object = await run(*arguments, **named)  # type: ignore[arg-type]
        read.set()
        await go_on.wait()
        return found

    database.read = slow  # type: ignore[method-assign,assignment]
    authenticator = Authenticator(database)
    looking = asyncio.ensure_future(authenticator.identify(key))
    await read.wait()
    database.run_here(revoke_key, key[:16])
    authenticator.forget()
    go_on.set()
    assert await looking is not None
    assert await authenticator.identify(key) is None


async def test_many_requests_at_once_ask_the_database_once(database: Database) -> None:
    _, key = owner(database)
    authenticator = Authenticator(database)
    asked = 0
    run = database.read

    async def counting(*arguments: object, **named: object) -> object:
        nonlocal asked
        asked += 1
        return await run(*arguments, **named)  # type: ignore[arg-type]

    database.read = counting  # type: ignore[method-assign,assignment]
    found = await asyncio.gather(*(authenticator.identify(key) for _ in range(50)))
    assert asked == 1
    assert {item.id for item in found if item} == {found[0].id if found[0] else None}


async def test_a_request_that_goes_away_takes_no_one_elses_answer_with_it(database: Database) -> None:
    _, key = owner(database)
    authenticator = Authenticator(database)
    first = asyncio.ensure_future(authenticator.identify(key))
    second = asyncio.ensure_future(authenticator.identify(key))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None


def test_a_rotated_key_has_a_successor_of_its_name(database: Database) -> None:
    account, key = owner(database)
    new = database.run_here(rotate_key, key[:16], account)
    assert new.secret != key
    assert new.info.name == "test"
    assert [item.revoked is None for item in database.run_here(list_keys, account)] == [False, True]
    with pytest.raises(LookupError, match="is revoked"):
        database.run_here(rotate_key, key[:16], account)


def test_another_accounts_key_is_not_there(database: Database) -> None:
    _, key = owner(database)
    other = database.run_here(create_account, "two", plan="free")
    for change in (revoke_key, rotate_key):
        with pytest.raises(LookupError, match="of no keys"):
            database.run_here(change, key[:16], other)
    assert database.run_here(list_keys, other) == []
