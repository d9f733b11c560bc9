"""What a worker does with a job: claims it, tells how far it is, ends it, tries it again or lets it go.

`attempt` fences. Each claim, and each end, adds one; who writes names the attempt it has, and one that is not the
row's any more has lost the job: its functions return False and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from server.database.tables import Job
from server.jobs.durable import DurableQueue, Work
from server.jobs.handlers import FAILED_TEXT, JobResult
from server.jobs.jobs import Jobs
from server.jobs.states import ACTIVE, JobStatus, check
from server.jobs.store import locked

_BACK_OFF_S = 2.0
_RECONCILE_BATCH = 200
STARTING = "starting"


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is this worker's, under this attempt, until it ends or somebody else claims it."""

    job_id: str
    account_id: str
    family: str
    kind: str
    payload: Mapping[str, Any]
    checkpoints: Mapping[str, Any]
    attempt: int


class Claims:
    """The workers' side of the jobs. Every method works in its caller's transaction."""

    def __init__(self, jobs: Jobs, queue: DurableQueue) -> None:
        self._jobs = jobs
        self._queue = queue

    def claim(self, session: Session, job_id: str, unit: str, worker: str) -> Claim | None:
        """Take the job for this worker, or None: it has ended, or another unit runs it by now.

        A job whose tries are used up ends here: failed, its credits given back.
        """
        job = locked(session, job_id)
        if job is None or JobStatus(job.status).final or job.unit != unit:
            return None
        if job.strikes >= self._jobs.limits.attempts:
            self._jobs.end(session, job, JobStatus.FAILED, error=FAILED_TEXT, error_code="ATTEMPTS")
            return None
        check(job.status, JobStatus.RUNNING)
        job.status = JobStatus.RUNNING.value
        job.attempt += 1
        job.strikes += 1
        job.worker = worker
        job.phase, job.progress = STARTING, 0.0
        job.updated = datetime.now(UTC)
        job.started = job.started or job.updated
        return Claim(job.id, job.account_id, job.family, job.kind, job.payload, job.checkpoints, job.attempt)

    def report(self, session: Session, job_id: str, attempt: int, phase: str, progress: float) -> bool:
        """How far it is."""
        changed = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.attempt == attempt, Job.status == JobStatus.RUNNING.value)
            .values(phase=phase[:40], progress=progress, updated=datetime.now(UTC))
            .execution_options(synchronize_session=False)
        )
        return isinstance(changed, CursorResult) and changed.rowcount == 1

    def keep(self, session: Session, job_id: str, attempt: int, name: str, value: Any) -> bool:
        """A checkpoint, for later attempts."""
        job = self._mine(session, job_id, attempt)
        if job is None:
            return False
        job.checkpoints = {**job.checkpoints, name: value}
        return True

    def complete(self, session: Session, job_id: str, attempt: int, result: JobResult) -> bool:
        """It is done: settled and told."""
        job = self._mine(session, job_id, attempt)
        if job is None:
            return False
        amount = None if result.amount is None else min(result.amount, job.price)
        self._jobs.end(session, job, JobStatus.COMPLETED, result=result.as_json(), amount=amount)
        return True

    def fail(self, session: Session, job_id: str, attempt: int, error: str, code: str) -> bool:
        """It cannot be done: refunded and told."""
        job = self._mine(session, job_id, attempt)
        if job is None:
            return False
        self._jobs.end(session, job, JobStatus.FAILED, error=error, error_code=code)
        return True

    def try_again(self, session: Session, job_id: str, attempt: int) -> bool:
        """It went wrong: queue it again, a while later each time, or fail it when its tries are used up."""
        job = self._mine(session, job_id, attempt)
        if job is None:
            return False
        if job.strikes >= self._jobs.limits.attempts:
            self._jobs.end(session, job, JobStatus.FAILED, error=FAILED_TEXT, error_code="ATTEMPTS")
        else:
            self._requeue(session, job, delay_s=_BACK_OFF_S * 4 ** (job.strikes - 1))
        return True

    def release(self, session: Session, attempts: Mapping[str, int]) -> list[str]:
        """Let go of jobs (id → attempt) because this worker stops: somebody else goes on, and it costs no try."""
        released = []
        for job_id, attempt in attempts.items():
            if (job := self._mine(session, job_id, attempt)) is not None:
                job.strikes = max(0, job.strikes - 1)
                self._requeue(session, job)
                released.append(job_id)
        return released

    def current(self, session: Session, job_ids: Iterable[str]) -> Mapping[str, tuple[str, int]]:
        """Status and attempt of these jobs."""
        query = select(Job.id, Job.status, Job.attempt).where(Job.id.in_(list(job_ids)))
        return {job_id: (status, attempt) for job_id, status, attempt in session.execute(query)}

    def silent(self, session: Session, silent_s: float, after: str = "") -> list[tuple[str, str]]:
        """Jobs under way of which nothing was heard for so long, with their units, by id: candidates for `revive`.

        A page of them; the next one comes `after` the last id.
        """
        before = datetime.now(UTC) - timedelta(seconds=silent_s)
        query = select(Job.id, Job.unit).where(Job.status.in_(ACTIVE), Job.updated < before, Job.id > after)
        query = query.order_by(Job.id).limit(_RECONCILE_BATCH)
        return [(job_id, unit) for job_id, unit in session.execute(query)]

    def revive(self, session: Session, job_id: str, unit: str) -> bool:
        """Queue a job again whose unit has ended without ending it (a database that was away at the wrong moment)."""
        job = locked(session, job_id)
        if job is None or JobStatus(job.status).final or job.unit != unit:
            return False
        self._requeue(session, job)
        return True

    def _requeue(self, session: Session, job: Job, delay_s: float | None = None) -> None:
        if job.status != JobStatus.QUEUED.value:
            check(job.status, JobStatus.QUEUED)
        job.status = JobStatus.QUEUED.value
        job.attempt += 1
        job.worker = None
        job.updated = datetime.now(UTC)
        job.unit = f"{job.id}.{job.attempt}"
        session.flush()
        self._queue.enqueue(session, job.unit, work=Work.JOB, queue=job.queue, subject=job.id, delay_s=delay_s)

    def _mine(self, session: Session, job_id: str, attempt: int) -> Job | None:
        job = locked(session, job_id)
        return job if job is not None and job.attempt == attempt and job.status == JobStatus.RUNNING.value else None
