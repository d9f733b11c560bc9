"""Whole calls with the real books and ledger: ordered, answered, transferred, ended, paid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from server.database import Database
from server.settings import Settings
from telephony.twilio.rest import TwilioCalls
from tests.peers.carrier import Call, Carrier, Person
from tests.server.calling.world import CALLEE, CREDITS, OURS, PRICE, TOKEN, Calls, settings_of
from tests.server.phone.fakes import COOK, FakeSession
from tests.server.phone.serving import Server, serving


@dataclass
class Booked:
    """A server with books, and its carrier."""

    server: Server
    carrier: Carrier
    calls: Calls
    rest: TwilioCalls

    async def place(self) -> str:
        """Call somebody; returns the call's id."""
        call_id = await self.calls.order()
        placed = await self.rest.place(
            to=CALLEE,
            caller=OURS,
            answer_url=f"{self.server.url}/telephony/outbound/{call_id}",
            status_url=f"{self.server.url}/telephony/status/{call_id}",
        )
        await self.calls.books.placed(call_id, placed)
        return call_id

    async def session(self) -> FakeSession:
        session = await self.server.factory.sessions.get()
        await session.running.wait()
        return session

    async def ends(self, session: FakeSession, reason: str = "goodbye") -> None:
        session.link.hang_up(reason)
        session.done.set()

    async def hands_over(self, *, warm: bool) -> None:
        session = await self.session()
        data: dict[str, object] = {"target": COOK, "name": "the cook", "warm": warm, "summary": "A table."}
        session.link.notify("transfer", data)
        await self.ends(session, f"transfer to {COOK}")

    def leg(self, number: str) -> Call:
        return next(call for call in self.carrier.calls.values() if call.called == number)


@asynccontextmanager
async def booked(settings: Settings, database: Database) -> AsyncIterator[Booked]:
    async with Carrier(TOKEN, pace=0.02) as carrier:
        rest = TwilioCalls(carrier.account, TOKEN, api=carrier.url)
        calls = Calls(database, settings_of(settings, inbound=PRICE), carrier=rest)
        try:
            async with serving(auth_token=TOKEN, calls=rest, book=calls.books, seconds=30) as server:
                yield Booked(server, carrier, calls, rest)
        finally:
            await rest.close()


async def test_a_call_of_ours_is_spoken_to_by_name_and_costs_its_minute(settings: Settings, database: Database) -> None:
    async with booked(settings, database) as on:
        on.carrier.people[CALLEE] = Person(rings=0.2)
        call_id = await on.place()
        session = await on.session()
        brief = on.server.factory.briefs[0]
        assert brief is not None
        assert brief.opening == "Hello Ada, this is the pizzeria."
        assert brief.record_id == call_id
        assert on.server.factory.prepared[0] == ("demo", [brief.opening]), "while it rang"
        await on.ends(session)
        await on.carrier.quiet()
        row = on.calls.row(call_id)
        assert (row.state, row.cost, row.billed) == ("completed", PRICE, True)
        assert on.calls.balance() == CREDITS - PRICE
        assert on.calls.wrong() == []


@pytest.mark.parametrize("warm", [False, True])
async def test_a_transferred_call_is_one_call_that_ends_once(
    settings: Settings, database: Database, *, warm: bool
) -> None:
    async with booked(settings, database) as on:
        on.carrier.people[CALLEE] = Person(rings=0.0)
        on.carrier.people[COOK] = Person(rings=0.0, talks=0.1)
        call_id = await on.place()
        await on.hands_over(warm=warm)
        if warm:
            briefing = await on.session()
            briefing.link.notify("transcript", {"turn": 1, "text": "Yes.", "final": True})
            await on.ends(briefing)
        await on.carrier.quiet()
        row = on.calls.row(call_id)
        assert (row.state, row.outcome, row.cost) == ("completed", "transferred", PRICE)
        assert len(on.calls.rows()) == 1, "the person's leg is no call of the account"
        assert on.leg(CALLEE).status == "completed"
        assert on.calls.wrong() == []


async def test_an_inbound_call_that_comes_back_from_a_transfer_ends_when_the_agent_ends_it(
    settings: Settings, database: Database
) -> None:
    async with booked(settings, database) as on:
        on.carrier.people[COOK] = Person(outcome="busy", rings=0.0)
        on.carrier.dial(f"{on.server.url}/telephony/voice", Person(), caller=CALLEE, called=OURS)
        await on.hands_over(warm=False)
        again = await on.session()
        (row,) = on.calls.rows()
        assert row.state == "in-progress"
        await on.ends(again)
        await on.carrier.quiet()
        (row,) = on.calls.rows()
        assert (row.state, row.cost) == ("completed", PRICE)
        assert on.calls.balance() == CREDITS - PRICE
        assert on.calls.wrong() == []


async def test_a_call_that_was_hung_up_before_its_answer_arrives_is_over(
    settings: Settings, database: Database
) -> None:
    async with booked(settings, database) as on:
        on.carrier.people[CALLEE] = Person(outcome="busy", rings=0.0)
        call_id = await on.place()
        await on.carrier.quiet()
        form = {"CallSid": on.leg(CALLEE).sid, "CallStatus": "in-progress", "From": OURS, "To": CALLEE}
        url = f"{on.server.url}/telephony/outbound/{call_id}"
        answer = await on.carrier.ask(url, form)
        assert "this call is over" in answer
        assert on.calls.row(call_id).state == "busy"
        assert on.calls.balance() == CREDITS
