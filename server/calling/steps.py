"""The steps of a call's row, from the order to its end: each leaves state, credits and records right together.

Every function works in its caller's transaction; `locked` keeps the row from all others until that ends. Rows are
locked before balances, so that transactions wait for each other and not in a circle.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.calling import billing
from server.database.calls import LINE_ENDED
from server.database.tables import Call, PhoneCall
from telephony.progress import CallProgress, CallState

Ended = Callable[[Session, PhoneCall], None]
"""Told of a call that has come to its final state, before it is paid; again, should that state be corrected."""

CHANNEL: Final = "phone"
GOING_ON: Final = tuple(state.value for state in CallState if not state.ended)
_ENDS: Final = {
    CallState.COMPLETED: LINE_ENDED,
    CallState.BUSY: "busy",
    CallState.NO_ANSWER: "nobody answered",
    CallState.FAILED: "failed",
    CallState.CANCELED: "cancelled",
}


def new_call_id() -> str:
    """A random id of a call."""
    return f"call_{secrets.token_hex(12)}"


def add(
    session: Session,
    *,
    account_id: str,
    agent_id: str,
    direction: str,
    carrier: str,
    own_number: str,
    peer: str,
    price: int,
    now: datetime,
    sid: str | None = None,
    variables: Mapping[str, Any] | None = None,
    contact_id: int | None = None,
) -> PhoneCall:
    """Write a new call, queued, and reserve its first minute. Raises `InsufficientCredits`."""
    call_id = new_call_id()
    session.add(Call(id=call_id, agent=agent_id, channel=CHANNEL, peer=peer[:200], started=now))
    session.flush()
    call = PhoneCall(
        call_id=call_id,
        account_id=account_id,
        direction=direction,
        carrier=carrier,
        sid=sid,
        own_number=own_number[:40],
        peer=peer[:200],
        state=CallState.QUEUED.value,
        created=now,
        updated=now,
        minute_price=price,
        minutes=0,
        billed=False,
        cost=0,
        variables=dict(variables or {}),
        contact_id=contact_id,
    )
    session.add(call)
    session.flush()
    billing.begin(session, call)
    return call


def locked(session: Session, call_id: str) -> PhoneCall | None:
    """A call's row, kept from other transactions until this one ends."""
    query = select(PhoneCall).where(PhoneCall.call_id == call_id).with_for_update()
    found: PhoneCall | None = session.scalar(query.execution_options(populate_existing=True))
    return found


def adopt(session: Session, call: PhoneCall, sid: str) -> bool:
    """Whether this is the call's id at the carrier; where none was known, it is from now on."""
    if call.sid is None and sid:
        if session.scalar(select(PhoneCall.call_id).where(PhoneCall.sid == sid)) is not None:
            return False
        call.sid = sid
        session.flush()
    return call.sid == sid


def report(
    session: Session,
    call: PhoneCall,
    status: str,
    *,
    now: datetime,
    seconds: int | None = None,
    error: str | None = None,
    on_ended: Iterable[Ended] = (),
) -> None:
    """Let the call be what its carrier says; what it says late, twice or out of order changes nothing that is right.

    `seconds`: billed ones, where it tells. What is due is paid at the end; an end that is corrected (`completed` after
    another one, news that it was answered, how long it was) adds what is missing.
    """
    before = CallProgress(CallState(call.state), call.answered is not None)
    after = before.report(status)
    call.updated = now
    measured = after.state.ended and seconds is not None and (call.seconds is None or after != before)
    if seconds is not None and measured:
        call.seconds = max(0, min(seconds, billing.LONGEST_S))
    if after == before and not measured:
        return
    if after.answered and call.answered is None:
        call.answered = now - timedelta(seconds=call.seconds or 0)
        call.next_minute = None if after.state.ended else now + billing.MINUTE
    call.state = after.state.value
    call.error = (error[:500] if error else None) or call.error
    if after.state.ended:
        _end(session, call, now, on_ended if after.state is not before.state else ())
    session.flush()


def duration(call: PhoneCall, now: datetime) -> int:
    """The seconds since it was answered: the carrier's, where it has told them; 0 where nobody has answered."""
    if call.seconds is not None or call.answered is None:
        return call.seconds or 0
    return max(0, int((now - call.answered).total_seconds()))


def _end(session: Session, call: PhoneCall, now: datetime, on_ended: Iterable[Ended]) -> None:
    row = update(Call).where(Call.id == call.call_id)
    session.execute(row.where(Call.end_reason.is_(None)).values(end_reason=_ENDS[CallState(call.state)]))
    session.execute(row.where(Call.ended.is_(None) | (Call.ended < now)).values(ended=now))
    session.flush()
    for told in on_ended:
        told(session, call)
    billing.close(session, call, billing.minutes_due(answered=call.answered is not None, seconds=duration(call, now)))
