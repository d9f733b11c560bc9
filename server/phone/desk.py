"""What the telephone's endpoints share: who may call, agents at hand, tokens, transfers, first words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from server.phone.background import Background
from server.phone.book import CallBook, CallOrder
from server.phone.briefs import fill, notes, opening, transfer_targets
from server.phone.carriers import dialect_of
from server.phone.gate import Gate
from server.phone.link import LineRecorder
from server.phone.live import LiveCalls
from server.phone.options import CallBrief, PhoneOptions, SessionFactory
from server.phone.transfer import Resumption, Transfers
from telephony.errors import TokensFull
from telephony.tokens import StreamTokens
from telephony.twilio.rest import TwilioCalls

STREAM_PATH: Final = "/telephony/stream"
NEXT_PATH: Final = "/telephony/next/{call_id}"
BRIEFED_PATH: Final = "/telephony/briefed/{call_id}"
BUSY: Final = "All our lines are busy right now. Please call again in a few minutes. Goodbye."

_OPTING_OUT: Final = (0.0, 1.0, 5.0)
"""Seconds before each attempt to enter that somebody is not called again: it must not be lost."""

log = structlog.get_logger(__name__)


class AgentLoader(Protocol):
    """Loads agents that people made. `server.made_agents.service.AgentService` implements it."""

    async def load(self, agent_id: str) -> bool:
        """Have an agent ready; whether there is one."""
        ...


class CallRecording(LineRecorder, Protocol):
    """The recording of one stream."""

    async def close(self) -> str | None:
        """End it; the storage key, None where it is not kept."""
        ...


class Recorders(Protocol):
    """Makes recordings. `server.phone.recordings.Recordings` implements it."""

    def open(self, call_id: str) -> CallRecording:
        """Begin to record a call, or go on with it."""
        ...


@dataclass(frozen=True, slots=True)
class PhoneParts:
    """What the endpoints work with.

    `people`: loads agents that people made; without it only the configured ones answer. `recorders`: without them
    nothing is recorded. `calls`: the carrier's REST API; without it people are connected unannounced.
    """

    factory: SessionFactory
    book: CallBook
    live: LiveCalls
    people: AgentLoader | None = None
    recorders: Recorders | None = None
    calls: TwilioCalls | None = None


@dataclass(frozen=True, slots=True)
class StreamTicket:
    """What a stream is for. `briefing`: it is with the person to whom the call shall go."""

    order: CallOrder
    resumption: Resumption | None = None
    briefing: bool = False


class PhoneDesk:
    """Holds all that in one place; `clock` is what tokens and transfers go by."""

    def __init__(self, parts: PhoneParts, options: PhoneOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.parts = parts
        self.options = options
        self.clock = clock
        self.carrier = dialect_of(options.carrier)
        self.gate = Gate(options, self.carrier)
        self.tokens = StreamTokens[StreamTicket]()
        self.transfers = Transfers()
        self.background = Background()
        self._preparing: set[str] = set()

    def url(self, path: str, call_id: str) -> str:
        """The public URL of a call's webhook."""
        return self.gate.url(path.format(call_id=call_id))

    # Admission

    def full(self, sid: str) -> bool:
        """Whether there is no session left for this call, which was promised none yet."""
        now = self.clock()
        expected = self.parts.factory.active_sessions + self.tokens.waiting(now)
        return expected >= self.options.max_sessions and not self.tokens.knows(now, sid)

    async def at_hand(self, agent_id: str) -> bool:
        """Whether there is such an agent; one that people made is loaded."""
        if self.parts.factory.has_agent(agent_id):
            return True
        return self.parts.people is not None and await self.parts.people.load(agent_id)

    def connect(self, sid: str, ticket: StreamTicket) -> str:
        """The document that connects a call to its stream, or says that all lines are busy."""
        try:
            token = self.tokens.issue(self.clock(), sid, ticket)
        except TokensFull as error:
            log.warning("call refused", call=sid, reason=str(error))
            return self.carrier.say_and_hang_up(BUSY)
        path = BRIEFED_PATH if ticket.briefing else NEXT_PATH
        then = self.url(path, ticket.order.call_id) if ticket.briefing or self._transfers(ticket.order) else ""
        return self.carrier.connect_stream(self.gate.url(STREAM_PATH, websocket=True), sid, token, then)

    def allows(self, order: CallOrder, target: str) -> bool:
        """Whether the call's agent may transfer to this number or address."""
        return target in self._targets(order).values()

    def _transfers(self, order: CallOrder) -> bool:
        return bool(self._targets(order))

    def _targets(self, order: CallOrder) -> dict[str, str]:
        try:
            return dict(transfer_targets(self.parts.factory.definition_of(order.agent_id)))
        except KeyError:
            return {}

    # Briefs

    def brief(self, ticket: StreamTicket) -> CallBrief:
        """What the session of a call is told. Raises `KeyError` where its agent is gone."""
        order, back = ticket.order, ticket.resumption
        return CallBrief(
            record_id=order.call_id,
            opening=back.opening if back is not None else self.opening(order),
            notes=notes(order, back.notes if back is not None else ""),
            outbound=order.direction == "outbound",
            variables=order.variables,
        )

    def opening(self, order: CallOrder) -> str:
        """The first words of a call. Raises `KeyError`."""
        definition = self.parts.factory.definition_of(order.agent_id)
        return opening(definition, order, recorded=definition.phone.recording and self.parts.recorders is not None)

    def prepare(self, order: CallOrder) -> None:
        """Have a call's first words spoken ahead, behind what somebody waits for; not twice at once."""
        if order.call_id not in self._preparing and self.background.spawn(self._prepare(order), "first words"):
            self._preparing.add(order.call_id)

    async def _prepare(self, order: CallOrder) -> None:
        try:
            if not await self.at_hand(order.agent_id):
                return
            phone = self.parts.factory.phone_of(order.agent_id)
            texts = [self.opening(order)]
            if order.direction == "outbound":
                texts += [fill(text, order.variables) for text in (phone.message, phone.screening)]
            await self.parts.factory.prepare(order.agent_id, [text for text in texts if text])
        except KeyError:
            log.info("an agent has gone before its call was answered", call=order.call_id, agent=order.agent_id)
        finally:
            self._preparing.discard(order.call_id)

    # What is told to the books

    def opt_out(self, call_id: str) -> None:
        """The other one does not want to be called again."""
        self.background.spawn(self._opt_out(call_id), "opting out")

    async def _opt_out(self, call_id: str) -> None:
        for left, pause in enumerate(_OPTING_OUT, 1 - len(_OPTING_OUT)):
            await asyncio.sleep(pause)
            try:
                await self.parts.book.opted_out(call_id)
            except Exception:
                if left == 0:
                    raise
                log.warning("opting out is tried again", call=call_id, exc_info=True)
            else:
                return

    async def close(self) -> None:
        """End what is being done besides."""
        await self.background.close()
