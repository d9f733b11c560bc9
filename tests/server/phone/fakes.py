"""Sessions that hold no conversation: they keep what they are told and say what they are asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from agents.definition import AgentDefinition, PhoneDefinition
from agents.link import AudioLink
from agents.session.services import Services
from media.audio.frames import AudioFrame
from media.audio.playout import Playout
from media.speech.protocols import SpeechChunk, Voice
from server.phone.book import CallFacts, CallOrder, CallRefused
from server.phone.options import CallBrief

GREETING = "Hello {name}, this is the pizzeria."
COOK = "+14155550199"
ACCOUNT = "account_1"


def speech(samples: int, rate: int = 8000) -> SpeechChunk:
    """That much of a tone."""
    wave = (0.5 * np.sin(np.arange(samples) * 0.3)).astype(np.float32)
    return SpeechChunk(wave, rate, 0, (), (), final=True)


class FakeSession:
    """Implements `agents.link.Conversant`."""

    def __init__(self, link: AudioLink) -> None:
        self.id = "session_fake"
        self.link = link
        self.playout = Playout(link.rate)
        self.frames: list[AudioFrame] = []
        self.pressed: list[str] = []
        self.left: str | None = None
        self.finished: list[tuple[str, str]] = []
        self.cancelled = False
        self.stubborn = False  # goes on although the caller has left
        self.broken = False
        self.running = asyncio.Event()
        self.pressed_once = asyncio.Event()
        self.heard_all = asyncio.Event()
        self.done = asyncio.Event()
        self.over = asyncio.Event()

    def say(self, samples: int, turn_id: int = 1) -> None:
        """Speak for that many samples at the line's rate."""
        self.heard_all.clear()
        self.playout.append(turn_id, "la", speech(samples, self.link.rate))

    def hear(self, frame: AudioFrame) -> None:
        self.frames.append(frame)

    def heard(self, position: int) -> None:
        self.playout.heard(position)
        if self.playout.silent:
            self.heard_all.set()

    def press(self, digit: str) -> None:
        self.pressed.append(digit)
        self.pressed_once.set()

    def write(self, text: str) -> None:
        raise AssertionError("nobody types on a telephone")

    def interrupt(self) -> None:
        raise AssertionError("a telephone has no such button")

    def finish(self, text: str, reason: str) -> None:
        self.finished.append((text, reason))

    def caller_left(self, reason: str) -> None:
        self.left = reason
        if not self.stubborn:
            self.done.set()

    async def run(self) -> None:
        try:
            self.link.start(self.playout)
            self.running.set()
            if self.broken:
                raise ZeroDivisionError("the session is broken")
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.over.set()


class FakeFactory:
    """Implements `server.phone.options.SessionFactory`; remembers every session it made and how it was asked for."""

    def __init__(self) -> None:
        self.sessions: asyncio.Queue[FakeSession] = asyncio.Queue()
        self.asked: list[tuple[str, str, str, str]] = []
        self.briefs: list[CallBrief | None] = []
        self.prepared: list[tuple[str, list[str]]] = []
        self.definition = AgentDefinition.model_validate(
            {
                "name": "Mira",
                "system_prompt": "You take orders.",
                "greeting": GREETING,
                "tools": [{"transfer": {"the cook": COOK, "the desk": "sip:desk@voice.example"}}],
            }
        )
        self.taken = 0
        self.services: Services | None = None
        self.voice: Voice | None = None
        self.broken = False
        self.stubborn = False
        self.made: list[FakeSession] = []

    @property
    def active_sessions(self) -> int:
        return self.taken + sum(not session.over.is_set() for session in self.made)

    def has_agent(self, agent_id: str) -> bool:
        return agent_id in ("demo", "sales")

    def definition_of(self, agent_id: str) -> AgentDefinition:
        if not self.has_agent(agent_id):
            raise KeyError(agent_id)
        return self.definition

    def phone_of(self, agent_id: str) -> PhoneDefinition:
        return self.definition_of(agent_id).phone

    def voice_of(self, agent_id: str) -> Voice:
        if self.voice is None:
            raise KeyError(agent_id)
        return self.voice

    async def prepare(self, agent_id: str, texts: Sequence[str]) -> None:
        self.prepared.append((agent_id, list(texts)))

    def open_session(
        self,
        agent_id: str,
        link: AudioLink,
        *,
        call_id: str,
        peer: str,
        channel: str,
        brief: CallBrief | None = None,
    ) -> FakeSession:
        self.briefs.append(brief)
        self.asked.append((agent_id, call_id, peer, channel))
        session = FakeSession(link)
        session.broken, session.stubborn = self.broken, self.stubborn
        self.made.append(session)
        self.sessions.put_nowait(session)
        return session


class FakeBook:
    """Implements `server.phone.book.CallBook` in memory, as its words say: the same sid, the same call."""

    def __init__(self) -> None:
        self.refusal: CallRefused | None = None
        self.orders: dict[str, CallOrder] = {}
        self.sids: dict[str, str] = {}
        self.over: set[str] = set()
        self.reports: list[tuple[str, str, str, int | None]] = []
        self.facts: list[tuple[str, CallFacts]] = []
        self.opted: list[str] = []
        self.closed: list[tuple[str, str]] = []
        self.changed = asyncio.Event()

    def place(self, call_id: str, agent_id: str = "demo", **variables: object) -> CallOrder:
        """A call of ours that rings."""
        order = CallOrder(call_id, ACCOUNT, agent_id, "outbound", "+442079460018", "+14155550123", variables)
        self.orders[call_id] = order
        return order

    async def until(self, call_id: str) -> str:
        """Wait until a call's line is closed; returns why."""
        while not (found := [reason for closed, reason in self.closed if closed == call_id]):
            self.changed.clear()
            await self.changed.wait()
        return found[0]

    async def incoming(
        self, sid: str, *, carrier: str, caller: str, called: str, agent_id: str | None
    ) -> CallOrder | CallRefused:
        if self.refusal is not None:
            return self.refusal
        call_id = next((call_id for call_id, known in self.sids.items() if known == sid), f"call_{len(self.orders)}")
        self.sids[call_id] = sid
        order = CallOrder(call_id, ACCOUNT, agent_id or "demo", "inbound", caller, called)
        return self.orders.setdefault(call_id, order)

    async def expected(self, call_id: str) -> CallOrder | None:
        return None if call_id in self.over else self.orders.get(call_id)

    async def answered(self, call_id: str, sid: str) -> CallOrder | None:
        order = await self.expected(call_id)
        if order is None or order.direction != "outbound" or self.sids.setdefault(call_id, sid) != sid:
            return None
        return order

    async def report(self, call_id: str, status: str, *, sid: str, seconds: int | None = None) -> None:
        self.reports.append((call_id, status, sid, seconds))

    async def note(self, call_id: str, facts: CallFacts) -> None:
        self.facts.append((call_id, facts))

    async def opted_out(self, call_id: str) -> None:
        self.opted.append(call_id)
        self.changed.set()

    async def line_closed(self, call_id: str, reason: str) -> None:
        self.closed.append((call_id, reason))
        self.changed.set()
