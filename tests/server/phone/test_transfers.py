"""Transfers, on real sockets with the stand-in carrier: blind and warm, taken and not, and what comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest

from server.phone.book import CallFacts
from telephony.twilio.rest import CarrierCall, CarrierUnsure, TwilioCalls
from tests.peers.carrier import Call, Carrier, Misbehaviour, Person
from tests.peers.phone_caller import PhoneCaller
from tests.server.phone.fakes import COOK, FakeSession
from tests.server.phone.serving import FORM, Server, serving
from tests.telephony import messages as twilio

OURS = "c" * 32
DESK = "sip:desk@voice.example"


@dataclass
class Stage:
    """A server, its carrier, and a caller who stays on the line."""

    server: Server
    carrier: Carrier

    def calls_in(self, person: Person | None = None) -> Call:
        return self.carrier.dial(f"{self.server.url}/telephony/voice", person or Person())

    async def session(self) -> FakeSession:
        session = await self.server.factory.sessions.get()
        await session.running.wait()
        return session

    async def hands_over(self, target: str = COOK, *, warm: bool = False, summary: str = "Ana wants a table.") -> None:
        """The agent talks with the caller, then transfers them."""
        session = await self.session()
        session.link.notify("transcript", {"turn": 1, "text": "I want a table", "final": True})
        session.link.notify("answer", {"turn": 1, "text": "I ask the cook", "interrupted": False})
        data: dict[str, object] = {"target": target, "name": "the cook", "warm": warm, "summary": summary}
        session.link.notify("transfer", data)
        session.link.hang_up(f"transfer to {target}")
        session.done.set()

    def leg(self, target: str) -> Call:
        """The carrier's call to the person."""
        return next(call for call in self.carrier.calls.values() if call.called == target)


@asynccontextmanager
async def stage(misbehaviour: Misbehaviour | None = None, *, pace: float = 0.01) -> AsyncIterator[Stage]:
    async with Carrier(OURS, misbehaviour=misbehaviour, pace=pace) as carrier:
        calls = TwilioCalls(carrier.account, OURS, api=carrier.url)
        try:
            async with serving(auth_token=OURS, calls=calls, seconds=20) as server:
                yield Stage(server, carrier)
        finally:
            await calls.close()


async def test_a_blind_transfer_connects_the_caller_and_the_call_ends_with_it() -> None:
    async with stage() as on:
        on.carrier.people[COOK] = Person(rings=0.0, talks=0.05)
        call = on.calls_in()
        await on.hands_over()
        await on.carrier.quiet()
        assert [name for name, _ in call.log] == ["Stream", "Dial", "Hangup"]
        assert call.log[1] == ("Dial", COOK)
        assert call.dialled_with["callerId"] == call.called
        assert (call.status, call.error) == ("completed", "")
        assert on.server.book.closed == [("call_0", "transferred")]
        assert set(on.server.book.facts) == {("call_0", CallFacts(outcome="transferred"))}


@pytest.mark.parametrize(
    ("outcome", "why"), [("busy", "the line was busy"), ("no-answer", "nobody answered"), ("failed", "it did not work")]
)
async def test_who_is_not_reached_sends_the_caller_back_to_the_agent(outcome: str, why: str) -> None:
    async with stage() as on:
        on.carrier.people[COOK] = Person(outcome=outcome, rings=0.0)
        call = on.calls_in()
        await on.hands_over()
        again = await on.session()
        assert on.server.live.ids() == {"call_0"}
        again.link.hang_up("goodbye")
        again.done.set()
        await on.carrier.quiet()
        assert [name for name, _ in call.log] == ["Stream", "Dial", "Stream", "Hangup"]
        brief = on.server.factory.briefs[1]
        assert brief is not None
        assert brief.record_id == "call_0"
        assert brief.opening == "I am sorry, I could not reach the cook. Is there something else that I can do for you?"
        assert why in brief.notes
        assert "Caller: I want a table\nYou: I ask the cook" in brief.notes
        assert on.server.book.closed == [("call_0", "goodbye")], "once, at the very end"
        outcomes = [facts.outcome for _, facts in on.server.book.facts]
        assert outcomes == ["transferred", "not transferred"], "while nobody has its stream, that tells that it goes on"


async def test_a_sip_address_is_dialled_and_a_call_may_go_on_twice() -> None:
    async with stage() as on:
        on.carrier.people[DESK] = Person(outcome="busy", rings=0.0)
        on.carrier.people[COOK] = Person(rings=0.0, talks=0.0)
        call = on.calls_in()
        await on.hands_over(DESK)
        await on.hands_over(COOK)
        await on.carrier.quiet()
        assert [said for name, said in call.log if name == "Dial"] == [DESK, COOK]
        assert on.server.book.closed == [("call_0", "transferred")]


async def test_nobody_is_dialled_who_is_not_among_the_agents_targets() -> None:
    async with stage() as on:
        call = on.calls_in()
        await on.hands_over("+14155550100")
        await on.carrier.quiet()
        assert [name for name, _ in call.log] == ["Stream", "Hangup"]
        assert on.server.book.closed == [("call_0", "transfer to +14155550100")]


