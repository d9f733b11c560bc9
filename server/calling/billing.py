"""What a call costs: a minute is reserved before it begins, and each that has begun is paid at the end.

    begin → advance* → close

Every function works in its caller's transaction, on a row of `phone_calls` that the caller has locked. Minute `k` of a
call is the ledger's job "CALL.k", so no minute can be reserved or paid twice.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.credits import InsufficientCredits, refund, reserve, settle
from server.database.tables import PhoneCall
from server.database.tables.credits import CreditReservation

MINUTE: Final = timedelta(minutes=1)
ITEMS: Final = ("call_minute", "inbound_minute")
"""What usage and the price list call minutes: of outbound calls, and of inbound ones."""
LONGEST_S: Final = 24 * 3600
"""No carrier holds a call for longer, so no report makes one cost more."""


def minutes_due(*, answered: bool, seconds: int) -> int:
    """The minutes that a call of so many seconds has begun: 0 where nobody answered, else 1 or more."""
    return max(1, math.ceil(min(seconds, LONGEST_S) / 60)) if answered else 0


def begin(session: Session, call: PhoneCall) -> None:
    """Reserve the first minute. Raises `InsufficientCredits`; then nothing was taken."""
    _reserve(session, call, minute_id(call, 1))
    call.minutes, call.cost = 1, call.minute_price


def advance(session: Session, call: PhoneCall) -> None:
    """Reserve the minute that begins now. Raises `InsufficientCredits`; then nothing was taken."""
    _reserve(session, call, minute_id(call, call.minutes + 1))
    call.minutes += 1
    call.cost = call.minutes * call.minute_price
    if call.next_minute is not None:
        call.next_minute += MINUTE


def close(session: Session, call: PhoneCall, due: int) -> None:
    """Pay `due` minutes and give back the others that are reserved; minutes that are missing are taken if they can be.

    May be called again where a call turns out to have been longer: what is paid stays paid, the rest is added.
    """
    states = _states(session, call, max(due, call.minutes))
    for minute in range(due + 1, call.minutes + 1):
        if states.get(minute_id(call, minute)) == "held":
            refund(session, minute_id(call, minute))
    paid = 0
    for minute in range(1, due + 1):
        if not _pay(session, call, minute, states):
            break
        paid += 1
    call.minutes, call.cost = paid, paid * call.minute_price
    call.next_minute, call.billed = None, True


def minute_id(call: PhoneCall, minute: int, *, again: bool = False) -> str:
    """The ledger's id of a minute; `again`: of one that had been given back before it turned out to be due."""
    return f"{call.call_id}.{minute}{'.again' if again else ''}"


def item_of(call: PhoneCall) -> str:
    """What usage counts a call's minutes as."""
    return ITEMS[0] if call.direction == "outbound" else ITEMS[1]


def _pay(session: Session, call: PhoneCall, minute: int, states: dict[str, str]) -> bool:
    """Pay a minute; False where the account cannot."""
    first, second = minute_id(call, minute), minute_id(call, minute, again=True)
    if "settled" in (states.get(first), states.get(second)):
        return True
    name = second if states.get(first) == "refunded" else first
    if name not in states:
        try:
            _reserve(session, call, name)
        except InsufficientCredits:
            return False
    settle(session, name)
    return True


def _reserve(session: Session, call: PhoneCall, name: str) -> None:
    reserve(session, call.account_id, call.minute_price, job_id=name, item=item_of(call))


def _states(session: Session, call: PhoneCall, last: int) -> dict[str, str]:
    """The reservations of the minutes up to `last` that are there, and what became of them."""
    names = [minute_id(call, minute, again=again) for minute in range(1, last + 1) for again in (False, True)]
    row = CreditReservation
    return dict(iter(session.execute(select(row.job_id, row.state).where(row.job_id.in_(names)))))
