"""Calls in the database, as those see them to whom they belong: telephone calls, and those in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from server.calling.owners import first_account
from server.calling.steps import GOING_ON
from server.database.tables import Call, MadeAgent, PhoneCall, Turn
from server.storage.records import ready_keys

Direction = Literal["inbound", "outbound"]
ACTIVE, COMPLETED = "active", "completed"


@dataclass(frozen=True, slots=True)
class PhoneFacts:
    """What only telephone calls have; see `server.database.tables.PhoneCall`. `recording`: where it can be had."""

    direction: Direction
    state: str
    answered: datetime | None
    seconds: int | None
    cost: int
    answered_by: str | None
    outcome: str | None
    error: str | None
    recording: str | None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call; `turns` counts the exchanges in it. `phone`: None for one in the browser."""

    id: str
    agent: str
    channel: str
    peer: str
    started: datetime
    ended: datetime | None
    end_reason: str | None
    turns: int
    phone: PhoneFacts | None = None


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """An exchange: what the caller said, what was answered, what of that was heard, and when each word was."""

    began: datetime
    transcript: str
    answer: str
    heard: str
    interrupted: bool
    words: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls. `status`: a state of a telephone call, or `active`: every call that goes on."""

    agent_id: str | None = None
    status: str | None = None
    direction: Direction | None = None


def calls_page(
    session: Session,
    account_id: str,
    *,
    configured: Sequence[str],
    limit: int,
    after: str | None = None,
    only: CallFilter = CallFilter(),
) -> tuple[list[CallRecord], bool]:
    """A page of an account's calls, the newest first; and whether there are more.

    Telephone calls belong to the account that pays them, others to their agent's; the `configured` agents are the first
    account's. Raises `LookupError` where `after` is none of these calls.
    """
    query = _filtered(_owned(session, account_id, configured), only)
    if after is not None:
        last = session.execute(query.where(Call.id == after)).first()
        if last is None:
            raise LookupError(after)
        began = last[0].started
        query = query.where(or_(Call.started < began, and_(Call.started == began, Call.id < after)))
    rows = list(session.execute(query.order_by(Call.started.desc(), Call.id.desc()).limit(limit + 1)))
    shown = rows[:limit]
    turns = select(Turn.call_id, func.count()).where(Turn.call_id.in_([call.id for call, _ in shown]))
    counted: dict[str, int] = dict(iter(session.execute(turns.group_by(Turn.call_id))))
    kept = _kept(session, [phone for _, phone in shown])
    return [_record(call, phone, counted.get(call.id, 0), kept) for call, phone in shown], len(rows) > limit


def call_in_full(
    session: Session, account_id: str, call_id: str, *, configured: Sequence[str]
) -> tuple[CallRecord, list[TurnRecord]] | None:
    """One of an account's calls and what was said in it; None for an unknown id and for another's alike."""
    found = session.execute(_owned(session, account_id, configured).where(Call.id == call_id)).first()
    if found is None:
        return None
    rows = session.scalars(select(Turn).where(Turn.call_id == call_id).order_by(Turn.sequence))
    turns = [TurnRecord(row.began, row.transcript, row.answer, row.heard, row.interrupted, row.words) for row in rows]
    return _record(found[0], found[1], len(turns), _kept(session, [found[1]])), turns


def _owned(session: Session, account_id: str, configured: Sequence[str]) -> Select[Call, PhoneCall]:
    own = select(MadeAgent.id).where(MadeAgent.account_id == account_id)
    theirs: list[ColumnElement[bool]] = [Call.agent.in_(own)]
    if configured and account_id == first_account(session):
        theirs.append(Call.agent.in_(configured))
    return (
        select(Call, PhoneCall)
        .outerjoin(PhoneCall, PhoneCall.call_id == Call.id)
        .where(or_(PhoneCall.account_id == account_id, and_(PhoneCall.call_id.is_(None), or_(*theirs))))
    )


def _filtered(query: Select[Call, PhoneCall], only: CallFilter) -> Select[Call, PhoneCall]:
    in_browser = PhoneCall.call_id.is_(None)
    if only.agent_id is not None:
        query = query.where(Call.agent == only.agent_id)
    if only.direction is not None:  # who is in the browser came to us
        others = [in_browser] if only.direction == "inbound" else []
        query = query.where(or_(PhoneCall.direction == only.direction, *others))
    if only.status == ACTIVE:
        return query.where(or_(PhoneCall.state.in_(GOING_ON), and_(in_browser, Call.ended.is_(None))))
    if only.status == COMPLETED:
        return query.where(or_(PhoneCall.state == COMPLETED, and_(in_browser, Call.ended.is_not(None))))
    return query if only.status is None else query.where(PhoneCall.state == only.status)


def _kept(session: Session, calls: Sequence[PhoneCall | None]) -> AbstractSet[str]:
    """The recordings of these calls that are in storage; a moment after its call, one is still on its way."""
    return ready_keys(session, [call.recording for call in calls if call is not None and call.recording])


def _record(row: Call, phone: PhoneCall | None, turns: int, kept: AbstractSet[str]) -> CallRecord:
    facts = None
    if phone is not None:
        direction: Direction = "outbound" if phone.direction == "outbound" else "inbound"
        facts = PhoneFacts(
            direction=direction,
            state=phone.state,
            answered=phone.answered,
            seconds=phone.seconds,
            cost=phone.cost,
            answered_by=phone.answered_by,
            outcome=phone.outcome,
            error=phone.error,
            recording=phone.recording if phone.recording in kept else None,
        )
    return CallRecord(row.id, row.agent, row.channel, row.peer, row.started, row.ended, row.end_reason, turns, facts)