async def test_a_caller_who_hangs_up_during_the_last_words_is_not_transferred() -> None:
    async with stage() as on:
        leaves = asyncio.Event()

        async def act(line: PhoneCaller) -> None:
            await leaves.wait()

        call = on.calls_in(Person(act))
        session = await on.session()
        session.link.notify("transfer", {"target": COOK, "name": "", "warm": True, "summary": ""})
        leaves.set()
        await on.carrier.quiet()
        assert call.status == "completed"
        assert on.server.book.closed == [("call_0", "the caller hung up")]
        assert len(on.carrier.calls) == 1


async def test_an_outbound_call_is_transferred_too() -> None:
    async with stage() as on:
        on.server.book.place("call_1")
        callee = "+442079460018"
        on.carrier.people[callee] = Person(rings=0.0)
        on.carrier.people[COOK] = Person(rings=0.0, talks=0.0)
        calls = on.server.parts.calls
        assert calls is not None
        url = on.server.url
        await calls.place(
            to=callee,
            caller="+14155550123",
            answer_url=f"{url}/telephony/outbound/call_1",
            status_url=f"{url}/telephony/status/call_1",
        )
        await on.hands_over()
        await on.carrier.quiet()
        call = on.leg(callee)
        assert [name for name, _ in call.log] == ["Stream", "Dial", "Hangup"]
        assert call.dialled_with["callerId"] == "+14155550123"
        assert [status for _, status, _, _ in on.server.book.reports] == [
            "initiated", "ringing", "in-progress", "completed",
        ]  # fmt: skip


# Warm


def presses(key: str) -> Person:
    async def act(line: PhoneCaller) -> None:
        await line.press(key)
        await line.over.wait()

    return Person(act, rings=0.0, talks=0.1)


async def says(on: Stage, text: str) -> FakeSession:
    """The person whom the agent tells of the call says something."""
    briefing = await on.session()
    briefing.link.notify("transcript", {"turn": 1, "text": text, "final": True})
    return briefing


async def ends(session: FakeSession) -> str:
    """The session says its last words; returns them."""
    while not session.finished:
        await asyncio.sleep(0.01)
    words, reason = session.finished[0]
    session.link.hang_up(reason)
    session.done.set()
    return words


@pytest.mark.parametrize("how", ["key", "word"])
async def test_a_person_who_takes_the_call_meets_the_caller(how: str) -> None:
    async with stage() as on:
        on.carrier.people[COOK] = presses("1") if how == "key" else Person(rings=0.0, talks=0.1)
        call = on.calls_in()
        await on.hands_over(warm=True)
        briefing = await says(on, "Yes, put her through." if how == "word" else "Hello?")
        assert "connecting you" in await ends(briefing)
        await on.carrier.quiet()
        leg = on.leg(COOK)
        assert [name for name, _ in leg.log] == ["Stream", "Dial"]
        assert set(on.carrier.rooms["call-call_0"].visitors) == {call.sid, leg.sid}
        done = [name for name, _ in call.log if name not in ("Play", "Redirect", "Hangup")]
        assert done == ["Stream", "Dial"]
        assert ("Play", f"{on.server.url}/telephony/hold.wav") in call.log
        assert (call.status, leg.status, call.error, leg.error) == ("completed", "completed", "", "")
        assert on.server.book.closed == [("call_0", "transferred")]
        brief = on.server.factory.briefs[1]
        assert brief is not None
        assert brief.record_id is None, "what the person says is not the caller's"
        assert "Ana wants a table." in str(brief.opening)
        assert "Caller: I want a table" in brief.notes
        assert on.server.factory.asked[1][2] == COOK


@pytest.mark.parametrize("how", ["key", "word", "hangs up"])
async def test_a_person_who_declines_sends_the_caller_back_to_the_agent(how: str) -> None:
    async def act(line: PhoneCaller) -> None:
        return

    person = {"key": presses("2"), "word": Person(rings=0.0), "hangs up": Person(act, rings=0.0)}[how]
    async with stage() as on:
        on.carrier.people[COOK] = person
        on.calls_in()
        await on.hands_over(warm=True)
        briefing = await says(on, "No, not now." if how == "word" else "Hello?")
        if how != "hangs up":
            assert "tell them" in await ends(briefing)
        again = await on.session()
        brief = on.server.factory.briefs[2]
        assert brief is not None
        assert "could not reach the cook" in str(brief.opening)
        assert "cannot take the call" in brief.notes
        again.link.hang_up("goodbye")
        again.done.set()
        await on.carrier.quiet()
        assert on.server.book.closed == [("call_0", "goodbye")]
        assert not on.carrier.rooms


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
async def test_a_person_who_does_not_answer_sends_the_caller_back_to_the_agent(outcome: str) -> None:
    async with stage() as on:
        on.carrier.people[COOK] = Person(outcome=outcome, rings=0.0)
        on.calls_in()
        await on.hands_over(warm=True)
        again = await on.session()
        again.link.hang_up("goodbye")
        again.done.set()
        await on.carrier.quiet()
        assert on.server.book.closed == [("call_0", "goodbye")]


