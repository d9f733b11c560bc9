"""Who is not called again. What a callee has asked for holds: its account cannot take it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.database.tables import DoNotCall

Source = Literal["callee", "owner"]


class AskedNotToBeCalled(Exception):
    """The number is on the list because whoever has it said so; it stays there."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A number (E.164) on an account's list; `source`: who put it there."""

    number: str
    source: str
    created: datetime


def add(session: Session, account_id: str, number: str, source: Source) -> Listed:
    """Put a number on the list; one that is there stays as it is, but that a callee's word takes an owner's place."""
    insert = postgresql.insert if session.connection().dialect.name == "postgresql" else sqlite.insert
    fresh = insert(DoNotCall).values(account_id=account_id, number=number, source=source, created=datetime.now(UTC))
    session.execute(fresh.on_conflict_do_nothing(index_elements=[DoNotCall.account_id, DoNotCall.number]))
    row: DoNotCall = session.scalars(_rows(account_id).where(DoNotCall.number == number)).one()
    if source == "callee":
        row.source = source
        session.flush()
    return _listed(row)


def remove(session: Session, account_id: str, number: str) -> Listed | None:
    """Take a number off the list; None where it is not on it. Raises `AskedNotToBeCalled`."""
    row: DoNotCall | None = session.scalars(_rows(account_id).where(DoNotCall.number == number)).one_or_none()
    if row is None:
        return None
    if row.source == "callee":
        raise AskedNotToBeCalled(number)
    session.delete(row)
    session.flush()
    return _listed(row)


def page(session: Session, account_id: str, *, limit: int, after: str | None = None) -> tuple[list[Listed], bool]:
    """A page of the list, by number, after the number `after`; and whether there are more."""
    query = _rows(account_id).order_by(DoNotCall.number).limit(limit + 1)
    if after is not None:
        query = query.where(DoNotCall.number > after)
    rows: list[DoNotCall] = list(session.scalars(query))
    return [_listed(row) for row in rows[:limit]], len(rows) > limit


def _rows(account_id: str) -> Select[Any]:
    return select(DoNotCall).where(DoNotCall.account_id == account_id)


def _listed(row: DoNotCall) -> Listed:
    return Listed(row.number, row.source, row.created)
