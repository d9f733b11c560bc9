"""The socket that carries a call: who holds the line with the caller, one after the other, and what follows."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.websockets import WebSocket

from agents.link import Conversant
from server.phone.answering import hold_outbound
from server.phone.briefing import (
    ACCEPTING_KEY,
    CONNECTING,
    DECLINED,
    DECLINING_KEY,
    GONE,
    briefing_notes,
    decision,
    first_words,
)
from server.phone.call import INTERNAL_ERROR, POLICY, TRY_LATER, CallerGone, PhoneCall
from server.phone.desk import PhoneDesk, StreamTicket
from server.phone.events import CallEvents
from server.phone.link import PhoneLink
from server.phone.options import CallBrief
from server.phone.transfer import Stage, Transfer
from server.phone.warm import WarmTransfers
from telephony.errors import ProtocolError, TokenRefused
from telephony.media_stream import Start

log = structlog.get_logger(__name__)


class PhoneStreams:
    """The endpoint of media streams."""

    def __init__(self, desk: PhoneDesk, warm: WarmTransfers) -> None:
        self._desk = desk
        self._warm = warm

    async def stream(self, websocket: WebSocket) -> None:
        """Carry a call's audio to a session and back until either side ends it."""
        if not self._desk.gate.admits(websocket):
            log.warning("media stream refused", peer=websocket.client and websocket.client.host)
            await websocket.close()  # before it was accepted: HTTP 403
            return
        await websocket.accept()
        call = PhoneCall(websocket, self._desk.carrier.stream(), self._desk.options)
        try:
            start = await call.started()
            await self._hold(call, start, websocket.query_params)
        except CallerGone:
            log.info("caller gone before the stream began")
        except ProtocolError as error:
            log.warning("media stream refused", code=error.code, reason=error.reason)
            await call.close(error.code, error.reason)
        except TokenRefused as error:
            log.warning("media stream refused", reason=str(error))
            await call.close(POLICY, str(error))
        except Exception:  # a fault of ours: the caller's line is closed, the traceback is logged
            log.exception("call failed")
            await call.close(INTERNAL_ERROR, "internal error")
        else:
            await call.close()

    async def _hold(self, call: PhoneCall, start: Start, query: Mapping[str, str]) -> None:
        """Let the call in and hold it; its token is worth nothing before, during or after."""
        desk = self._desk
        parameters = desk.carrier.parameters(start, query)
        token, sid = parameters.get("token", ""), desk.carrier.call_of(start, parameters)
        if sid != start.call_id and desk.tokens.knows(desk.clock(), start.call_id):
            raise TokenRefused("the token is another call's")
        ticket = desk.tokens.redeem(desk.clock(), sid, token).ticket
        try:
            with structlog.contextvars.bound_contextvars(call=ticket.order.call_id, sid=sid):
                await (self._brief(call, sid, ticket) if ticket.briefing else self._serve(call, sid, ticket))
        finally:
            desk.tokens.release(desk.clock(), sid, token)

    async def _serve(self, call: PhoneCall, sid: str, ticket: StreamTicket) -> None:
        """The caller and the agent."""
        desk, order = self._desk, ticket.order
        events = CallEvents(on_opt_out=lambda: desk.opt_out(order.call_id))
        call.on_event = events
        desk.parts.live.add(order.call_id, call)
        reason = "failed"
        try:
            await self._converse(call, sid, ticket)
            reason = call.hung_up or call.gone or "the call is over"
        except ProtocolError as error:
            reason = error.reason
            raise
        finally:
            desk.parts.live.remove(order.call_id, call)
            wish = events.wish if call.gone is None and call.hung_up is not None else None
            if wish is not None and desk.allows(order, wish.target):
                await self._warm.begin(order, sid, wish, events.history())
            else:
                if wish is not None:
                    log.warning("a transfer was refused: the agent has no such target", agent=order.agent_id)
                await desk.parts.book.line_closed(order.call_id, reason)

    async def _converse(self, call: PhoneCall, sid: str, ticket: StreamTicket) -> None:
        desk, order = self._desk, ticket.order
        self._admit()
        if not await desk.at_hand(order.agent_id):
            raise ProtocolError(INTERNAL_ERROR, "the agent is not there any more")
        phone, recorders = desk.parts.factory.phone_of(order.agent_id), desk.parts.recorders
        recording = recorders.open(order.call_id) if phone.recording and recorders is not None else None
        call.recorder = recording
        try:
            brief = desk.brief(ticket)
            if order.direction == "outbound" and ticket.resumption is None:
                await hold_outbound(
                    call,
                    order,
                    factory=desk.parts.factory,
                    book=desk.parts.book,
                    open_session=lambda link: self._open(link, sid, ticket, brief),
                )
                return
            session = self._open(call.next_link(), sid, ticket, brief)
            with structlog.contextvars.bound_contextvars(session=session.id):
                await call.converse(session)
        finally:
            if recording is not None:
                await recording.close()

    async def _brief(self, call: PhoneCall, sid: str, ticket: StreamTicket) -> None:
        """The agent and the person to whom the caller, who is on hold, shall go."""
        transfer = self._desk.transfers.of(ticket.order.call_id)
        if transfer is None or transfer.target_sid != sid or transfer.stage is not Stage.BEGUN:
            return
        self._admit()
        events = CallEvents(on_caller=lambda text: self._decide(call, transfer, decision(text)))
        call.on_event = events
        link = call.next_link()
        link.on_key = lambda digit: self._key(call, transfer, digit)
        order, wish = transfer.order, transfer.wish
        brief = CallBrief(
            opening=first_words(order, wish.name, wish.summary),
            notes=briefing_notes(order, wish.name, wish.summary, transfer.history),
            outbound=True,
        )
        try:
            session = self._open(link, sid, ticket, brief, peer=wish.target)
            with structlog.contextvars.bound_contextvars(session=session.id):
                await call.converse(session)
        finally:
            if transfer.stage is Stage.BEGUN:
                transfer.fail("declined")

    def _decide(self, call: PhoneCall, transfer: Transfer, says: str | None) -> None:
        """The person has said whether they take the call."""
        if says is None or transfer.stage is not Stage.BEGUN:
            return
        if says == "decline":
            transfer.fail("declined")
            call.finish(DECLINED, "declined")
        elif transfer.accept(self._desk.clock()):
            call.finish(CONNECTING, "accepted")
        else:
            transfer.fail("gone")
            call.finish(GONE, "gone")

    def _key(self, call: PhoneCall, transfer: Transfer, digit: str) -> bool:
        """A key was pressed; whether it was the answer."""
        says = {ACCEPTING_KEY: "accept", DECLINING_KEY: "decline"}.get(digit)
        self._decide(call, transfer, says)
        return says is not None

    def _admit(self) -> None:
        """Raises `ProtocolError` where there is no session left."""
        if self._desk.parts.factory.active_sessions >= self._desk.options.max_sessions:
            raise ProtocolError(TRY_LATER, "all sessions are taken")

    def _open(
        self, link: PhoneLink, sid: str, ticket: StreamTicket, brief: CallBrief, peer: str | None = None
    ) -> Conversant:
        order = ticket.order
        return self._desk.parts.factory.open_session(
            order.agent_id, link, call_id=sid, peer=order.peer if peer is None else peer, channel=link.kind, brief=brief
        )
