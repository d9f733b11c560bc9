"""Idempotency-Key: one effect, one answer, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from server.credits import audit, balance
from server.database import Database
from server.database.tables import Account, IdempotentAnswer
from server.settings import Settings
from tests.server.gate.serving import Served, served

THING = "/api/generate/thing"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Both databases."""
    in_file = request.param == "sqlite"
    made = Database(f"sqlite:///{tmp_path}/v.db" if in_file else request.getfixturevalue("postgres_url"), threads=8)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
async def service(settings: Settings, database: Database) -> AsyncIterator[Served]:
    """Things without limits."""
    async with served(settings, database, enabled=False) as made:
        yield made


async def post(
    service: Served, headers: dict[str, str], key: str, body: Any = None, path: str = THING
) -> httpx.Response:
    """Make a thing with this key."""
    return await service.client.post(path, json=body or {"prompt": "x"}, headers={**headers, "idempotency-key": key})


def left(database: Database) -> int:
    """The only account's credits."""
    return database.run_here(lambda session: balance(session, session.scalars(select(Account.id)).one()))


async def test_the_same_request_has_one_effect_and_one_answer(service: Served) -> None:
    headers = service.bearer()
    first = await post(service, headers, "a", {"prompt": "x", "width": 512})
    again = await post(service, headers, "a", {"width": 512, "prompt": "x"})
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, again.json())
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert service.things.made == 1
    assert left(service.database) == 990
    assert (await post(service, headers, "b")).json()["jobId"] == "job2"


async def test_another_request_with_the_key_is_a_conflict(service: Served) -> None:
    headers = service.bearer()
    await post(service, headers, "a")
    for path, body in ((THING, {"prompt": "y"}), ("/v1/videos", {"prompt": "x"})):
        answer = await post(service, headers, "a", body, path)
        assert answer.status_code == 409
        assert answer.json()["code"] == "CONFLICT"
    assert service.things.made == 1


async def test_keys_belong_to_their_account(service: Served) -> None:
    first = await post(service, service.bearer(), "a")
    second = await post(service, service.bearer(), "a")
    assert first.json() != second.json()


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é"])
async def test_what_is_no_key_is_refused(service: Served, key: str) -> None:
    headers = {**service.bearer(), "idempotency-key": key.encode()}
    answer = await service.client.post(THING, json={"prompt": "x"}, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Idempotency-Key: must be")
    assert service.things.made == 0


async def test_what_failed_may_be_tried_again_with_its_key(service: Served) -> None:
    headers = service.bearer(credits=0)
    assert (await post(service, headers, "a", {"prompt": ""})).status_code == 400
    assert (await post(service, headers, "a")).status_code == 402
    service.things.fail = RuntimeError("a fault")
    assert (await post(service, headers, "a")).status_code == 500
    service.things.fail = None
    service.things.price = 0
    assert (await post(service, headers, "a")).status_code == 202


async def test_fifty_at_once_have_one_effect(service: Served) -> None:
    headers = service.bearer()
    answers = await asyncio.gather(*(post(service, headers, "a") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert service.things.made == 1
    assert left(service.database) == 990


async def test_processes_that_answer_at_once_have_one_effect(settings: Settings, service: Served) -> None:
    headers = service.bearer()
    async with served(settings, service.database, enabled=False) as other:
        other.things.made = 100
        answers = await asyncio.gather(*(post(one, headers, "a") for _ in range(20) for one in (service, other)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.text for answer in answers}) == 1
        assert left(service.database) == 990
        assert service.database.run_here(audit) == []


async def test_an_answer_is_kept_for_a_day(service: Served) -> None:
    headers = service.bearer()
    await post(service, headers, "a")
    await post(service, headers, "old")

    def age(session: Any) -> None:
        session.execute(update(IdempotentAnswer).values(expires=datetime.now(UTC) - timedelta(seconds=1)))

    row = service.database.run_here(lambda session: session.scalars(select(IdempotentAnswer.expires)).first())
    assert row is not None
    assert timedelta(hours=23, minutes=59) < row - datetime.now(UTC) <= timedelta(hours=24)
    service.database.run_here(age)
    assert (await post(service, headers, "a", {"prompt": "y"})).status_code == 202
    count = select(func.count()).select_from(IdempotentAnswer)
    assert service.database.run_here(lambda session: session.scalar(count)) == 1
    assert service.things.made == 3


async def test_a_key_on_what_costs_nothing_is_ignored(service: Served) -> None:
    headers = {**service.bearer(), "idempotency-key": "a b"}
    assert (await service.client.get(THING, headers=headers)).status_code == 200
