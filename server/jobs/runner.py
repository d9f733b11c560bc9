"""One job on one worker: claimed, made by its handler, ended. Nothing here raises into the durable queue."""

from __future__ import annotations

import asyncio
import inspect
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from server.database import Database
from server.jobs.claims import Claim, Claims
from server.jobs.handlers import (
    Handler,
    Interruption,
    JobContext,
    JobFailed,
    JobInterrupted,
    JobResult,
    Kinds,
    Services,
)
from server.memory import return_freed

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

_RETRY_S = (0.1, 0.5, 1.0, 2.0, 5.0)
LATE_TEXT = "The job took longer than {limit:g} s"


class Persistent:
    """Transactions that wait for a database that is away, until this process stops."""

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        self._database = database
        self._stopping = stopping

    def __call__(self, work: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`Database.run_here`, repeated while the database cannot be reached."""
        attempt = 0
        while True:
            try:
                return self._database.run_here(work, *args, **kwargs)
            except DBAPIError as error:
                if not _passing(error) or self._stopping.is_set():
                    raise
                log.warning("the database does not answer; trying again", reason=type(error.orig).__name__)
                self._stopping.wait(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1


def _passing(error: DBAPIError) -> bool:
    """Whether the same may work later: SQLite is busy, PostgreSQL is away or met a conflict."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return "locked" in str(error.orig)
    return error.connection_invalidated or type(error.orig).__name__ in {
        "OperationalError",
        "InterfaceError",
        "SerializationFailure",
        "DeadlockDetected",
        "AdminShutdown",
        "CannotConnectNow",
    }


class _Reports:
    def __init__(self, run: Persistent, claims: Claims, claim: Claim) -> None:
        self._run = run
        self._claims = claims
        self._claim = claim

    def report(self, phase: str, progress: float) -> bool:
        return self._run(self._claims.report, self._claim.job_id, self._claim.attempt, phase, progress)

    def keep(self, name: str, value: Any) -> bool:
        return self._run(self._claims.keep, self._claim.job_id, self._claim.attempt, name, value)


class Runner:
    """Runs jobs, each on the thread that calls `run`. `running` is what runs now, by job id."""

    def __init__(
        self,
        *,
        run: Persistent,
        claims: Claims,
        kinds: Kinds,
        services: Services,
        worker: str,
        work_root: Path,
    ) -> None:
        self._run = run
        self._claims = claims
        self._kinds = kinds
        self._services = services
        self._worker = worker
        self._work_root = work_root
        self._lock = threading.Lock()
        self._running: dict[str, JobContext] = {}
        self._closed = False

    @property
    def running(self) -> Mapping[str, JobContext]:
        """The contexts of the jobs that run now."""
        with self._lock:
            return dict(self._running)

    def run(self, unit: str, job_id: str) -> None:
        """Run a job to its end, unless somebody else does or it has ended already."""
        claim = self._run(self._claims.claim, job_id, unit, self._worker)
        if claim is None:
            return
        context = self._context(claim)
        began = time.monotonic()
        with structlog.contextvars.bound_contextvars(job=claim.job_id, kind=claim.kind, attempt=claim.attempt):
            with self._lock:
                self._running[claim.job_id] = context
            if self._closed:
                context.interrupt(Interruption.STOPPING)
            try:
                outcome = self._make(claim, context)
            finally:
                with self._lock:
                    if self._running.get(claim.job_id) is context:
                        del self._running[claim.job_id]
                shutil.rmtree(context.work_dir, ignore_errors=True)
                return_freed()
            log.info("job ended", outcome=outcome, seconds=round(time.monotonic() - began, 2))

    def close(self) -> list[str]:
        """Take no more jobs and let go of those that run: others go on with them. Returns their ids.

        Handlers hear of it at their next check; what one of them still says counts no more.
        """
        self._closed = True
        running = self.running
        for context in running.values():
            context.interrupt(Interruption.STOPPING)
        attempts = {job_id: context.attempt for job_id, context in running.items()}
        return self._run(self._claims.release, attempts) if attempts else []

    def _context(self, claim: Claim) -> JobContext:
        return JobContext(
            job_id=claim.job_id,
            account_id=claim.account_id,
            family=claim.family,
            kind=self._kinds[claim.kind],
            attempt=claim.attempt,
            work_dir=self._work_root / f"{claim.job_id}.{claim.attempt}",
            services=self._services,
            checkpoints=claim.checkpoints,
            reports=_Reports(self._run, self._claims, claim),
        )

    def _make(self, claim: Claim, context: JobContext) -> str:
        """Call the handler and record what came of it; returns that in a word."""
        mine = (claim.job_id, claim.attempt)
        try:
            context.work_dir.mkdir(parents=True)
            result = call(context.kind.load(), context, claim.payload)
            context.check()
        except JobInterrupted as interrupted:
            self._interrupted(context)
            return interrupted.why.value
        except JobFailed as failure:
            self._run(self._claims.fail, *mine, str(failure), failure.code)
            return "failed"
        except Exception:  # a handler's bug is the job's, not the worker's
            if context.cancelled:  # a library that turns everything raised within it into an error of its own
                self._interrupted(context)
                return str(context.interruption)
            log.exception("a job went wrong")
            self._run(self._claims.try_again, *mine)
            return "went wrong"
        return "completed" if self._run(self._claims.complete, *mine, result) else Interruption.SUPERSEDED.value

    def _interrupted(self, context: JobContext) -> None:
        if context.interruption is Interruption.TIME_LIMIT:
            self.time_out(context)
        elif context.interruption is Interruption.STOPPING:
            self._run(self._claims.release, {context.job_id: context.attempt})

    def time_out(self, context: JobContext) -> None:
        """End a job that took too long."""
        text = LATE_TEXT.format(limit=context.kind.time_limit_s)
        self._run(self._claims.fail, context.job_id, context.attempt, text, "TIME_LIMIT")


def call(handler: Handler, context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """Run a handler, of either kind, on this thread. An interruption cancels an async one where it waits.

    Raises what it raises, and `TypeError` where it returns no `JobResult`.
    """
    made = handler(context, payload)
    if inspect.isawaitable(made):
        made = asyncio.run(_awaited(made, context))
    if not isinstance(made, JobResult):
        raise TypeError(f"the handler of {context.kind.name} returned a {type(made).__name__}, no JobResult")
    return made


async def _awaited(made: Any, context: JobContext) -> Any:
    task = asyncio.ensure_future(made)
    loop = asyncio.get_running_loop()
    context.on_interrupt = lambda: loop.call_soon_threadsafe(task.cancel)
    if context.cancelled:
        task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        context.check()
        raise
    finally:
        context.on_interrupt = lambda: None
