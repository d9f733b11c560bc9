"""Calls in the database, as those see them to whom their agents belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from server.database.tables import Account, Call, MadeAgent, Turn


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call; `turns` counts the exchanges in it."""

    id: str
    agent: str
    channel: str
    peer: str
    started: datetime
    ended: datetime | None
    end_reason: str | None
    turns: int


def calls_page(
    session: Session,
    account_id: str,
    *,
    configured: Sequence[str],
    limit: int,
    after: str | None = None,
    agent_id: str | None = None,
) -> tuple[list[CallRecord], bool]:
    """A page of the calls of an account's agents (or of one of them), the newest first; and whether there are more.

    The `configured` agents belong to whoever runs the server: to the first account. Raises `LookupError` where `after`
    is none of these calls.
    """
    own = select(MadeAgent.id).where(MadeAgent.account_id == account_id)
    theirs = [Call.agent.in_(own)]
    first = session.scalar(select(Account.id).order_by(Account.created, Account.id).limit(1))
    if account_id == first and configured:
        theirs.append(Call.agent.in_(configured))
    query = select(Call).where(or_(*theirs))
    if agent_id is not None:
        query = query.where(Call.agent == agent_id)
    if after is not None:
        last = session.scalar(query.where(Call.id == after))
        if last is None:
            raise LookupError(after)
        query = query.where(or_(Call.started < last.started, and_(Call.started == last.started, Call.id < last.id)))
    rows = list(session.scalars(query.order_by(Call.started.desc(), Call.id.desc()).limit(limit + 1)))
    shown = rows[:limit]
    turns = select(Turn.call_id, func.count()).where(Turn.call_id.in_([row.id for row in shown])).group_by(Turn.call_id)
    counted: dict[str, int] = dict(iter(session.execute(turns)))
    return [_record(row, counted.get(row.id, 0)) for row in shown], len(rows) > limit


def _record(row: Call, turns: int) -> CallRecord:
    return CallRecord(row.id, row.agent, row.channel, row.peer, row.started, row.ended, row.end_reason, turns)
