"""Orders for jobs: submitted, cancelled. What a worker does with them stands in `claims`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from server.credits import ledger
from server.database.tables import Job
from server.jobs.durable import DurableQueue, Work
from server.jobs.handlers import Kinds
from server.jobs.states import FAMILIES, JobStatus, JobView, check
from server.jobs.store import active_count, add, locked, view

Announce = Callable[[Session, JobView], object]
"""Told of every job that ended, in the transaction in which it did."""
MAX_PAYLOAD_BYTES: Final = 1 << 20


class TooManyJobs(Exception):
    """The account has as many jobs under way as it may; nothing was taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs are waiting or running; try again when one of them has ended")
        self.limit = limit


class NotCancellable(Exception):
    """The job has ended already."""

    def __init__(self, status: JobStatus) -> None:
        super().__init__(f"the job is {status.value} already")
        self.status = status


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What jobs may take: at once for an account, tries for a job, and how long what came of one is kept."""

    active_per_account: int
    attempts: int
    retention: timedelta


class Jobs:
    """Where jobs are ordered. Every method works in its caller's transaction, to be run with `Database.run`."""

    def __init__(self, queue: DurableQueue, kinds: Kinds, limits: JobLimits, announce: Announce) -> None:
        self._queue = queue
        self._kinds = kinds
        self.limits = limits
        self._announce = announce

    def submit(
        self,
        session: Session,
        *,
        kind: str,
        payload: Mapping[str, Any],
        account_id: str,
        price: int,
        family: str = "F2",
        item: str | None = None,
        job_id: str | None = None,
        webhook_url: str | None = None,
    ) -> JobView:
        """Take the credits, write the job and put it into its queue, all or nothing; returns what it is now.

        `item` is what usage counts it as (default: the kind). Raises `server.credits.ledger.InsufficientCredits`,
        `TooManyJobs`, and `KeyError` for a kind or family that is not there.
        """
        queue = self._kinds[kind].queue.value
        if family not in FAMILIES:
            raise KeyError(family)
        if len(json.dumps(payload, allow_nan=False)) > MAX_PAYLOAD_BYTES:
            raise ValueError("a job's payload is a description; files go into storage")
        active = active_count(session, account_id)
        if active >= self.limits.active_per_account:
            raise TooManyJobs(self.limits.active_per_account)
        now = datetime.now(UTC)
        made = job_id or str(uuid.uuid4())
        unit = f"{made}.0"
        row = {
            "id": made,
            "account_id": account_id,
            "family": family,
            "kind": kind,
            "queue": queue,
            "status": JobStatus.QUEUED.value,
            "phase": "",
            "progress": 0.0,
            "payload": dict(payload),
            "checkpoints": {},
            "price": price,
            "webhook_url": webhook_url,
            "attempt": 0,
            "strikes": 0,
            "unit": unit,
            "created": now,
            "updated": now,
        }
        job = add(session, row)
        ledger.reserve(session, account_id, price, job_id=made, item=item or kind)
        # An account's first job goes before another's second: nobody is kept waiting by whoever orders a hundred.
        self._queue.enqueue(session, unit, work=Work.JOB, queue=queue, subject=made, priority=active)
        return job

    def cancel(self, session: Session, account_id: str, job_id: str) -> JobView:
        """End a job that waits or runs, at once, and give its credits back; its worker hears of it within a second.

        Raises `LookupError` for an unknown id or another account's, and `NotCancellable`.
        """
        job = locked(session, job_id)
        if job is None or job.account_id != account_id:
            raise LookupError(job_id)
        if JobStatus(job.status).final:
            raise NotCancellable(JobStatus(job.status))
        self.end(session, job, JobStatus.CANCELLED)
        return view(job)

    def end(
        self,
        session: Session,
        job: Job,
        status: JobStatus,
        *,
        result: Mapping[str, Any] | None = None,
        amount: int | None = None,
        error: str | None = None,
        error_code: str | None = None,
    ) -> None:
        """The one way in which a job ends: its state, its credits and its messages become true together."""
        check(job.status, status)
        now = datetime.now(UTC)
        job.status = status.value
        job.finished = job.updated = now
        job.expires = now + self.limits.retention
        job.worker = None
        job.attempt += 1
        if status is JobStatus.COMPLETED:
            job.result = dict(result or {})
            job.progress = 1.0
            ledger.settle(session, job.id, amount)
        else:
            job.error = error[:500] if error else None
            job.error_code = error_code
            ledger.refund(session, job.id)
        session.flush()
        self._announce(session, view(job))
