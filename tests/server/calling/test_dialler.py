"""Calls placed through the stand-in carrier: at most once, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from server.calling.dialler import AT_ONCE, NEVER_PLACED, _claim
from server.database import Database
from server.database.tables import PhoneCall
from server.settings import Settings
from telephony.twilio.rest import CarrierCall, CarrierUnavailable, CarrierUnsure
from tests.peers.carrier import Misbehaviour, Person
from tests.server.calling.line import Line, line
from tests.server.calling.world import CALLEE, CREDITS, OURS, settings_of, sid


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


def only(made: Line) -> str:
    (found,) = made.carrier.calls
    return found


async def test_a_call_is_placed_from_our_number_and_followed_to_its_end(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database) as made:
        made.carrier.people[CALLEE] = Person(rings=0.05)
        call_id = await made.calls.order()
        assert made.calls.row(call_id).asked is None
        await made.calls.dialler.start(call_id)
        await made.carrier.quiet()
        row = made.calls.row(call_id)
        assert (row.state, row.sid, row.cost) == ("completed", only(made), 10)
        placed = made.carrier.calls[only(made)]
        assert (placed.caller, placed.called, made.answered) == (OURS, CALLEE, [call_id])
        assert (made.calls.balance(), made.calls.wrong()) == (CREDITS - 10, [])


async def test_a_call_is_started_once_however_often_it_is_begun(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database) as made:
        made.carrier.people[CALLEE] = Person(rings=0.0)
        call_id = await made.calls.order()
        made.calls.dialler.begin(call_id)
        made.calls.dialler.begin(call_id)
        await asyncio.gather(*(made.calls.dialler.start(call_id) for _ in range(5)))
        await until(lambda: not made.calls.dialler.starting)
        await made.carrier.quiet()
        assert len(made.carrier.calls) == 1


async def test_what_the_carrier_refuses_has_failed_and_costs_nothing(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database, Misbehaviour(refused=1.0)) as made:
        call_id = await made.calls.order()
        await made.calls.dialler.start(call_id)
        row = made.calls.row(call_id)
        assert (row.state, row.error) == ("failed", "Twilio takes no more requests at the moment")
        assert (made.calls.balance(), made.calls.wrong(), made.carrier.calls) == (CREDITS, [], {})


async def test_where_it_is_not_known_whether_a_call_was_placed_it_stays_queued(
    database: Database, settings: Settings
) -> None:
    async with line(settings_of(settings), database, Misbehaviour(failed=1.0)) as made:
        made.deaf = True
        call_id = await made.calls.order()
        await made.calls.dialler.start(call_id)
        assert made.calls.row(call_id).state == "queued"
        with pytest.raises(CarrierUnsure):
            await made.calls.dialler.find_placed(call_id)
        assert made.calls.row(call_id).state == "queued"


async def test_a_call_whose_id_was_never_told_is_found_at_the_carrier(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database) as made:
        made.deaf = True
        made.carrier.people[CALLEE] = Person(rings=0.0)
        made.calls.clock.now = made.calls.clock.now.replace(year=2020)
        call_id = await made.calls.order()
        twilio = made.calls.carrier
        assert twilio is not None
        await _claim_only(made, call_id)
        # The request went out, and the process was killed before its answer was written down.
        placed = await twilio.place(
            to=CALLEE, caller=OURS, answer_url=f"{made.carrier.url}/none", status_url=f"{made.carrier.url}/none"
        )
        await made.carrier.quiet()
        await made.calls.dialler.start(call_id)
        await made.calls.dialler.find_placed(call_id)
        row = made.calls.row(call_id)
        assert (row.sid, row.state, row.cost) == (placed.sid, "completed", 10)
        assert len(made.carrier.calls) == 1
        second = await made.calls.order()
        await _claim_only(made, second)
        await made.calls.dialler.find_placed(second)  # the one at the carrier is the first one's
        assert (made.calls.row(second).state, made.calls.row(second).error) == ("failed", NEVER_PLACED)
        assert (made.calls.balance(), made.calls.wrong()) == (CREDITS - 10, [])


async def _claim_only(made: Line, call_id: str) -> None:
    """What was done before the kill."""
    assert await made.calls.database.run(_claim, call_id, made.calls.clock()) is not None


async def test_a_call_that_rings_is_cancelled(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database) as made:
        made.carrier.people[CALLEE] = Person(rings=30.0)
        call_id = await made.calls.order()
        await made.calls.dialler.start(call_id)
        await until(lambda: made.calls.row(call_id).state == "ringing")
        await made.calls.dialler.hang_up(call_id)
        await made.carrier.quiet()
        assert made.calls.row(call_id).state == "canceled"
        await made.calls.dialler.hang_up(call_id)
        assert (made.calls.balance(), made.calls.wrong()) == (CREDITS, [])


async def test_a_call_in_progress_is_hung_up(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database) as made:
        made.verbs = "<Pause length='100000'/>"
        made.carrier.people[CALLEE] = Person(rings=0.0)
        call_id = await made.calls.order()
        await made.calls.dialler.start(call_id)
        await until(lambda: made.calls.row(call_id).state == "in-progress")
        await made.calls.dialler.hang_up(call_id)
        await made.carrier.quiet()
        row = made.calls.row(call_id)
        assert (row.state, row.cost, made.calls.wrong()) == ("completed", 10, [])


async def test_a_call_that_was_answered_while_it_was_being_cancelled_is_hung_up(
    database: Database, settings: Settings
) -> None:
    async with line(settings_of(settings), database) as made:
        made.verbs, made.deaf = "<Pause length='100000'/>", True
        made.carrier.people[CALLEE] = Person(rings=0.0)
        call_id = await made.calls.order()
        await made.calls.dialler.start(call_id)
        await until(lambda: bool(made.answered))
        await made.calls.database.run(_back_to_ringing, call_id)
        await made.calls.dialler.hang_up(call_id)
        await made.carrier.quiet()
        assert made.calls.row(call_id).state == "completed"


def _back_to_ringing(session: Session, call_id: str) -> None:
    """As it looks to whoever has not heard of the answer."""
    session.execute(
        update(PhoneCall).where(PhoneCall.call_id == call_id).values(state="ringing", answered=None, next_minute=None)
    )


async def test_a_call_that_is_cancelled_before_it_is_placed_never_is(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database) as made:
        call_id = await made.calls.order()
        await made.calls.dialler.hang_up(call_id)
        await made.calls.dialler.start(call_id)
        assert (made.calls.row(call_id).state, made.carrier.calls) == ("canceled", {})


async def test_a_call_that_is_cancelled_while_it_is_being_placed_is_hung_up_at_the_carrier(
    database: Database, settings: Settings
) -> None:
    async with line(settings_of(settings), database) as made:
        made.deaf = True
        made.carrier.people[CALLEE] = Person(rings=30.0)
        call_id = await made.calls.order()
        await _claim_only(made, call_id)
        assert await made.calls.books.cancel(call_id)
        twilio = made.calls.carrier
        assert twilio is not None
        placed = await twilio.place(
            to=CALLEE, caller=OURS, answer_url=f"{made.carrier.url}/none", status_url=f"{made.carrier.url}/none"
        )
        state = await made.calls.books.placed(call_id, placed)
        assert state is not None
        assert state.value == "canceled"
        await made.calls.dialler._end(call_id, placed.sid, ringing=True)
        await made.carrier.quiet()
        assert made.carrier.calls[placed.sid].status == "canceled"


async def test_a_call_that_the_carrier_does_not_know_is_lost(database: Database, settings: Settings) -> None:
    async with line(settings_of(settings), database) as made:
        call_id = await made.calls.order()
        await made.calls.books.report(call_id, "ringing", sid=sid(5))
        await made.calls.dialler.look_up(call_id)
        assert (made.calls.row(call_id).state, made.calls.balance()) == ("failed", CREDITS)


async def test_a_day_of_misbehaviour_leaves_every_call_in_its_right_state(
    database: Database, settings: Settings
) -> None:
    bad = Misbehaviour(late=0.5, lateness=0.3, twice=0.5, refused=0.1, seed=3)
    wanted = settings_of(settings, per_account=1000)
    outcomes = ("answered", "busy", "no-answer", "failed")
    async with line(wanted, database, bad) as made:
        ordered = {}
        for number in range(40):
            callee = f"+4474001235{number:02d}"
            made.carrier.people[callee] = Person(outcome=outcomes[number % 4], rings=0.01)
            ordered[await made.calls.order(callee)] = callee
        for call_id in ordered:
            made.calls.dialler.begin(call_id)
        await until(lambda: not made.calls.dialler.starting)
        await made.carrier.quiet()
        rows = {row.call_id: row for row in made.calls.rows()}
        for call in made.carrier.calls.values():
            row = rows.pop(next(call_id for call_id, callee in ordered.items() if callee == call.called))
            assert row.state == call.status
            assert row.cost == (10 if row.state == "completed" else 0)
        assert {row.state for row in rows.values()} <= {"failed"}  # the carrier took no more requests
        answered = sum(call.status == "completed" for call in made.carrier.calls.values())
        assert (made.calls.balance(), made.calls.wrong()) == (CREDITS - 10 * answered, [])


async def test_a_hundred_calls_are_asked_for_a_few_at_a_time(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(settings_of(settings, per_account=1000), database) as made:
        ordered = [await made.calls.order(f"+44740012{number:04d}") for number in range(100)]
        asked, most = 0, 0
        twilio = made.calls.carrier
        assert twilio is not None

        async def slow(**_: object) -> CarrierCall:
            nonlocal asked, most
            asked += 1
            most = max(most, asked)
            await asyncio.sleep(0.01)
            asked -= 1
            raise CarrierUnavailable("too busy")

        monkeypatch.setattr(twilio, "place", slow)
        for call_id in ordered:
            made.calls.dialler.begin(call_id)
        await until(lambda: not made.calls.dialler.starting)
        assert 1 < most <= AT_ONCE
        assert {row.state for row in made.calls.rows()} == {"failed"}
        assert (made.calls.balance(), made.calls.wrong()) == (CREDITS, [])
