"""The durable queue under the jobs: DBOS, and the only module that knows it.

A unit is one try at something that must happen: "run job J", "send delivery D". It is written in the transaction that
makes it necessary, claimed by one worker at a time, and claimed again when that worker dies. A unit does not know what
became of the last try: whoever runs it asks the tables.

DBOS keeps its tables beside ours: in the same SQLite file, or in the schema `dbos` of the same PostgreSQL database.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog
from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    EnqueueOptions,
    WorkflowSerializationFormat,
    WorkflowStatusString,
)
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

log = structlog.get_logger(__name__)

APPLICATION = "visavis"
VERSION = "units-1"
"""Pinned, or units that wait would strand after a release. It changes only when what a unit carries does."""
WEBHOOKS = "webhooks"
_PORTABLE = WorkflowSerializationFormat.PORTABLE
_BATCH = 500
_BUSY_MS = 30_000


class Work(StrEnum):
    """What a unit does."""

    JOB = "run_job"
    DELIVERY = "send_delivery"


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What one worker does of each queue at once, and how often it looks for more."""

    at_once: Mapping[str, int]
    poll_s: float


class DurableQueue:
    """Where units are put. It works in the caller's transaction: no unit without what it is for, nor the reverse."""

    def __init__(self, engine: Engine) -> None:
        _log_through_root()
        self._client = DBOSClient(
            system_database_engine=engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )

    def enqueue(
        self,
        session: Session,
        unit: str,
        *,
        work: Work,
        queue: str,
        subject: str,
        delay_s: float | None = None,
        priority: int = 0,
    ) -> None:
        """Have `work` done on `subject`, after `delay_s`. Lower priorities come first. The same unit again is one."""
        options: EnqueueOptions = {
            "workflow_name": work.value,
            "queue_name": queue,
            "workflow_id": unit,
            "priority": priority + 1,  # DBOS counts from 1
            "serialization_type": _PORTABLE,
        }
        if delay_s is not None:
            options["delay_seconds"] = delay_s
        # The connection, for DBOS has no objects in the session: its statements are half as dear there.
        self._client.enqueue_in_transaction(session.connection(), options, unit, subject)

    def ended(self, units: Iterable[str]) -> set[str]:
        """Which of these units will never run again: done, or not there at all."""
        wanted = list(units)
        if not wanted:
            return set()
        alive = self._client.list_workflows(
            workflow_ids=wanted,
            status=[
                WorkflowStatusString.ENQUEUED.value,
                WorkflowStatusString.DELAYED.value,
                WorkflowStatusString.PENDING.value,
            ],
            load_input=False,
            load_output=False,
        )
        return set(wanted) - {unit.workflow_id for unit in alive}


def prepare(database_url: str) -> None:
    """Create DBOS's tables, or bring them up to date."""
    _log_through_root()
    DBOS.migrate(database_url)


class DurableWorker:
    """What takes units from the queues in this process; one for a process.

    `run` is called with a unit's work, name and subject, on a thread of its own. `executor` is this worker's name:
    units that it left unfinished when it last ran under that name come back to it at once.
    """

    def __init__(
        self, engine: Engine, executor: str, limits: QueueLimits, run: Callable[[Work, str, str], None]
    ) -> None:
        self._engine = worker_engine(engine, connections=sum(limits.at_once.values()) + 4)
        self._executor = executor
        self._limits = limits
        self._run = run

    def launch(self) -> None:
        """Begin to take units."""
        _log_through_root()
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": self._engine,
            "serializer": DBOSPortableJSONSerializer(),
            "application_version": VERSION,
            "executor_id": self._executor,
            "use_listen_notify": False,
            "max_executor_threads": sum(self._limits.at_once.values()) + 4,
            "log_level": "WARNING",
        }
        DBOS(config=config)
        for work in Work:
            self._register(work)
        DBOS.listen_queues(list(self._limits.at_once))
        DBOS.launch()
        for name, at_once in self._limits.at_once.items():
            DBOS.register_queue(
                name,
                worker_concurrency=at_once,
                polling_interval_sec=self._limits.poll_s,
                on_conflict="always_update",
            )

    def _register(self, work: Work) -> None:
        def unit_of_work(unit: str, subject: str) -> None:
            self._run(work, unit, subject)

        # Attempts are counted by those whose they are: a worker that is stopped in order costs none.
        unit_of_work.__qualname__ = work.value
        DBOS.workflow(name=work.value, max_recovery_attempts=None, serialization_type=_PORTABLE)(unit_of_work)

    def adopt(self, alive: Callable[[str], bool]) -> list[str]:
        """Put the units of workers that are not alive back into their queues; returns those workers' names.

        Any number of workers may do this at once: a unit that another one has already taken stays with it.
        """
        pending = DBOS.list_workflows(
            status=WorkflowStatusString.PENDING.value, limit=_BATCH, load_input=False, load_output=False
        )
        holders = {unit.executor_id for unit in pending if unit.executor_id}
        dead = sorted(holder for holder in holders if holder != self._executor and not alive(holder))
        if dead:
            # Not resume_workflow: that one takes a unit away from whoever runs it by now.
            DBOS._recover_pending_workflows(dead)
        return dead

    def forget(self, before_s: float) -> int:
        """Remove units that ended longer ago than this; returns how many. One batch: call again while it is full."""
        moment = datetime.fromtimestamp(time.time() - before_s, UTC).isoformat()
        old = DBOS.list_workflows(
            status=[
                WorkflowStatusString.SUCCESS.value,
                WorkflowStatusString.ERROR.value,
                WorkflowStatusString.CANCELLED.value,
            ],
            end_time=moment,
            limit=_BATCH,
            load_input=False,
            load_output=False,
        )
        if old:
            DBOS.delete_workflows([unit.workflow_id for unit in old])
        return len(old)

    def close(self) -> None:
        """Take no more units and let go of the database."""
        DBOS.destroy()
        self._engine.dispose()


def worker_engine(engine: Engine, *, connections: int) -> Engine:
    """An engine for DBOS on the same database.

    Ours begins every transaction with SQLite's write lock; DBOS asks its queues many times a second and must not.
    """
    common: dict[str, Any] = {"pool_size": connections, "max_overflow": 0, "hide_parameters": True}
    if engine.dialect.name != "sqlite":
        return create_engine(engine.url, pool_pre_ping=True, pool_recycle=1800, **common)
    made = create_engine(engine.url, **common)
    event.listen(made, "connect", _prepare_sqlite)
    return made


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"  # before the first write, not before the first read
    for pragma in (f"busy_timeout={_BUSY_MS}", "foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _log_through_root() -> None:
    """DBOS gives its logger a handler of its own where it finds none; ours is the root's."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.WARNING)
