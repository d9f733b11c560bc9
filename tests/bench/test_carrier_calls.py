"""A small run of the bench of calls: whatever the carrier does wrong, everything ends right. The long one is 500."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.database.tables import PhoneCall
from tests.bench.carrier_calls import compare, left_behind, plan, resources, run, table
from tests.peers.carrier import Call, Carrier, Person


@pytest.mark.slow
async def test_sixty_calls_on_the_carriers_worst_day_end_right(tmp_path: Path) -> None:
    found = await run(tmp_path, 60, at_once=12, seed=3, hurry=True)
    assert found.wrong == [], table(found)
    assert found.outcomes.total() == 60
    assert set(found.outcomes) >= {"completed", "busy", "no-answer", "failed"}
    assert found.recordings > 0


def row(**changed: object) -> PhoneCall:
    known = {"sid": "CA1", "state": "completed", "minutes": 2, "cost": 20, "billed": True}
    return PhoneCall(**{**known, **changed})


async def carried(status: str = "completed", seconds: float = 61.0) -> Call:
    async with Carrier() as carrier:
        call = Call(carrier, "CA1", "+1", "+2", "outbound", Person(), status=status)
        call.answered_at, call.ended_at = 1.0, 1.0 + seconds
        return call


async def test_books_that_differ_from_the_carriers_are_found() -> None:
    call = await carried()
    assert compare(row(), call) == []
    for changed in ({"state": "busy"}, {"sid": "CA2"}, {"minutes": 1, "cost": 10}, {"cost": 10}, {"billed": False}):
        assert compare(row(**changed), call), changed
    assert compare(row(), None)
    assert compare(row(sid=None, state="failed", minutes=0, cost=0), None) == []


async def test_what_is_left_behind_is_found(tmp_path: Path) -> None:
    before = resources()
    task = asyncio.create_task(asyncio.sleep(60))
    with (tmp_path / "forgotten").open("wb"):
        wrong = await left_behind(before, tmp_path, patience_s=0.0)
    task.cancel()
    assert [text.partition(":")[0] for text in wrong] == [
        "1 tasks were left",
        "1 descriptors were left",
        "file forgotten was left",
    ]


def test_a_plan_has_calls_of_every_kind_and_calls_no_number_twice() -> None:
    planned = plan(500, 1)
    assert len({call.number for call in planned}) == 500
    assert len({call.kind for call in planned}) == 9
    assert sum(call.talk > 60 for call in planned) == 5
