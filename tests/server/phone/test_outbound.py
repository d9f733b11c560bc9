"""Calls of ours: answered, followed, told whom they reach, and what becomes of their lines."""

from __future__ import annotations

import asyncio
from xml.etree import ElementTree

import httpx
import pytest

from server.phone.book import CallRefused
from server.phone.desk import BUSY
from server.phone.routes import NO_AGENT, NO_CALL
from tests.server.phone.fakes import FakeSession
from tests.server.phone.serving import FORM, Server, closed, send, serving
from tests.telephony import messages as twilio

ANSWER = "/telephony/outbound/call_1"
STATUS = "/telephony/status/call_1"


def token_of(answer: httpx.Response) -> str:
    parameter = ElementTree.fromstring(answer.text).find("Connect/Stream/Parameter[@name='token']")
    assert parameter is not None, answer.text
    return str(parameter.get("value"))


def said(answer: httpx.Response) -> str | None:
    return ElementTree.fromstring(answer.text).findtext("Say")


async def talking(server: Server) -> FakeSession:
    session = await server.factory.sessions.get()
    await session.running.wait()
    return session


async def test_an_answered_call_is_connected_and_the_session_knows_of_it() -> None:
    async with serving() as server:
        server.book.place("call_1", name="Ana")
        async with server.call(token_of(await server.post(path=ANSWER))) as websocket:
            await talking(server)
            assert server.live.ids() == {"call_1"}
            await send(websocket, twilio.stop())
            assert await server.book.until("call_1") == "the caller hung up"
        brief = server.factory.briefs[0]
        assert brief is not None
        assert brief.record_id == "call_1"
        assert brief.opening == "Hello Ana, this is the pizzeria."
        assert brief.outbound
        assert "+442079460018" in brief.notes
        assert "name: Ana" in brief.notes
        assert server.factory.asked == [("demo", twilio.CALL, "+442079460018", "phone")]
        assert server.live.ids() == set()


async def test_an_inbound_call_is_in_the_books_from_the_webhook_to_its_end() -> None:
    async with serving() as server, server.call() as websocket:
        session = await talking(server)
        brief = server.factory.briefs[0]
        assert brief is not None
        assert (brief.record_id, brief.outbound) == ("call_0", False)
        session.link.hang_up("the agent ended the call")
        session.done.set()
        await closed(websocket)
        assert server.book.closed == [("call_0", "the agent ended the call")]


async def test_a_call_that_the_books_refuse_hears_why() -> None:
    async with serving() as server:
        server.book.refusal = CallRefused("This number is not in service.")
        assert said(await server.post()) == "This number is not in service."


@pytest.mark.parametrize(
    ("path", "sid"),
    [("/telephony/outbound/call_9", twilio.CALL), (ANSWER, "CA" + "9" * 32), ("/telephony/outbound/call_0", "CAx")],
)
async def test_a_foreign_or_made_up_call_is_hung_up_politely(path: str, sid: str) -> None:
    async with serving() as server:
        server.book.place("call_1")
        await server.post(path=ANSWER)  # from now on it has this sid
        assert said(await server.post({**FORM, "CallSid": sid}, path=path)) == NO_CALL


async def test_a_repeated_answer_makes_no_second_session() -> None:
    async with serving() as server:
        server.book.place("call_1")
        first = await server.post(path=ANSWER)
        assert (await server.post(path=ANSWER)).text == first.text
        async with server.call(token_of(first)) as websocket:
            await talking(server)
            assert (await server.post(path=ANSWER)).text == first.text
            async with server.call(token_of(first)) as second:
                assert (await closed(second))[0] == 1008
            await send(websocket, twilio.stop())
            await closed(websocket)
        assert len(server.factory.asked) == 1
        assert len(server.book.closed) == 1


async def test_when_all_sessions_are_taken_an_answered_call_is_told_so() -> None:
    async with serving(max_sessions=1) as server:
        server.book.place("call_1")
        server.factory.taken = 1
        assert said(await server.post(path=ANSWER)) == BUSY
        assert server.book.closed == [("call_1", "all sessions are taken")]


async def test_callbacks_are_entered_with_how_long_the_call_lasted() -> None:
    async with serving() as server:
        server.book.place("call_1")
        ended = {**FORM, "CallStatus": "completed", "CallDuration": "61"}
        assert (await server.post(ended, path=STATUS)).status_code == 204
        assert (await server.post(ended, path="/telephony/status")).status_code == 204
        assert server.book.reports == [
            ("call_1", "completed", twilio.CALL, 61),
            ("", "completed", twilio.CALL, 61),
        ]