async def test_a_carrier_that_refuses_to_call_the_person_sends_the_caller_back() -> None:
    async with stage(Misbehaviour(refused=1.0)) as on:
        on.calls_in()
        await on.hands_over(warm=True)
        again = await on.session()
        again.link.hang_up("goodbye")
        again.done.set()
        await on.carrier.quiet()
        assert len(on.carrier.calls) == 1


async def test_a_carrier_that_fails_without_having_called_the_person_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.phone.warm.LOOKED_FOR", (0.05,))

    async def unsure(**_: object) -> CarrierCall:
        raise CarrierUnsure("no answer")

    async with stage() as on:
        calls = on.server.parts.calls
        assert calls is not None
        monkeypatch.setattr(calls, "place", unsure)
        on.calls_in()
        await on.hands_over(warm=True)
        again = await on.session()
        again.link.hang_up("goodbye")
        again.done.set()
        await on.carrier.quiet()
        assert on.server.book.closed == [("call_0", "goodbye")]


async def test_callbacks_that_come_late_and_twice_change_nothing() -> None:
    async with stage(Misbehaviour(late=0.8, lateness=0.3, twice=0.8, seed=2)) as on:
        on.carrier.people[COOK] = Person(rings=0.0, talks=0.1)
        on.calls_in()
        await on.hands_over(warm=True)
        await ends(await says(on, "Yes."))
        await on.carrier.quiet()
        assert on.server.book.closed == [("call_0", "transferred")]


async def test_a_caller_who_hangs_up_on_hold_has_the_person_no_longer_called() -> None:
    async with stage() as on:
        on.server.book.place("call_1")
        callee = "+442079460018"
        on.carrier.people[callee] = Person(rings=0.0)
        on.carrier.people[COOK] = Person(rings=30.0)
        calls = on.server.parts.calls
        assert calls is not None
        url = on.server.url
        placed = await calls.place(
            to=callee,
            caller="+14155550123",
            answer_url=f"{url}/telephony/outbound/call_1",
            status_url=f"{url}/telephony/status/call_1",
        )
        await on.hands_over(warm=True)
        while not any(call.called == COOK and call.status == "ringing" for call in on.carrier.calls.values()):
            await asyncio.sleep(0.01)
        await calls.hang_up(placed.sid)
        await on.carrier.quiet()
        assert on.leg(COOK).status == "canceled"


async def test_a_person_is_told_where_the_caller_has_hung_up_meanwhile() -> None:
    now = 1000.0
    async with serving(lambda: now) as server:
        await server.token()  # call_0 is on
        order = server.book.orders["call_0"]
        async with server.call():
            session = await server.factory.sessions.get()
            await session.running.wait()
            session.link.notify("transfer", {"target": COOK, "name": "", "warm": False, "summary": ""})
            session.link.hang_up("transfer")
            session.done.set()
            await asyncio.sleep(0.05)
        assert order.direction == "inbound"
        answer = await server.post({**FORM, "CallSid": "CAcook"}, path="/telephony/briefing/call_9")
        assert "hung up" in answer.text


# What comes from somebody else, or again


async def test_a_line_that_is_not_the_callers_learns_nothing() -> None:
    async with serving() as server, server.call():
        session = await server.factory.sessions.get()
        await session.running.wait()
        session.link.notify("transfer", {"target": COOK, "name": "", "warm": False, "summary": ""})
        session.link.hang_up("transfer")
        session.done.set()
        await asyncio.sleep(0.05)
        theirs = {**FORM, "CallSid": "CA" + "9" * 32}
        for path in ("next", "hold", "transferred", "briefed", "briefing"):
            answer = await server.post({**theirs, "Direction": "outbound-api"}, path=f"/telephony/{path}/call_0")
            assert COOK not in answer.text, path
            assert "Stream" not in answer.text, path
            assert "Hangup" in answer.text, path
        first = await server.post(path="/telephony/next/call_0")
        assert COOK in first.text
        assert (await server.post(path="/telephony/next/call_0")).text == first.text, "asked twice"


async def test_a_call_that_a_new_process_does_not_know_goes_back_to_its_agent() -> None:
    async with serving() as server:
        server.book.place("call_1")
        await server.book.answered("call_1", twilio.CALL)
        form = {**FORM, "Direction": "outbound-api", "DialCallStatus": "busy"}
        answer = await server.post(form, path="/telephony/transferred/call_1")
        assert ElementTree.fromstring(answer.text).find("Connect/Stream") is not None
        assert (await server.post(form, path="/telephony/transferred/call_1")).text == answer.text
        await server.book.incoming("CAin", carrier="twilio", caller="", called="", agent_id=None)
        form = {**FORM, "CallSid": "CAin", "Direction": "inbound", "DialCallStatus": "busy"}
        found = next(call_id for call_id, sid in server.book.sids.items() if sid == "CAin")
        answer = await server.post(form, path=f"/telephony/transferred/{found}")
        assert "Stream" in answer.text
        assert "Hangup" in (await server.post(form, path="/telephony/transferred/call_77")).text
