"""The books of telephone calls: what the wire tells of a call becomes its state, its records and its price."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from server.calling import billing, do_not_call, steps
from server.calling.numbers import Numbers
from server.calling.steps import Ended
from server.credits import InsufficientCredits
from server.database import Database
from server.database.tables import Call, PhoneCall
from server.phone.book import CallFacts, CallOrder, CallRefused, Outcome
from telephony.numbers import country_of
from telephony.progress import CallState
from telephony.twilio.rest import CarrierCall

NO_SUCH_NUMBER: Final = "The number you have called is not in service. Goodbye."
NOT_AVAILABLE: Final = "Sorry, the assistant you are calling is not available. Goodbye."
IS_OVER: Final = "This call has ended already. Goodbye."
_TRIES: Final = 3

OUT_OF_CREDIT: Final = "The account's credits were used up"
FAREWELL: Final = timedelta(seconds=20)
"""A call whose account cannot pay its next minute is ended politely within this, or without a word after it."""

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger(__name__)


class Advance(Enum):
    """What became of a call's next minute; UNPAID_STILL: the farewell is over too."""

    PAID = "paid"
    UNPAID = "unpaid"
    UNPAID_STILL = "unpaid still"


class Books:
    """Implements `server.phone.book.CallBook`, and what dialling needs besides.

    `price`: credits a minute of inbound calls. `on_ended`: called in the transaction in which a call reaches its final
    state, before its minutes are paid (so `cost` is not final yet); again, should a late `completed` correct it.
    """

    def __init__(
        self,
        database: Database,
        numbers: Numbers,
        *,
        price: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._numbers = numbers
        self._price = price
        self._now = now
        self.on_ended: list[Ended] = []

    # What the wire tells

    async def incoming(
        self, sid: str, *, carrier: str, caller: str, called: str, agent_id: str | None
    ) -> CallOrder | CallRefused:
        """See `CallBook`. It is in progress, and its first minute reserved, from now on."""
        try:
            return await self._run(self._incoming, sid, carrier, caller=caller, called=called, agent_id=agent_id)
        except InsufficientCredits as error:
            log.warning("a call was refused: its account has too few credits", sid=sid, available=error.available)
            return CallRefused(NOT_AVAILABLE)

    async def expected(self, call_id: str) -> CallOrder | None:
        """See `CallBook`."""
        return await self._run(_expected, call_id)

    async def answered(self, call_id: str, sid: str) -> CallOrder | None:
        """See `CallBook`."""
        return await self._run(self._answered, call_id, sid)

    async def report(self, call_id: str, status: str, *, sid: str, seconds: int | None = None) -> None:
        """See `CallBook`."""
        await self._run(self._report, call_id, status, sid, seconds)

    async def note(self, call_id: str, facts: CallFacts) -> None:
        """See `CallBook`."""
        await self._run(_note, call_id, facts)

    async def opted_out(self, call_id: str) -> None:
        """See `CallBook`. Who hides their number cannot be put on the list."""
        await self._run(_opted_out, call_id)

    async def line_closed(self, call_id: str, reason: str) -> None:
        """See `CallBook`."""
        await self._run(self._line_closed, call_id, reason)

    # What dialling tells

    async def placed(self, call_id: str, call: CarrierCall) -> CallState | None:
        """The carrier has taken the call; what it is now. None where it is another call's."""
        return await self._run(self._placed, call_id, call)

    async def fail(self, call_id: str, error: str) -> None:
        """The call was never placed. One of which more is known, a sid or an end, stays as it is."""
        await self._run(self._unplaced, call_id, CallState.FAILED, error)

    async def cancel(self, call_id: str) -> bool:
        """Whether the call ends before the carrier is known to have it; then it is cancelled now."""
        return await self._run(self._unplaced, call_id, CallState.CANCELED, None)

    async def lost(self, call_id: str, error: str) -> None:
        """Nobody will ever tell how the call ended: one that was answered is completed, another has failed."""
        await self._run(self._lost, call_id, error)

    # In transactions

    def _incoming(
        self, session: Session, sid: str, carrier: str, *, caller: str, called: str, agent_id: str | None
    ) -> CallOrder | CallRefused:
        found = session.scalar(select(PhoneCall).where(PhoneCall.sid == sid))
        if found is not None:
            over = CallState(found.state).ended or found.direction != "inbound"
            return CallRefused(IS_OVER) if over else order_of(session, found)
        reached = self._numbers.reached(session, called, agent_id)
        if reached is None or reached.account_id is None:
            log.warning("a call reached no agent", sid=sid, agent=agent_id)
            return CallRefused(NO_SUCH_NUMBER)
        now = self._now()
        call = steps.add(
            session,
            account_id=reached.account_id,
            agent_id=reached.agent_id,
            direction="inbound",
            carrier=carrier,
            sid=sid,
            own_number=called,
            peer=caller,
            price=self._price,
            now=now,
        )
        steps.report(session, call, CallState.IN_PROGRESS.value, now=now)
        return order_of(session, call)

    def _answered(self, session: Session, call_id: str, sid: str) -> CallOrder | None:
        call = steps.locked(session, call_id)
        if call is None or call.direction != "outbound" or CallState(call.state).ended:
            return None
        if not _is(session, call, sid):
            return None
        steps.report(session, call, CallState.IN_PROGRESS.value, now=self._now())
        return order_of(session, call)

    def _report(self, session: Session, call_id: str, status: str, sid: str, seconds: int | None) -> None:
        if not call_id:
            call_id = session.scalar(select(PhoneCall.call_id).where(PhoneCall.sid == sid)) or ""
        call = steps.locked(session, call_id)
        if call is None:
            log.debug("a carrier told of an unknown call", call=call_id, sid=sid)
        elif _is(session, call, sid):
            self._step(session, call, status, seconds=seconds)

    def _line_closed(self, session: Session, call_id: str, reason: str) -> None:
        call = steps.locked(session, call_id)
        if call is None:
            return
        conversation = session.get_one(Call, call_id)
        conversation.end_reason = conversation.end_reason or reason[:100] or None
        if call.direction == "inbound":
            self._step(session, call, CallState.COMPLETED.value)

    def _placed(self, session: Session, call_id: str, placed: CarrierCall) -> CallState | None:
        call = steps.locked(session, call_id)
        if call is None or not _is(session, call, placed.sid):
            return None
        self._step(session, call, placed.status, seconds=placed.seconds)
        return CallState(call.state)

    def _unplaced(self, session: Session, call_id: str, state: CallState, error: str | None) -> bool:
        call = steps.locked(session, call_id)
        if call is None or call.sid is not None or CallState(call.state).ended:
            return False
        if state is CallState.FAILED:
            call.outcome = Outcome.NOT_PLACED
        self._step(session, call, state.value, error=error)
        return True

    def _lost(self, session: Session, call_id: str, error: str) -> None:
        call = steps.locked(session, call_id)
        if call is None or CallState(call.state).ended:
            return
        answered = call.answered is not None
        # As if it had ended when somebody last knew of it: then all that was reserved is due, and no more. Its seconds
        # stay unknown, so that a carrier that tells them after all is believed.
        then = min(self._now(), call.next_minute) if call.next_minute is not None else self._now()
        state = CallState.COMPLETED if answered else CallState.FAILED
        self._step(session, call, state.value, error=error, now=then)

    def _step(
        self,
        session: Session,
        call: PhoneCall,
        status: str,
        *,
        seconds: int | None = None,
        error: str | None = None,
        now: datetime | None = None,
    ) -> None:
        was = call.state
        steps.report(
            session,
            call,
            status,
            now=now or self._now(),
            seconds=seconds,
            error=error,
            on_ended=tuple(self.on_ended),
        )
        if call.state != was:
            log.info("call", call=call.call_id, sid=call.sid, state=call.state, cost=call.cost)

    async def _run(self, work: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it in one transaction; again where another one was in its way, for then it has done nothing."""
        for _ in range(_TRIES - 1):
            try:
                return await self._database.run(work, *args, **kwargs)
            except (IntegrityError, OperationalError) as error:
                log.info("books are written again", work=work.__name__, error=type(error.orig).__name__)
        return await self._database.run(work, *args, **kwargs)


def order_of(session: Session, call: PhoneCall) -> CallOrder:
    """Who talks with whom."""
    direction: Literal["inbound", "outbound"] = "inbound" if call.direction == "inbound" else "outbound"
    variables: dict[str, Any] = dict(call.variables)
    agent_id = session.get_one(Call, call.call_id).agent
    return CallOrder(call.call_id, call.account_id, agent_id, direction, call.peer, call.own_number, variables)


def _expected(session: Session, call_id: str) -> CallOrder | None:
    call = session.get(PhoneCall, call_id)
    if call is None or call.direction != "outbound" or CallState(call.state).ended:
        return None
    return order_of(session, call)


def advance(session: Session, call_id: str, now: datetime) -> Advance:
    """Reserve the minutes of a call that have begun by now, if nobody has."""
    call = steps.locked(session, call_id)
    while call is not None and call.next_minute is not None and call.next_minute <= now:
        try:
            billing.advance(session, call)
        except InsufficientCredits:
            told = call.error == OUT_OF_CREDIT
            call.error, call.next_minute = OUT_OF_CREDIT, now + FAREWELL
            return Advance.UNPAID_STILL if told else Advance.UNPAID
        if call.error == OUT_OF_CREDIT:
            call.error = None
        session.flush()
    return Advance.PAID


def _is(session: Session, call: PhoneCall, sid: str) -> bool:
    if steps.adopt(session, call, sid):
        return True
    log.warning("a carrier told of a call under another id", call=call.call_id, sid=sid, known=call.sid)
    return False


def _note(session: Session, call_id: str, facts: CallFacts) -> None:
    call = steps.locked(session, call_id)
    if call is None:
        return
    call.answered_by = facts.answered_by or call.answered_by
    call.outcome = (facts.outcome or "")[:40] or call.outcome


def _opted_out(session: Session, call_id: str) -> None:
    call = steps.locked(session, call_id)
    if call is None:
        return
    call.outcome = Outcome.OPTED_OUT
    if country_of(call.peer) is not None:
        do_not_call.add(session, call.account_id, call.peer, "callee")
