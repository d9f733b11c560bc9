"""What goes on beside the calls: minutes, the end of credit, calls that nobody tells of, recordings."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from server.calling.books import OUT_OF_CREDIT as OWNER_IS_TOLD
from server.calling.keeper import OUT_OF_CREDIT, Keeper
from server.credits import grant, withdraw
from server.database import Database
from server.database.tables import PhoneCall
from server.phone.book import CallFacts, CallOrder
from server.settings import Settings
from tests.peers.carrier import Misbehaviour, Person
from tests.server.calling.here import Here
from tests.server.calling.line import Line, line
from tests.server.calling.test_dialler import until
from tests.server.calling.world import CALLEE, CREDITS, Calls, recorded, settings_of, sid


@dataclass
class Shelf:
    """Stored files."""

    keys: set[str] = field(default_factory=set)

    def delete(self, key: str, account_id: str | None = None) -> None:
        self.keys.discard(f"{account_id}:{key}")


@dataclass
class Kept:
    """A carrier, calls, and who keeps them."""

    line: Line
    here: Here
    shelf: Shelf
    keeper: Keeper

    @property
    def calls(self) -> Calls:
        return self.line.calls

    async def tick(self, seconds: float = 0.0) -> None:
        self.calls.clock.advance(seconds)
        await self.keeper.tick()
        await self.keeper.settled()

    async def answered(self, *, here: bool) -> str:
        """A call in progress, its stream here or in another process."""
        self.line.verbs = "<Pause length='100000'/>"
        self.line.carrier.people[CALLEE] = Person(rings=0.0)
        call_id = await self.calls.order()
        await self.calls.dialler.start(call_id)
        await until(lambda: self.calls.row(call_id).state == "in-progress")
        if here:
            self.here.calls.add(call_id)
        return call_id


@pytest.fixture
async def kept(database: Database, settings: Settings) -> AsyncIterator[Kept]:
    wanted = settings_of(settings, inbound=3, recording_days=30.0)
    async with line(wanted, database) as made:
        here, shelf, calls = Here(), Shelf(), made.calls
        keeper = Keeper(wanted.telephony, database, calls.books, calls.dialler, here, files=shelf, now=calls.clock)
        try:
            yield Kept(made, here, shelf, keeper)
        finally:
            await keeper.close()


async def test_each_minute_is_reserved_when_it_begins(kept: Kept) -> None:
    call_id = await kept.answered(here=True)
    await kept.tick(59)
    assert kept.calls.row(call_id).minutes == 1
    await kept.tick(1)
    await kept.tick(1)
    assert kept.calls.row(call_id).minutes == 2
    await kept.tick(125)
    assert (kept.calls.row(call_id).minutes, kept.calls.balance()) == (4, CREDITS - 40)


async def test_a_call_whose_account_cannot_pay_is_told_so_and_then_hung_up(kept: Kept) -> None:
    call_id = await kept.answered(here=True)
    kept.calls.database.run_here(withdraw, kept.calls.account, kept.calls.balance() - 9, "elsewhere")
    await kept.tick(60)
    await kept.tick(1)
    assert kept.here.finished == [(call_id, OUT_OF_CREDIT, "out of credit")]
    assert kept.calls.row(call_id).state == "in-progress"
    await kept.tick(20)
    await kept.line.carrier.quiet()
    row = kept.calls.row(call_id)
    assert (row.state, row.error, kept.calls.wrong()) == ("completed", OWNER_IS_TOLD, [])


async def test_credit_that_comes_during_the_farewell_pays(kept: Kept) -> None:
    call_id = await kept.answered(here=True)
    kept.calls.database.run_here(withdraw, kept.calls.account, kept.calls.balance(), "elsewhere")
    await kept.tick(60)
    kept.calls.database.run_here(grant, kept.calls.account, 100, "paid in")
    await kept.tick(20)
    row = kept.calls.row(call_id)
    assert (row.state, row.minutes, row.error) == ("in-progress", 2, None)


async def test_a_call_without_a_stream_here_is_looked_up_before_its_next_minute(kept: Kept) -> None:
    call_id = await kept.answered(here=False)
    await kept.tick(61)
    assert kept.calls.row(call_id).minutes == 1  # whoever has the stream goes first
    await kept.tick(3)
    assert kept.calls.row(call_id).minutes == 2
    kept.line.deaf = True
    kept.line.carrier.calls[sid_of(kept, call_id)].hang_up("completed")
    await kept.line.carrier.quiet()
    assert kept.calls.row(call_id).state == "in-progress"
    await kept.tick(60)
    row = kept.calls.row(call_id)
    assert (row.state, row.minutes, kept.calls.balance(), kept.calls.wrong()) == (
        "completed",
        1,
        CREDITS - 10,
        [],
    )


async def test_a_call_elsewhere_that_cannot_be_paid_is_hung_up(kept: Kept) -> None:
    call_id = await kept.answered(here=False)
    kept.calls.database.run_here(withdraw, kept.calls.account, kept.calls.balance(), "elsewhere")
    await kept.tick(64)
    await kept.line.carrier.quiet()
    assert (kept.calls.row(call_id).state, kept.here.finished) == ("completed", [])


async def test_a_carrier_that_does_not_answer_is_asked_less_and_less_often(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings_of(settings)
    async with line(wanted, database, Misbehaviour(failed=1.0)) as made:
        calls = made.calls
        call_id = await calls.order()
        await calls.books.report(call_id, "ringing", sid=sid())
        keeper = Keeper(wanted.telephony, database, calls.books, calls.dialler, Here(), now=calls.clock)
        kept = Kept(made, Here(), Shelf(), keeper)
        asked = 0
        look_up = calls.dialler.look_up

        async def counted(found: str) -> None:
            nonlocal asked
            asked += 1
            await look_up(found)

        monkeypatch.setattr(calls.dialler, "look_up", counted)
        await kept.tick(61)
        for _ in range(30):
            await kept.tick(1)
        assert asked == 3  # at once, after 5 s and after 10 s more
        await kept.tick(2 * 3600)
        assert calls.row(call_id).state == "failed"
        await keeper.close()


async def test_a_call_that_rings_for_too_long_is_looked_up(kept: Kept) -> None:
    kept.line.carrier.people[CALLEE] = Person(outcome="busy", rings=0.0)
    kept.line.deaf = True
    call_id = await kept.calls.order()
    await kept.calls.dialler.start(call_id)
    await kept.line.carrier.quiet()
    await kept.tick(50)
    assert kept.calls.row(call_id).state == "queued"
    await kept.tick(15)
    assert (kept.calls.row(call_id).state, kept.calls.balance()) == ("busy", CREDITS)


async def test_an_order_that_a_crash_kept_from_the_carrier_is_placed_soon_after(kept: Kept) -> None:
    kept.line.carrier.people[CALLEE] = Person(outcome="busy", rings=0.0)
    call_id = await kept.calls.order()
    await kept.tick(1)
    assert kept.line.carrier.calls == {}
    await kept.tick(5)
    await until(lambda: kept.calls.row(call_id).state == "busy")
    assert len(kept.line.carrier.calls) == 1


async def test_an_order_that_is_too_old_is_not_placed_any_more(kept: Kept) -> None:
    call_id = await kept.calls.order()
    await kept.tick(121)
    assert (kept.calls.row(call_id).state, kept.calls.balance(), kept.line.carrier.calls) == ("failed", CREDITS, {})


async def test_a_call_that_a_crash_left_between_carrier_and_database_is_adopted(kept: Kept) -> None:
    kept.calls.clock.now = kept.calls.clock.now.replace(year=2020)
    kept.line.carrier.people[CALLEE] = Person(outcome="no-answer", rings=0.0)
    kept.line.deaf = True
    call_id = await kept.calls.order()
    await kept.calls.dialler.start(call_id)
    await kept.line.carrier.quiet()
    kept.calls.database.run_here(forget_sid, call_id)
    await kept.tick(30)
    assert kept.calls.row(call_id).state == "queued"
    await kept.tick(31)
    assert (kept.calls.row(call_id).state, len(kept.line.carrier.calls)) == ("no-answer", 1)


def forget_sid(session: Session, call_id: str) -> None:
    session.execute(update(PhoneCall).where(PhoneCall.call_id == call_id).values(sid=None, state="queued"))


async def test_an_inbound_call_of_a_carrier_that_cannot_be_asked_ends_when_nobody_holds_it(kept: Kept) -> None:
    order = await kept.calls.books.incoming(
        "telnyx-1", carrier="telnyx", caller=CALLEE, called="+14155550123", agent_id=None
    )
    assert isinstance(order, CallOrder)
    kept.here.calls.add(order.call_id)
    await kept.tick(60)
    assert kept.calls.row(order.call_id).minutes == 2
    kept.here.calls.clear()
    await kept.tick(60 + 115)
    assert kept.calls.row(order.call_id).state == "in-progress"
    await kept.tick(10)
    row = kept.calls.row(order.call_id)
    assert (row.state, row.minutes, kept.calls.balance()) == ("completed", 2, CREDITS - 6)
    await kept.calls.books.report("", "completed", sid="telnyx-1", seconds=150)  # it is told after all
    assert (kept.calls.row(order.call_id).minutes, kept.calls.wrong()) == (3, [])


async def test_a_call_that_was_transferred_goes_on_without_a_stream(kept: Kept) -> None:
    order = await kept.calls.books.incoming(
        "plivo-1", carrier="plivo", caller=CALLEE, called="+14155550123", agent_id=None
    )
    assert isinstance(order, CallOrder)
    await kept.calls.books.note(order.call_id, CallFacts(outcome="transferred"))
    for _ in range(5):
        await kept.tick(64)
    assert kept.calls.row(order.call_id).minutes == 6
    await kept.tick(3700)
    assert kept.calls.row(order.call_id).state == "completed"


async def test_recordings_are_deleted_when_their_time_is_over(kept: Kept) -> None:
    old = await kept.calls.order()
    kept.calls.clock.advance(29 * 24 * 3600)
    young = await kept.calls.order("+447400123457")
    for call_id in (old, young):
        key = f"{kept.calls.account}:{call_id}.wav"
        kept.shelf.keys.add(key)
        recorded(kept.calls.database, call_id, f"{call_id}.wav")
        await kept.calls.books.cancel(call_id)
    await kept.tick(2 * 24 * 3600)
    assert kept.shelf.keys == {f"{kept.calls.account}:{young}.wav"}
    assert (kept.calls.row(old).recording, kept.calls.row(young).recording) == (None, f"{young}.wav")


async def test_it_ticks_by_itself_and_ends_when_it_is_told_to(kept: Kept) -> None:
    call_id = await kept.answered(here=True)
    kept.calls.clock.now += timedelta(minutes=1)
    kept.keeper.start()
    await until(lambda: kept.calls.row(call_id).minutes == 2)
    await kept.keeper.close()
    await kept.keeper.close()
    assert {task for task in asyncio.all_tasks() if "Keeper" in repr(task)} == set()


def sid_of(kept: Kept, call_id: str) -> str:
    found = kept.calls.row(call_id).sid
    assert found is not None
    return found


async def test_orders_that_are_broken_off_anywhere_are_placed_once_or_never(
    database: Database, settings: Settings
) -> None:
    wanted = settings_of(settings, per_account=1000)
    chance = random.Random(5)
    async with line(wanted, database, Misbehaviour(failed=0.2, seed=5)) as made:
        calls, here = made.calls, Here()
        calls.clock.now = calls.clock.now.replace(year=2020)  # the carrier's clock is the real one
        made.deaf = True
        keeper = Keeper(wanted.telephony, database, calls.books, calls.dialler, here, now=calls.clock)
        kept = Kept(made, here, Shelf(), keeper)
        ordered: dict[str, str] = {}
        for number in range(30):
            callee = f"+4474001235{number:02d}"
            made.carrier.people[callee] = Person(outcome=chance.choice(("answered", "busy")), rings=0.0)
            call_id = await calls.order(callee)
            ordered[callee] = call_id
            task = asyncio.create_task(calls.dialler.start(call_id))
            await asyncio.wait([task], timeout=chance.uniform(0.0, 0.04))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for _ in range(40):
            await kept.tick(15)
            await made.carrier.quiet()
            while calls.dialler.starting:
                await asyncio.sleep(0.01)
            if all(row.billed for row in calls.rows()):
                break
        await keeper.close()
        placed = Counter(call.called for call in made.carrier.calls.values())
        assert set(placed.values()) <= {1}
        for callee, call_id in ordered.items():
            row = calls.row(call_id)
            there = [call.status for call in made.carrier.calls.values() if call.called == callee]
            assert [row.state] == (there or ["failed"])
            assert row.cost == (10 if there == ["completed"] else 0)
        spent = sum(row.cost for row in calls.rows())
        assert (calls.balance(), calls.wrong()) == (CREDITS - spent, [])
