"""Rows of agents: functions of a database session, for `server.database.Database.run`."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from server.database.tables import Account, MadeAgent
from server.owners import Asker, Owner

ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What an agent's id may look like; nothing else is looked for."""

Status = Literal["processing", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """An agent that somebody made; the fields are those of `server.database.tables.MadeAgent`."""

    id: str
    owner: Owner
    name: str
    status: Status
    definition: Mapping[str, Any]
    created: datetime
    updated: datetime
    based_on: str | None = None
    avatar_id: str | None = None
    voice: str | None = None
    error_message: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    expires: datetime | None = None


def new_agent_id() -> str:
    """A random id of an agent."""
    return f"agent_{secrets.token_hex(8)}"


def new_short_id() -> str:
    """A random id like A91XMB7113, as the agent creation service gives them."""
    digits, letters = string.digits, string.ascii_uppercase
    return "A" + "".join(secrets.choice(kind) for kind in (*[digits] * 2, *[letters] * 3, *[digits] * 4))


def insert_agent(session: Session, record: AgentRecord) -> None:
    """Add an agent. Raises `sqlalchemy.exc.IntegrityError` where its id is taken or its avatar is not there."""
    session.add(
        MadeAgent(
            id=record.id,
            account_id=record.owner.account,
            visitor=record.owner.visitor,
            name=record.name,
            definition=dict(record.definition),
            based_on=record.based_on,
            avatar_id=record.avatar_id,
            voice=record.voice,
            status=record.status,
            error_message=record.error_message,
            source=dict(record.source),
            created=record.created,
            updated=record.updated,
            expires=record.expires,
        )
    )
    session.flush()


def agent_by_id(session: Session, agent_id: str) -> AgentRecord | None:
    """The agent of this id."""
    row = session.get(MadeAgent, agent_id) if ID.fullmatch(agent_id) else None
    return None if row is None else _record(row)


def agents_of(session: Session, owner: Owner, limit: int = 100) -> list[AgentRecord]:
    """What somebody has made, the newest first."""
    rows = session.scalars(
        select(MadeAgent).where(_owned(owner)).order_by(MadeAgent.created.desc(), MadeAgent.id).limit(limit)
    )
    return [_record(row) for row in rows]


def agents_for(session: Session, asker: Asker, agent_id: str | None = None, limit: int = 100) -> list[AgentRecord]:
    """The ready agents that somebody may talk to, the newest first; or only that one, if it is among them."""
    allowed: list[ColumnElement[bool]] = []
    if asker.owner is not None:
        allowed.append(_owned(asker.owner))
    if asker.operator:
        first = select(Account.id).order_by(Account.created, Account.id).limit(1).scalar_subquery()
        allowed.append(MadeAgent.account_id == first)
    if asker.named:
        allowed.append(MadeAgent.id.in_(asker.named))
    if not allowed:
        return []
    found = select(MadeAgent).where(MadeAgent.status == "ready", or_(*allowed))
    found = found.where(or_(MadeAgent.expires.is_(None), MadeAgent.expires > datetime.now(UTC)))
    if agent_id is not None:
        if not ID.fullmatch(agent_id):
            return []
        found = found.where(MadeAgent.id == agent_id)
    rows = session.scalars(found.order_by(MadeAgent.created.desc(), MadeAgent.id).limit(limit))
    return [_record(row) for row in rows]


def agents_in_work(session: Session) -> list[AgentRecord]:
    """Agents that are being made, the oldest first."""
    rows = session.scalars(select(MadeAgent).where(MadeAgent.status == "processing").order_by(MadeAgent.created))
    return [_record(row) for row in rows]


def change_agent(session: Session, agent_id: str, *, only: Status | None = None, **fields: Any) -> AgentRecord | None:
    """Set fields of an agent, `updated` among them; with `only`, where its status is that. Returns it as it is now.

    None where nothing was changed: there is no such agent, or its status is another.
    """
    row = session.get(MadeAgent, agent_id, with_for_update=True)
    if row is None or (only is not None and row.status != only):
        return None
    for name, value in {"updated": datetime.now(UTC), **fields}.items():
        setattr(row, name, dict(value) if isinstance(value, Mapping) else value)
    session.flush()
    return _record(row)


def remove_agent(session: Session, agent_id: str) -> None:
    """Forget an agent."""
    session.execute(delete(MadeAgent).where(MadeAgent.id == agent_id))


def remove_agents_with(session: Session, avatar_id: str) -> list[str]:
    """Forget the visitors' agents that have this face; returns their ids."""
    chosen = select(MadeAgent.id).where(MadeAgent.avatar_id == avatar_id, MadeAgent.visitor.is_not(None))
    ids = list(session.scalars(chosen))
    session.execute(delete(MadeAgent).where(MadeAgent.id.in_(ids)))
    return ids


def remove_expired_agents(session: Session, now: datetime) -> list[str]:
    """Forget the agents whose time is over; returns their ids."""
    ids = list(session.scalars(select(MadeAgent.id).where(MadeAgent.expires <= now)))
    session.execute(delete(MadeAgent).where(MadeAgent.id.in_(ids)))
    return ids


def _owned(owner: Owner) -> ColumnElement[bool]:
    return MadeAgent.account_id == owner.account if owner.account else MadeAgent.visitor == owner.visitor


def _record(row: MadeAgent) -> AgentRecord:
    status: Any = row.status
    return AgentRecord(
        id=row.id,
        owner=Owner(row.account_id, row.visitor),
        name=row.name,
        status=status,
        definition=dict(row.definition),
        created=row.created,
        updated=row.updated,
        based_on=row.based_on,
        avatar_id=row.avatar_id,
        voice=row.voice,
        error_message=row.error_message,
        source=dict(row.source),
        expires=row.expires,
    )
