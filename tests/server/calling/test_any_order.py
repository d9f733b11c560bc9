"""Whatever a carrier says, late, twice and out of order, a call ends in one right state and costs what it should."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from server.calling.books import Advance, advance
from server.credits import balance, grant, withdraw
from server.database import Database
from server.database.tables import PhoneCall
from server.settings import Settings
from tests.server.calling.world import PRICE, Calls, migrated, settings_of, sid

UNANSWERED = ("busy", "no-answer", "failed", "canceled")


@dataclass(frozen=True)
class Life:
    """What really became of a call, and what is done about it in which order."""

    end: str
    seconds: int
    steps: tuple[str, ...]
    minutes_affordable: int

    @property
    def due(self) -> int:
        return max(1, -(-self.seconds // 60)) if self.end == "completed" else 0


@st.composite
def lives(draw: st.DrawFn) -> Life:
    end = draw(st.sampled_from(("completed", "completed", *UNANSWERED)))
    told = ["initiated", "ringing", end]
    if end == "completed":
        told.append("in-progress")
    steps = told + draw(st.lists(st.sampled_from([*told, "minute", "minute", "nonsense", "foreign"]), max_size=12))
    if end == "completed" and draw(st.booleans()):
        # Somebody gave the call up for lost before its true end was told.
        steps += draw(st.lists(st.sampled_from(("failed", "answered", "line")), max_size=2))
    return Life(
        end,
        draw(st.integers(0, 400)) if end == "completed" else 0,
        tuple(draw(st.permutations(steps))),
        draw(st.integers(1, 9)),
    )


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    with tempfile.TemporaryDirectory() as folder, migrated(f"sqlite:///{folder}/visavis.db", threads=2) as database:
        yield Calls(database, settings_of(Settings(data_dir=Path(folder)), per_destination_day=10_000))


async def live(calls: Calls, life: Life, number: int) -> tuple[str, list[str]]:
    told: list[str] = []
    calls.books.on_ended[:] = [lambda _, call: told.append(call.state)]
    call_id = await calls.order()
    for step in life.steps:
        calls.clock.advance(1)
        match step:
            case "minute":
                calls.clock.advance(60)
                await calls.database.run(advance, call_id, calls.clock())
            case "answered":
                await calls.books.answered(call_id, sid(number))
            case "line":
                await calls.books.line_closed(call_id, "gone")
            case "foreign":
                if calls.row(call_id).sid is not None:
                    await calls.books.report(call_id, "completed", sid=sid(10**9), seconds=9999)
            case _:
                seconds = life.seconds if step == "completed" else None
                await calls.books.report(call_id, step, sid=sid(number), seconds=seconds)
    return call_id, told


@given(life=lives(), data=st.data())
@settings(max_examples=150)
def test_any_order_and_any_repetition_of_callbacks_ends_in_one_right_state(
    calls: Calls, life: Life, data: st.DataObject
) -> None:
    calls.database.run_here(refill, calls.account, life.minutes_affordable * PRICE)
    number = len(calls.rows()) + 1
    call_id, told = asyncio.run(live(calls, life, number))
    row = calls.row(call_id)
    assert row.state == life.end
    assert told[-1:] == [life.end]
    assert len(told) == len(set(told))
    paid = min(life.due, life.minutes_affordable)
    assert (row.minutes, row.cost, row.billed, row.next_minute) == (paid, paid * PRICE, True, None)
    assert calls.balance() == (life.minutes_affordable - paid) * PRICE
    assert "held" not in calls.reservations(call_id).values()
    assert calls.wrong() == []


def refill(session: Session, account: str, amount: int) -> None:
    left = balance(session, account)
    if left:
        withdraw(session, account, left, "between examples")
    grant(session, account, amount, "for an example")


def test_minutes_are_reserved_once_however_many_keepers_there_are(database: Database, settings: Settings) -> None:
    calls = Calls(database, settings_of(settings))

    async def keep() -> str:
        call_id = await calls.order()
        await calls.books.answered(call_id, sid())
        for _ in range(3):
            calls.clock.advance(60)
            await asyncio.gather(*(database.run(advance, call_id, calls.clock()) for _ in range(10)))
        return call_id

    call_id = asyncio.run(keep())
    assert calls.reservations(call_id) == {"1": "held", "2": "held", "3": "held", "4": "held"}
    assert (calls.row(call_id).minutes, calls.row(call_id).cost) == (4, 40)
    asyncio.run(calls.books.report(call_id, "completed", sid=sid(), seconds=130))
    assert calls.reservations(call_id) == {"1": "settled", "2": "settled", "3": "settled", "4": "refunded"}
    assert calls.wrong() == []


async def test_duplicate_ends_at_the_same_moment_are_paid_once(database: Database, settings: Settings) -> None:
    calls = Calls(database, settings_of(settings))
    told: list[str] = []
    calls.books.on_ended.append(lambda _, call: told.append(call.state))
    call_id = await calls.order()
    await asyncio.gather(*(calls.books.report(call_id, "completed", sid=sid(), seconds=90) for _ in range(20)))
    assert (calls.row(call_id).cost, calls.balance(), told, calls.wrong()) == (20, 9980, ["completed"], [])


async def test_a_minute_that_cannot_be_paid_ends_the_call_and_one_that_can_again_does_not(
    database: Database, settings: Settings
) -> None:
    calls = Calls(database, settings_of(settings))
    call_id = await calls.order()
    await calls.books.answered(call_id, sid())
    await database.run(withdraw, calls.account, calls.balance(), "elsewhere")
    calls.clock.advance(60)
    outcomes = await asyncio.gather(*(database.run(advance, call_id, calls.clock()) for _ in range(4)))
    assert sorted(outcome.value for outcome in outcomes) == ["paid", "paid", "paid", "unpaid"]
    calls.clock.advance(21)
    assert await database.run(advance, call_id, calls.clock()) is Advance.UNPAID_STILL
    await database.run(grant, calls.account, 100, "paid in")
    calls.clock.advance(21)
    assert await database.run(advance, call_id, calls.clock()) is Advance.PAID
    row: PhoneCall = calls.row(call_id)
    assert (row.error, row.minutes, row.next_minute) == (None, 2, calls.clock() + timedelta(seconds=59))
