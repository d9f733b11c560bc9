"""Removing what has been kept long enough: files first, then the row, so that no file is ever forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server.database import Database
from server.database.tables import Job
from server.jobs.handlers import Files
from server.jobs.states import FINAL
from server.storage.errors import StorageError

log = structlog.get_logger(__name__)

_BATCH: Final = 100


def expired(session: Session, now: datetime, after: str = "") -> list[tuple[str, list[str]]]:
    """Jobs whose time is over with the keys of their files, a page by id."""
    query = select(Job.id, Job.result).where(Job.expires < now, Job.status.in_(FINAL), Job.id > after)
    return [
        (job_id, [file["key"] for file in (result or {}).get("outputs", ())])
        for job_id, result in session.execute(query.order_by(Job.id).limit(_BATCH))
    ]


def forget(session: Session, job_ids: list[str]) -> None:
    """Remove the rows; their deliveries go with them."""
    session.execute(delete(Job).where(Job.id.in_(job_ids)))


def remove_expired(database: Database, files: Files, now: datetime | None = None) -> int:
    """Remove every job whose time is over, with its files; returns how many.

    A job whose files cannot be removed now is kept for the next time.
    """
    removed, after = 0, ""
    now = now or datetime.now(UTC)
    while page := database.read_here(expired, now, after):
        after = page[-1][0]
        gone = []
        for job_id, keys in page:
            try:
                for key in keys:
                    files.delete(key)
            except (OSError, StorageError) as error:
                log.warning("a job's files cannot be removed", job=job_id, reason=str(error))
            else:
                gone.append(job_id)
        database.run_here(forget, gone)
        removed += len(gone)
    return removed