async def test_the_first_words_are_prepared_while_it_rings() -> None:
    async with serving() as server:
        order = server.book.place("call_1", name="Ana")
        server.factory.definition = server.factory.definition.model_copy(
            update={
                "phone": server.factory.definition.phone.model_copy(
                    update={"disclosure": "I am a machine.", "message": "Call us, {name}."}
                )
            }
        )
        await server.post({**FORM, "CallStatus": "ringing"}, path=STATUS)
        while not server.factory.prepared:
            await asyncio.sleep(0)
        opening = "I am a machine. Hello Ana, this is the pizzeria."
        assert server.factory.prepared == [(order.agent_id, [opening, "Call us, Ana."])]
        async with server.call(token_of(await server.post(path=ANSWER))):
            await talking(server)
            brief = server.factory.briefs[0]
            assert brief is not None
            assert brief.opening == opening, "to the letter: else it would be spoken anew"


async def test_an_agent_that_people_made_is_loaded_and_one_that_is_gone_is_regretted() -> None:
    class People:
        def __init__(self) -> None:
            self.asked: list[str] = []

        async def load(self, agent_id: str) -> bool:
            self.asked.append(agent_id)
            return False

    people = People()
    async with serving(people=people) as server:
        server.book.place("call_1", "avatar_7")
        assert said(await server.post(path=ANSWER)) == NO_AGENT
        assert set(people.asked) == {"avatar_7"}
        assert server.book.closed == [("call_1", "the agent is not there")]


async def test_who_does_not_want_to_be_called_is_entered_even_if_it_fails_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.phone.desk._OPTING_OUT", (0.0, 0.01))
    async with serving() as server:
        server.book.place("call_1")
        fails = [True]
        enter = server.book.opted_out

        async def opted_out(call_id: str) -> None:
            if fails.pop():
                fails.append(False)
                raise OSError("the database is away")
            await enter(call_id)

        monkeypatch.setattr(server.book, "opted_out", opted_out)
        async with server.call(token_of(await server.post(path=ANSWER))):
            session = await talking(server)
            session.link.notify("opt_out", {})
            while not server.book.opted:
                server.book.changed.clear()
                await server.book.changed.wait()
        assert server.book.opted == ["call_1"]


async def test_a_call_that_is_to_end_says_its_last_words() -> None:
    async with serving() as server:
        server.book.place("call_1")
        async with server.call(token_of(await server.post(path=ANSWER))):
            session = await talking(server)
            assert server.live.finish("call_1", "Your credit is used up.", "credit")
            assert session.finished == [("Your credit is used up.", "credit")]


async def test_a_session_that_breaks_leaves_no_call_open() -> None:
    async with serving() as server:
        server.factory.broken = True
        async with server.call() as websocket:
            assert (await closed(websocket))[0] == 1011
        assert server.book.closed == [("call_0", "failed")]
        assert server.live.ids() == set()


async def test_a_recorded_call_gives_both_sides_and_says_so() -> None:
    class Recording:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def caller(self, samples: object, at: float, *, lost: int = 0) -> None:
            self.heard.append("caller")

        def agent(self, samples: object, at: float) -> None:
            self.heard.append("agent")

        def cleared(self, at: float) -> None:
            self.heard.append("cleared")

        async def close(self) -> str | None:
            self.heard.append("closed")
            return "recordings/call_0.wav"

    class Recorders:
        def __init__(self) -> None:
            self.made: dict[str, Recording] = {}

        def open(self, call_id: str) -> Recording:
            return self.made.setdefault(call_id, Recording())

    recorders = Recorders()
    async with serving(recorders=recorders) as server:
        phone = server.factory.definition.phone.model_copy(update={"recording": True})
        server.factory.definition = server.factory.definition.model_copy(update={"phone": phone})
        async with server.call() as websocket:
            session = await talking(server)
            session.say(160)
            await send(websocket, twilio.media(1))
            await session.heard_all.wait()
            session.link.flush()
            await send(websocket, twilio.stop())
            await server.book.until("call_0")
        heard = recorders.made["call_0"].heard
        assert set(heard) == {"caller", "agent", "cleared", "closed"}
        assert heard[-1] == "closed"
        brief = server.factory.briefs[0]
        assert brief is not None
        assert brief.opening is not None
        assert brief.opening.startswith("This call is recorded. Hello")
