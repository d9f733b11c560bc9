"""One call at the carrier: dialled, answered, told what to do by TwiML, followed by callbacks."""

from __future__ import annotations

import asyncio
import io
import time
import wave
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.peers.carrier.twiml import NotTwiml, Verb, read
from tests.peers.phone_caller import PhoneCaller

if TYPE_CHECKING:
    from tests.peers.carrier.service import Carrier

WORDS_A_SECOND: Final = 2.5
MOST_REDIRECTS: Final = 200
ENDED: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})

Act = Callable[[PhoneCaller], Awaitable[None]]
"""What a person does on the line; they hang up when it returns."""


async def stays(caller: PhoneCaller) -> None:
    """Stay on the line until the other side ends the call."""
    await caller.over.wait()


@dataclass(frozen=True, slots=True)
class Person:
    """Who is called: `outcome` is answered, busy, no-answer or failed, after ringing for `rings` seconds.

    `talks`: how many seconds they talk with a person whom they are connected to, then they hang up.
    """

    act: Act = stays
    outcome: str = "answered"
    rings: float = 0.1
    talks: float = 3600.0


class Room:
    """A conference: it begins when the second comes, and ends when one leaves who ends it."""

    def __init__(self) -> None:
        self.visitors: list[str] = []
        self._inside: set[str] = set()
        self._begun = asyncio.Event()
        self._over = asyncio.Event()

    async def stay(self, sid: str, *, talks: float, ends: bool) -> bool:
        """Be in it; returns whether this one has left by themselves, having talked for so long."""
        self.visitors.append(sid)
        self._inside.add(sid)
        if len(self._inside) > 1:
            self._begun.set()
        talking, over = asyncio.create_task(self._talk(talks)), asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({talking, over}, return_when=asyncio.FIRST_COMPLETED)
            return not over.done()
        finally:
            talking.cancel()
            over.cancel()
            self._inside.discard(sid)
            if ends:
                self._over.set()

    async def _talk(self, seconds: float) -> None:
        await self._begun.wait()
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Call:
    """A call and what became of it. `log`: verbs obeyed, in order, with what they said or dialled."""

    carrier: Carrier
    sid: str
    caller: str
    called: str
    direction: str
    person: Person
    answer_url: str = ""
    status_url: str = ""
    events: frozenset[str] = frozenset()
    limit: float = 4 * 3600.0
    status: str = "queued"
    log: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""
    dial_status: str = ""
    dialled_with: dict[str, str] = field(default_factory=dict)
    line: PhoneCaller | None = None
    answered_at: float = 0.0
    ended_at: float = 0.0
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _instructions: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _present: asyncio.Task[None] | None = None
    _sequence: int = 0

    @property
    def seconds(self) -> int:
        """Whole seconds from the answer to the end, as billed."""
        return round(self.ended_at - self.answered_at) if self.answered_at else 0

    async def run(self) -> None:
        """The whole life of the call."""
        try:
            if await self._ring():
                self.answered_at = time.monotonic()
                self._becomes("in-progress")
                async with asyncio.timeout(self.limit):
                    await self._converse()
                self._becomes("completed")
        except TimeoutError:
            self._becomes("completed")
        finally:
            self.over.set()

    def hang_up(self, status: str) -> None:
        """The REST API ends the call: completed, or canceled before it was answered."""
        if self.status in ENDED:
            return
        before_answer = self.status in ("queued", "initiated", "ringing")
        if (status == "canceled") is not before_answer:
            return
        self._becomes(status)
        if self._present is not None:
            self._present.cancel()

    def instruct(self, twiml: str) -> None:
        """The REST API gives the call new TwiML; what it is doing ends."""
        self._instructions.put_nowait(twiml)
        if self._present is not None:
            self._present.cancel()

    async def _ring(self) -> bool:
        if self.direction == "inbound":
            self._becomes("ringing")
            return True
        self._becomes("initiated")
        if self.person.outcome == "failed":
            self._becomes("failed")
            return False
        self._becomes("ringing")
        await self._doing(asyncio.sleep(self.person.rings))
        if self.status in ENDED:
            return False
        if self.person.outcome != "answered":
            self._becomes(self.person.outcome)
            return False
        return True

    async def _converse(self) -> None:
        """Fetch TwiML and obey it until it ends, someone hangs up, or there is nothing left to do."""
        try:
            verbs = read(await self.carrier.ask(self.answer_url, self.fields()))
            for _ in range(MOST_REDIRECTS):
                following = await self._obey(verbs)
                if not self._instructions.empty() and self.status not in ENDED:
                    verbs = read(self._instructions.get_nowait())
                elif following is not None and self.status not in ENDED:
                    verbs = read(following)
                else:
                    return
            self.error = "too many redirects"
        except NotTwiml as error:
            self.error = str(error)

    async def _obey(self, verbs: list[Verb]) -> str | None:
        """Obey verbs; returns the document to go on with, if one is named."""
        for verb in verbs:
            if self.status in ENDED or not self._instructions.empty():
                return None
            url: str | None = None
            match verb.name:
                case "Hangup" | "Reject":
                    self.log.append((verb.name, verb.attributes.get("reason", "")))
                    return None
                case "Redirect":
                    url = verb.text
                    self.log.append(("Redirect", url))
                case "Connect":
                    await self._doing(self._stream(verb))
                    url = verb.attributes.get("action")
                case "Dial":
                    url = await self._dial(verb)
                case _:
                    await self._doing(self._tell(verb))
            if url is not None and self.status not in ENDED and self._instructions.empty():
                return await self.carrier.ask(urljoin(self.answer_url, url), self.fields())
        return None

    async def _doing(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that the REST API may break off."""
        self._present = asyncio.create_task(work)
        try:
            await self._present
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        finally:
            self._present = None

    async def _tell(self, verb: Verb) -> None:
        scale = self.carrier.pace
        self.log.append((verb.name, verb.text or verb.attributes.get("length", "")))
        if verb.name == "Pause":
            await asyncio.sleep(float(verb.attributes.get("length", "1")) * scale)
        elif verb.name == "Say":
            await asyncio.sleep(len(verb.text.split()) / WORDS_A_SECOND * scale)
        else:
            await asyncio.sleep(_wav_seconds(await self.carrier.fetch(urljoin(self.answer_url, verb.text))) * scale)

    async def _dial(self, verb: Verb) -> str | None:
        """Connect the call to another number or address, or a conference; returns whom to ask for what follows."""
        conference = verb.noun("Conference")
        noun = conference or verb.noun("Number") or verb.noun("Sip")
        target = noun.text if noun is not None else verb.text
        self.log.append(("Dial", target))
        self.dialled_with = dict(verb.attributes)
        self.dial_status = ""
        await self._doing(self._meet(conference) if conference is not None else self._bridge(target, verb))
        if self.status in ENDED or not self._instructions.empty():
            return None
        return verb.attributes.get("action")

    async def _bridge(self, target: str, verb: Verb) -> None:
        other = self.carrier.people.get(target, Person(outcome="failed", rings=0.0))
        rings = min(other.rings, float(verb.attributes.get("timeout", "30")))
        await asyncio.sleep(rings)
        if rings < other.rings:
            self.dial_status = "no-answer"
        elif other.outcome != "answered":
            self.dial_status = other.outcome
        else:
            self.dial_status = "completed"
            await asyncio.sleep(min(other.talks, self.person.talks))
            if self.person.talks < other.talks:
                self._becomes("completed")

    async def _meet(self, conference: Verb) -> None:
        room = self.carrier.rooms.setdefault(conference.text, Room())
        ends = conference.attributes.get("endConferenceOnExit") == "true"
        self.dial_status = "answered"
        if await room.stay(self.sid, talks=self.person.talks, ends=ends):
            self._becomes("completed")

    async def _stream(self, verb: Verb) -> None:
        stream = verb.noun("Stream")
        if stream is None:
            raise NotTwiml("12200 schema: <Connect> without <Stream>")
        url = stream.attributes["url"]
        parameters = {noun.attributes["name"]: noun.attributes["value"] for noun in stream.nouns}
        self.log.append(("Stream", url))
        headers = {"X-Twilio-Signature": self.carrier.signature(url, {})}
        try:
            async with connect(url, compression=None, additional_headers=headers) as websocket:
                line = PhoneCaller(websocket, parameters, self.sid, jitter=self.carrier.misbehaviour.jitter)
                self.line = line
                await line.begin()
                await self._hold(line)
        except (InvalidHandshake, WebSocketException, OSError) as error:
            self.error = f"31920 stream: {error}"

    async def _hold(self, line: PhoneCaller) -> None:
        """Carry audio until the person hangs up, the server ends the stream, or the socket is cut."""
        bad = self.carrier.misbehaviour
        cut = bad.within(3.0) if bad.happens(bad.dropped) else None
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(line.hold())
            acting = group.create_task(self._act(line))
            await asyncio.wait([holding, acting], return_when=asyncio.FIRST_COMPLETED, timeout=cut)
            if acting.done() and not holding.done():
                await line.hang_up()
                await asyncio.wait([holding], timeout=2.0)
                self._becomes("completed")
            holding.cancel()
            acting.cancel()

    async def _act(self, line: PhoneCaller) -> None:
        await self.person.act(line)

    def _becomes(self, status: str) -> None:
        if self.status in ENDED:
            return
        self.status = status
        if status in ENDED:
            self.ended_at = time.monotonic()
        event = {"in-progress": "answered"}.get(status, "completed" if status in ENDED else status)
        if self.status_url and event in self.events:
            fields = {**self.fields(), "SequenceNumber": str(self._sequence), "CallbackSource": "call-progress-events"}
            if status in ENDED:
                fields["CallDuration"] = str(self.seconds)
            self._sequence += 1
            self.carrier.notify(self.status_url, fields)

    def fields(self) -> dict[str, str]:
        """The form that goes with every request about this call."""
        fields = {"DialCallStatus": self.dial_status} if self.dial_status else {}
        return fields | {
            "CallSid": self.sid,
            "AccountSid": self.carrier.account,
            "From": self.caller,
            "To": self.called,
            "CallStatus": self.status,
            "Direction": "inbound" if self.direction == "inbound" else "outbound-api",
            "ApiVersion": "2010-04-01",
        }


def _wav_seconds(data: bytes) -> float:
    """How long a recording plays; 0 for what is none."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            return float(file.getnframes() / file.getframerate())
    except (wave.Error, EOFError):
        return 0.0
