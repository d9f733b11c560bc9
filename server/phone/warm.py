"""Transfers as the carrier is told of them; for a warm one, the person is called, and the caller waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from server.phone.book import CallFacts, CallOrder, Outcome
from server.phone.carriers import CarrierRequest
from server.phone.desk import BUSY, PhoneDesk, StreamTicket
from server.phone.transfer import Stage, Transfer, TransferWish
from telephony.progress import CallProgress
from telephony.twilio import twiml
from telephony.twilio.rest import CLOCKS_APART, CarrierError, CarrierRefused, CarrierUnsure, TwilioCalls

HOLD_PATH: Final = "/telephony/hold/{call_id}"
TRANSFERRED_PATH: Final = "/telephony/transferred/{call_id}"
BRIEFING_PATH: Final = "/telephony/briefing/{call_id}"
BRIEFING_STATUS_PATH: Final = "/telephony/briefing/{call_id}/status"
MUSIC_PATH: Final = "/telephony/hold.wav"

LOOKED_FOR: Final = (1.0, 3.0, 6.0)
"""Seconds before each attempt to find out whether the carrier has taken a call: it shows it only after a moment."""
CALLER_GONE: Final = "I am sorry, the caller has hung up. Goodbye."
_NOT_REACHED: Final = {"busy": "busy", "no-answer": "no-answer", "completed": "declined"}

log = structlog.get_logger(__name__)


class WarmTransfers:
    """What the carrier is told while a call goes from its agent to a person, and when it comes back."""

    def __init__(self, desk: PhoneDesk) -> None:
        self._desk = desk

    async def begin(self, order: CallOrder, sid: str, wish: TransferWish, history: str) -> None:
        """The agent's stream ends now. Where people are told first, they are called at once."""
        desk = self._desk
        transfer = desk.transfers.begin(
            desk.clock(), order, wish, sid=sid, history=history, ring_seconds=desk.options.ring_seconds
        )
        log.info("a call is transferred", call=order.call_id, warm=self._is_warm(transfer))
        # From now on nobody has its stream: where the carrier cannot be asked, only this tells that it goes on.
        await desk.parts.book.note(order.call_id, CallFacts(outcome=Outcome.TRANSFERRED))
        if self._is_warm(transfer) and desk.background.spawn(self._call(transfer), "briefing") is None:
            transfer.fail("failed")

    # What the caller's line is told

    def next(self, call_id: str, sid: str) -> str:
        """The agent's stream has ended."""
        transfer = self._desk.transfers.of(call_id, sid)
        if transfer is None:
            return self._desk.carrier.hang_up()
        if self._is_warm(transfer):
            return self.hold(call_id, sid)
        return self._desk.carrier.dial(
            transfer.wish.target,
            caller=transfer.order.own_number,
            then=self._desk.url(TRANSFERRED_PATH, call_id),
            ring_seconds=self._desk.options.ring_seconds,
        )

    def hold(self, call_id: str, sid: str) -> str:
        """The caller is on hold, and asks every few seconds what follows."""
        desk, transfer = self._desk, self._desk.transfers.of(call_id, sid)
        if transfer is None:
            return self._back(call_id, sid, "")
        stage = desk.transfers.held(desk.clock(), transfer)
        if stage is Stage.BEGUN:
            return twiml.hold(desk.gate.url(MUSIC_PATH), desk.url(HOLD_PATH, call_id))
        if stage is Stage.FAILED:
            self._release(transfer)
            return self._back(call_id, sid, transfer.failure)
        transfer.stage = Stage.JOINED
        return twiml.join(_room(call_id), desk.url(TRANSFERRED_PATH, call_id), music=desk.gate.url(MUSIC_PATH))

    async def transferred(self, call_id: str, request: CarrierRequest) -> str:
        """Connecting the caller has ended: both have talked, or the caller goes back to the agent."""
        desk, transfer = self._desk, self._desk.transfers.of(call_id, request.sid)
        met = request.dialled in ("completed", "answered") or (transfer is not None and transfer.stage is Stage.JOINED)
        if not met:
            if transfer is None and desk.transfers.returned(call_id, request.sid) is None:
                order = await self._lost(call_id, request)
                if order is not None:
                    desk.transfers.found(order, request.sid, request.dialled)
            return self._back(call_id, request.sid, request.dialled)
        if transfer is not None:
            await self._met(call_id)
        return desk.carrier.hang_up()

    def over(self, call_id: str) -> None:
        """The caller has hung up: whoever was being called for them need not answer."""
        transfer = self._desk.transfers.over(call_id)
        if transfer is not None:
            self._release(transfer)

    # What the person's line is told

    def answered(self, call_id: str, sid: str) -> str:
        """The person has answered: the agent tells them of the call."""
        desk, transfer = self._desk, self._desk.transfers.of(call_id)
        warm = transfer is not None and self._is_warm(transfer)
        if (
            transfer is None
            or not warm
            or not desk.transfers.adopts(transfer, sid)
            or transfer.stage is not Stage.BEGUN
        ):
            return desk.carrier.say_and_hang_up(CALLER_GONE)
        if desk.full(sid):
            transfer.fail("failed")
            return desk.carrier.say_and_hang_up(BUSY)
        transfer.answered(desk.clock())
        return desk.connect(sid, StreamTicket(transfer.order, briefing=True))

    def briefed(self, call_id: str, sid: str) -> str:
        """The agent has told them; whoever takes the call meets the caller."""
        transfer = self._desk.transfers.of(call_id)
        if transfer is None or transfer.target_sid != sid or transfer.stage not in (Stage.ACCEPTED, Stage.JOINED):
            return self._desk.carrier.hang_up()
        return twiml.join(_room(call_id), music=self._desk.gate.url(MUSIC_PATH))

    async def briefing_status(self, call_id: str, request: CarrierRequest) -> None:
        """How the person's line stands, told late, twice or out of order."""
        transfer = self._desk.transfers.of(call_id)
        ended = CallProgress().report(request.status).state.ended
        warm = transfer is not None and self._is_warm(transfer)
        if transfer is None or not warm or not self._desk.transfers.adopts(transfer, request.sid) or not ended:
            return
        if transfer.stage is Stage.JOINED:  # the room may have been left before the caller came into it
            await self._met(call_id)
            self._desk.background.spawn(self._hang_up(transfer.sid), "hanging up")
        else:
            transfer.fail(_NOT_REACHED.get(request.status, "failed"))

    # Inside

    async def _met(self, call_id: str) -> None:
        """The caller and the person have talked."""
        self._desk.transfers.over(call_id)
        await self._desk.parts.book.note(call_id, CallFacts(outcome=Outcome.TRANSFERRED))
        await self._desk.parts.book.line_closed(call_id, Outcome.TRANSFERRED)

    async def _call(self, transfer: Transfer) -> None:
        desk, call_id = self._desk, transfer.order.call_id
        began = datetime.now(UTC) - CLOCKS_APART
        try:
            placed = await self._calls.place(
                to=transfer.wish.target,
                caller=transfer.order.own_number,
                answer_url=desk.url(BRIEFING_PATH, call_id),
                status_url=desk.url(BRIEFING_STATUS_PATH, call_id),
                ring_seconds=desk.options.ring_seconds,
            )
        except CarrierUnsure as error:
            log.warning("nobody knows whether the person is being called", call=call_id, reason=str(error))
            await self._look_for(transfer, began)
        except CarrierError as error:
            log.warning("the person could not be called", call=call_id, reason=str(error))
            transfer.fail("failed")
        else:
            desk.transfers.adopts(transfer, placed.sid)
            if desk.transfers.of(call_id) is not transfer:  # the caller has hung up meanwhile
                self._release(transfer)

    async def _look_for(self, transfer: Transfer, since: datetime) -> None:
        """The person may ring: then callbacks tell. Where the carrier has no such call, they never will."""
        for pause in LOOKED_FOR:
            await asyncio.sleep(pause)
            if transfer.target_sid is not None:
                return
            with suppress(CarrierError):
                found = await self._calls.find(to=transfer.wish.target, caller=transfer.order.own_number, since=since)
                if all(self._desk.transfers.knows_leg(call.sid) for call in found):  # all are others'
                    transfer.fail("failed")
                    return

    def _release(self, transfer: Transfer) -> None:
        if transfer.target_sid is not None and transfer.stage is not Stage.JOINED:
            self._desk.background.spawn(self._hang_up(transfer.target_sid, ringing=True), "hanging up")

    async def _hang_up(self, sid: str, *, ringing: bool = False) -> None:
        """End a line, whether it rings or talks; one that has ended is not minded."""
        for before_answer in (True, False) if ringing else (False,):
            try:
                await self._calls.hang_up(sid, ringing=before_answer)
            except CarrierRefused:
                continue
            except CarrierError as error:
                log.warning("a line was not ended", sid=sid, reason=str(error))

    def _back(self, call_id: str, sid: str, reason: str) -> str:
        returned = self._desk.transfers.back(call_id, sid, reason)
        if returned is None:
            return self._desk.carrier.hang_up()
        note = self._desk.parts.book.note(call_id, CallFacts(outcome=Outcome.NOT_TRANSFERRED))
        self._desk.background.spawn(note, "noting a transfer that came to nothing")
        return self._desk.connect(sid, StreamTicket(returned.order, returned.resumption))

    async def _lost(self, call_id: str, request: CarrierRequest) -> CallOrder | None:
        """A call that is on but that this process does not know."""
        desk = self._desk
        if not request.inbound:
            return await desk.parts.book.answered(call_id, request.sid)
        found = await desk.parts.book.incoming(
            request.sid, carrier=desk.carrier.name, caller=request.caller, called=request.called, agent_id=None
        )
        return found if isinstance(found, CallOrder) and found.call_id == call_id else None

    def _is_warm(self, transfer: Transfer) -> bool:
        return transfer.wish.warm and self._desk.parts.calls is not None

    @property
    def _calls(self) -> TwilioCalls:
        calls = self._desk.parts.calls
        if calls is None:
            raise RuntimeError("nobody can be called")
        return calls


def _room(call_id: str) -> str:
    return f"call-{call_id}"
