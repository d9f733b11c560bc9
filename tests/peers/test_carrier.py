"""The stand-in carrier itself: what it does is what Twilio documents, so it may judge our side."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from telephony.twilio.rest import CarrierRefused, TwilioCalls
from telephony.twilio.signature import is_valid
from tests.peers.carrier import Carrier, Misbehaviour, Person
from tests.peers.carrier.twiml import NotTwiml, read
from tests.peers.phone_caller import PhoneCaller
from tests.server.phone.serving import serving

CALLEE, US = "+442079460018", "+14155550123"
OURS = "c" * 32


@dataclass
class Webhooks:
    """Answers `/answer` and other paths with TwiML, and notes every status callback."""

    documents: dict[str, str]
    url: str = ""
    statuses: list[dict[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        signature = request.headers.get("x-twilio-signature", "")
        assert is_valid(OURS, self.url + request.url.path, signature, form.items())
        if request.url.path == "/status":
            self.statuses.append(form)
            return Response(status_code=204)
        self.asked.append(request.url.path)
        return Response(self.documents[request.url.path], media_type="application/xml")


@asynccontextmanager
async def webhooks(**documents: str) -> AsyncIterator[Webhooks]:
    hooks = Webhooks({f"/{path}": f"<Response>{verbs}</Response>" for path, verbs in documents.items()})
    listener = socket.create_server(("127.0.0.1", 0))
    hooks.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Starlette(routes=[Route("/{path}", hooks.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield hooks
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def twilio(misbehaviour: Misbehaviour | None = None) -> AsyncIterator[tuple[Carrier, TwilioCalls]]:
    async with Carrier(OURS, misbehaviour=misbehaviour) as carrier:
        calls = TwilioCalls(carrier.account, OURS, api=carrier.url)
        try:
            yield carrier, calls
        finally:
            await calls.close()


async def place(calls: TwilioCalls, hooks: Webhooks, to: str = CALLEE) -> str:
    call = await calls.place(to=to, caller=US, answer_url=f"{hooks.url}/answer", status_url=f"{hooks.url}/status")
    return call.sid


def told(hooks: Webhooks) -> list[str]:
    return [form["CallStatus"] for form in hooks.statuses]


async def test_a_call_is_placed_answered_told_what_to_do_and_followed_to_its_end() -> None:
    verbs = "<Say>Please hold</Say><Pause length='2'/><Hangup/><Say>never</Say>"
    async with webhooks(answer=verbs) as hooks, twilio() as (carrier, calls):
        carrier.people[CALLEE] = Person()
        sid = await place(calls, hooks)
        await carrier.quiet()
        assert carrier.calls[sid].log == [("Say", "Please hold"), ("Pause", "2"), ("Hangup", "")]
        assert told(hooks) == ["initiated", "ringing", "in-progress", "completed"]
        assert [form["SequenceNumber"] for form in hooks.statuses] == ["0", "1", "2", "3"]
        assert (await calls.status(sid)).status == "completed"


@pytest.mark.parametrize("outcome", ["busy", "no-answer"])
async def test_who_does_not_answer_is_told_so(outcome: str) -> None:
    async with webhooks(answer="<Hangup/>") as hooks, twilio() as (carrier, calls):
        carrier.people[CALLEE] = Person(outcome=outcome, rings=0.0)
        await place(calls, hooks)
        await carrier.quiet()
        assert told(hooks) == ["initiated", "ringing", outcome]
        assert hooks.asked == []


async def test_a_call_that_rings_can_be_cancelled() -> None:
    async with webhooks(answer="<Hangup/>") as hooks, twilio() as (carrier, calls):
        carrier.people[CALLEE] = Person(rings=30.0)
        sid = await place(calls, hooks)
        while carrier.calls[sid].status != "ringing":
            await asyncio.sleep(0)
        await calls.hang_up(sid, ringing=True)
        await carrier.quiet()
        assert told(hooks)[-1] == "canceled"
        with pytest.raises(CarrierRefused, match="not in-progress"):
            await calls.hang_up(sid)


async def test_dialling_goes_on_with_the_action_and_redirect_with_its_document() -> None:
    documents = {
        "answer": "<Dial action='/after'><Number>+14155550199</Number></Dial>",
        "after": "<Redirect>/last</Redirect>",
        "last": "<Say>Bye</Say>",
    }
    async with webhooks(**documents) as hooks, twilio() as (carrier, calls):
        carrier.people[CALLEE] = Person()
        carrier.people["+14155550199"] = Person(outcome="busy", rings=0.0)
        sid = await place(calls, hooks)
        await carrier.quiet()
        assert hooks.asked == ["/answer", "/after", "/last"]
        assert carrier.calls[sid].dial_status == "busy"


async def test_two_meet_in_a_conference_until_the_one_who_ends_it_leaves() -> None:
    room = "<Conference endConferenceOnExit='true'>den</Conference>"
    documents = {"answer": f"<Dial action='/after'>{room}</Dial>", "after": "<Say>They left</Say>"}
    async with webhooks(**documents) as hooks, twilio() as (carrier, calls):
        carrier.people[CALLEE] = Person(rings=0.0)
        carrier.people[US] = Person(rings=0.0, talks=0.05)
        stays = await place(calls, hooks)
        leaves = await place(calls, hooks, US)
        await carrier.quiet()
        assert set(carrier.rooms["den"].visitors) == {stays, leaves}
        assert carrier.calls[stays].log == [("Dial", "den"), ("Say", "They left")]
        assert carrier.calls[stays].dial_status == "answered"
        assert carrier.calls[leaves].log == [("Dial", "den")], "who hangs up is told nothing more"


async def test_an_address_is_dialled_and_whoever_does_not_answer_in_time_is_given_up() -> None:
    documents = {
        "answer": "<Dial action='/after' timeout='0'><Sip>sip:desk@a.example</Sip></Dial>",
        "after": "<Hangup/>",
    }
    async with webhooks(**documents) as hooks, twilio() as (carrier, calls):
        carrier.people[CALLEE] = Person(rings=0.0)
        carrier.people["sip:desk@a.example"] = Person(rings=5.0)
        sid = await place(calls, hooks)
        await carrier.quiet()
        assert carrier.calls[sid].dial_status == "no-answer"
        assert carrier.calls[sid].log[0] == ("Dial", "sip:desk@a.example")


async def test_new_twiml_takes_the_place_of_what_a_call_is_doing() -> None:
    async with webhooks(answer="<Pause length='100000'/>") as hooks, twilio() as (carrier, calls):
        carrier.people[CALLEE] = Person(rings=0.0)
        sid = await place(calls, hooks)
        while not carrier.calls[sid].log:
            await asyncio.sleep(0)
        await calls.redirect(sid, "<Response><Say>Something else</Say></Response>")
        await carrier.quiet()
        assert carrier.calls[sid].log[-1] == ("Say", "Something else")


async def test_a_stream_carries_the_call_until_somebody_hangs_up() -> None:
    async def talk(line: PhoneCaller) -> None:
        await line.until_audible(0.0, 5.0)

    async with serving(auth_token=OURS) as server, Carrier(OURS) as carrier:
        call = carrier.dial(f"{server.url}/telephony/voice", Person(talk))
        session = await server.factory.sessions.get()
        await session.running.wait()
        session.say(4000)
        await carrier.quiet()
        assert (call.status, call.error) == ("completed", "")
        assert session.left == "the caller hung up"


async def test_both_sides_may_hang_up_at_once() -> None:
    async def leaves_last(line: PhoneCaller) -> None:
        await line.over.wait()  # the server has closed the socket; now the receiver is put down

    async with serving(auth_token=OURS) as server, Carrier(OURS) as carrier:
        call = carrier.dial(f"{server.url}/telephony/voice", Person(leaves_last))
        session = await server.factory.sessions.get()
        await session.running.wait()
        session.link.hang_up("done")
        await call.over.wait()
        assert call.line is not None
        await call.line.hang_up()
        await carrier.quiet()
        assert (call.status, call.error) == ("completed", "")


async def test_callbacks_come_late_twice_and_out_of_order_on_a_bad_day() -> None:
    bad = Misbehaviour(late=0.9, lateness=0.2, twice=0.9, seed=4)
    async with webhooks(answer="<Hangup/>") as hooks, twilio(bad) as (carrier, calls):
        carrier.people[CALLEE] = Person(rings=0.0)
        await place(calls, hooks)
        await carrier.quiet()
        numbers = [int(form["SequenceNumber"]) for form in hooks.statuses]
        assert set(numbers) == {0, 1, 2, 3}
        assert len(numbers) > 4
        assert numbers != sorted(numbers)


async def test_wrong_credentials_are_refused() -> None:
    async with Carrier(OURS) as carrier:
        calls = TwilioCalls(carrier.account, "wrong", api=carrier.url, timeout=httpx2.Timeout(2.0))
        try:
            with pytest.raises(CarrierRefused, match="credentials"):
                await calls.status("CA" + "1" * 32)
        finally:
            await calls.close()


@pytest.mark.parametrize("document", ["", "<Response>", "<Answer/>", "<Response><Shout/></Response>"])
def test_what_is_no_twiml_is_not_obeyed(document: str) -> None:
    with pytest.raises(NotTwiml):
        read(document)


async def test_a_person_at_a_terminal_is_heard_and_hears() -> None:
    async with serving(seconds=30.0) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.peers.carrier", "dial", f"{server.url}/telephony/voice?agent=demo", "--live"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        session = await server.factory.sessions.get()
        await session.running.wait()
        assert process.stdin is not None
        process.stdin.write((8000 * np.ones(1600, "<i2")).tobytes())
        await process.stdin.drain()
        while not any(np.abs(frame.samples).max() > 0.1 for frame in session.frames):
            await asyncio.sleep(0.01)
        session.say(4000)
        await session.heard_all.wait()
        process.stdin.close()
        heard = np.frombuffer((await process.communicate())[0], "<i2")
        assert process.returncode == 0
        assert np.abs(heard).max() > 8000
