"""Who owns what in a call: whichever way it ends, nothing is left running."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.websockets import WebSocket

from server.phone.call import CallerGone, PhoneCall
from server.phone.options import PhoneOptions
from telephony.errors import ProtocolError
from telephony.twilio.messages import TwilioStream
from tests.server.phone.fakes import FakeSession
from tests.telephony import messages as twilio
from tests.telephony.messages import text

Message = MutableMapping[str, Any]


class Wire:
    """An ASGI server's side of one WebSocket, in memory."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.outgoing: list[Message] = []
        self.broken = False

    async def receive(self) -> Message:
        return await self.incoming.get()

    async def send(self, message: Message) -> None:
        if self.broken:
            raise OSError("the peer is gone")
        self.outgoing.append(message)

    def says(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self.incoming.put_nowait({"type": "websocket.receive", "text": text(message)})

    def messages(self) -> list[dict[str, Any]]:
        """What was sent on the stream."""
        return [json.loads(message["text"]) for message in self.outgoing if message["type"] == "websocket.send"]

    def sent(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages() if message["event"] == event]

    async def call(self, **options: Any) -> PhoneCall:
        websocket = WebSocket({"type": "websocket", "headers": []}, self.receive, self.send)
        self.incoming.put_nowait({"type": "websocket.connect"})
        await websocket.accept()
        return PhoneCall(websocket, TwilioStream(), PhoneOptions("http://127.0.0.1", "", 1, **options))


async def started(wire: Wire, **options: Any) -> PhoneCall:
    call = await wire.call(**options)
    wire.says(twilio.connected(), twilio.start())
    await call.started()
    return call


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task}


async def test_cancelling_a_call_cancels_the_session_and_leaves_nothing_running() -> None:
    call = await started(Wire())
    session = FakeSession(call.next_link())
    task = asyncio.create_task(call.converse(session))
    await session.running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert session.cancelled
    assert not others()


@pytest.mark.parametrize("steps", range(12))
async def test_a_call_can_be_cancelled_at_any_point(steps: int) -> None:
    wire = Wire()
    call = await wire.call()
    session = FakeSession(call.next_link())

    async def hold() -> None:
        await call.started()
        session.say(16_000)
        await call.converse(session)

    task = asyncio.create_task(hold())
    wire.says(twilio.connected(), twilio.start(), twilio.media(1), twilio.mark("t1:800:0"), twilio.media(2))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not session.running.is_set() or session.over.is_set()
    assert not others()


async def test_a_wire_that_breaks_while_the_agent_speaks_ends_the_session() -> None:
    wire = Wire()
    call = await started(wire)
    session = FakeSession(call.next_link())
    wire.broken = True
    session.say(16_000)
    async with asyncio.timeout(5):
        await call.converse(session)
    assert session.left == "the connection is gone"
    assert not others()
    await call.close()


async def test_a_caller_who_stops_before_starting_is_gone() -> None:
    wire = Wire()
    call = await wire.call()
    wire.says(twilio.connected(), twilio.stop())
    with pytest.raises(CallerGone):
        await call.started()


async def test_a_connection_that_says_nothing_is_no_call() -> None:
    call = await Wire().call(start_timeout=0.01)
    with pytest.raises(ProtocolError, match="no stream has started"):
        await call.started()


async def test_closing_twice_is_harmless() -> None:
    wire = Wire()
    call = await wire.call()
    await call.close(1008, "no")
    await call.close()
    assert [message["type"] for message in wire.outgoing] == ["websocket.accept", "websocket.close"]


async def test_two_speak_one_after_the_other_and_the_second_begins_with_silence() -> None:
    wire = Wire()
    call = await started(wire)
    first = FakeSession(call.next_link())
    first.say(16_000)
    talk = asyncio.create_task(call.converse(first))
    while not wire.sent("mark"):
        await asyncio.sleep(0)
    first.done.set()
    await talk
    assert call.gone is None
    before = len(wire.outgoing)
    second = FakeSession(call.next_link())
    second.say(1600)
    talk = asyncio.create_task(call.converse(second))
    while len(wire.sent("mark")) < 2:
        await asyncio.sleep(0)
    wire.says(twilio.mark("t1:800:0"))  # of the first, which the clear returned
    wire.says(twilio.dtmf("7"), twilio.stop())
    await talk
    events = [message["event"] for message in wire.messages()]
    assert events[before - 1] == "clear"
    assert wire.sent("mark")[1]["mark"]["name"] == "t1:800:1"
    assert second.pressed == ["7"]
    assert first.pressed == []
    assert second.playout.heard_position < 800
    assert call.gone == second.left == "the caller hung up"
    assert not others()


async def test_a_call_that_is_to_finish_has_whoever_speaks_say_the_last_words() -> None:
    call = await started(Wire())
    session = FakeSession(call.next_link())
    talk = asyncio.create_task(call.converse(session))
    await session.running.wait()
    call.finish("Your credit is used up. Goodbye.", "credit")
    call.finish("Again.", "other")
    session.link.hang_up("credit")
    session.done.set()
    await talk
    assert session.finished == [("Your credit is used up. Goodbye.", "credit")]
    assert call.hung_up == "credit"
    call.finish("Late.", "late")


async def test_a_call_that_is_to_finish_while_nobody_speaks_finishes_with_the_next() -> None:
    call = await started(Wire())
    call.finish("Goodbye.", "credit")
    session = FakeSession(call.next_link())
    session.done.set()
    await call.converse(session)
    assert session.finished == [("Goodbye.", "credit")]
