"""Jobs in the database: what endpoints ask for. Every function works in its caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, func, insert, or_, select
from sqlalchemy.orm import Session

from server.database.engine import flushed
from server.database.tables import Job
from server.jobs.states import ACTIVE, JobStatus, JobView

PAGE = 50

_COLUMNS = Job.__table__.c
# Of the table, not of the class: pollers ask for this all the time, and an object in the session costs as much again.
# Made once: to build a statement takes longer than to run it.
_BY_ID = select(*(_COLUMNS[field.name] for field in fields(JobView))).where(_COLUMNS.id == bindparam("wanted"))
_ACTIVE_OF = (
    select(func.count())
    .select_from(cast(Table, Job.__table__))
    .where(_COLUMNS.account_id == bindparam("account"), or_(*(_COLUMNS.status == status for status in ACTIVE)))
)
_NEW = insert(cast(Table, Job.__table__))


def view(job: Job) -> JobView:
    """What may be shown of a row."""
    return _view({field.name: getattr(job, field.name) for field in fields(JobView)})


def find(session: Session, account_id: str, job_id: str, *, families: tuple[str, ...] = ()) -> JobView | None:
    """An account's job (of these families); None for an unknown id and for another account's alike."""
    row = flushed(session).execute(_BY_ID, {"wanted": job_id}).mappings().first()
    if row is None or row["account_id"] != account_id or (families and row["family"] not in families):
        return None
    return _view(dict(row))


def listing(
    session: Session,
    account_id: str,
    *,
    limit: int = PAGE,
    after: str | None = None,
    families: tuple[str, ...] = (),
    statuses: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
) -> tuple[list[JobView], bool]:
    """An account's jobs, the newest first, and whether there are more. `after` is the last id of the page before.

    Raises `LookupError` where `after` is no job of the account.
    """
    query = select(Job).where(Job.account_id == account_id)
    for column, wanted in ((Job.family, families), (Job.status, statuses), (Job.kind, kinds)):
        if wanted:
            query = query.where(column.in_(wanted))
    if after is not None:
        last = session.get(Job, after)
        if last is None or last.account_id != account_id:
            raise LookupError(after)
        query = query.where(or_(Job.created < last.created, and_(Job.created == last.created, Job.id < last.id)))
    rows = list(session.scalars(query.order_by(Job.created.desc(), Job.id.desc()).limit(limit + 1)))
    return [view(job) for job in rows[:limit]], len(rows) > limit


def active_count(session: Session, account_id: str) -> int:
    """How many of an account's jobs wait or run."""
    return int(flushed(session).execute(_ACTIVE_OF, {"account": account_id}).scalar_one())


def add(session: Session, columns: Mapping[str, Any]) -> JobView:
    """Write a new job: the row's columns by name, those that are left out being null; returns what may be shown."""
    flushed(session).execute(_NEW, columns)
    return _view({field.name: columns.get(field.name) for field in fields(JobView)})


def depths(session: Session) -> Mapping[tuple[str, str], int]:
    """How many jobs wait or run, by queue and status."""
    query = select(Job.queue, Job.status, func.count()).where(Job.status.in_(ACTIVE)).group_by(Job.queue, Job.status)
    return {(queue, status): count for queue, status, count in session.execute(query)}


def finished_since(session: Session, since: datetime, until: datetime) -> list[tuple[str, str, float | None]]:
    """The jobs that ended in [since, until): kind, status, and the seconds they ran (None: never)."""
    query = select(Job.kind, Job.status, Job.started, Job.finished).where(Job.finished >= since, Job.finished < until)
    return [
        (kind, status, (finished - started).total_seconds() if started and finished else None)
        for kind, status, started, finished in session.execute(query)
    ]


def locked(session: Session, job_id: str) -> Job | None:
    """The row, kept from other transactions until this one ends."""
    query = select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
    found: Job | None = session.scalar(query)
    return found


def _view(columns: Mapping[str, Any]) -> JobView:
    return JobView(**{**columns, "status": JobStatus(columns["status"])})
