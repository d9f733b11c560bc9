"""The housekeeping of a worker, on one thread: it shows that it lives, looks after those that do not, interrupts jobs
that are no longer wanted, and removes what is too old."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from server.database import Database
from server.database.tables import Worker
from server.jobs.claims import Claims
from server.jobs.durable import DurableQueue, DurableWorker
from server.jobs.handlers import Files, Interruption, JobContext
from server.jobs.retention import remove_expired
from server.jobs.runner import Runner
from server.jobs.states import JobStatus
from server.webhooks.deliveries import Deliveries

log = structlog.get_logger(__name__)

Find = Callable[[Session, float, str], list[tuple[str, str]]]
"""What is silent for so long, and the unit of each; a page by id, the next one after that id."""

WATCH_S = 0.25
BEAT_S = 1.0
RECONCILE_S = 15.0
SWEEP_S = 300.0
GRACE_S = 10.0
"""A handler that is so late after its time limit, or its end by others, will never look: only its process can end."""
_UNITS_KEPT_S = 24 * 3600.0


def beat(session: Session, worker: str, queues: Iterable[str]) -> None:
    """Show that this worker lives."""
    changed = session.execute(
        update(Worker).where(Worker.id == worker).values(beats=Worker.beats + 1).returning(Worker.id)
    ).first()
    if changed is None:
        row = Worker(id=worker, process=os.getpid(), queues=",".join(queues), beats=1, started=datetime.now(UTC))
        session.add(row)


def sign_off(session: Session, worker: str) -> None:
    """This worker stops in order."""
    session.execute(delete(Worker).where(Worker.id == worker))


def beats(session: Session) -> dict[str, int]:
    """Every worker's beats."""
    return dict(iter(session.execute(select(Worker.id, Worker.beats))))


class Pulse:
    """Tells who lives from how beats change, by the watcher's own clock alone."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._seen: dict[str, tuple[int, float]] = {}

    def see(self, counts: Mapping[str, int], now: float) -> None:
        """The beats as they are now."""
        for worker, count in counts.items():
            if worker not in self._seen or self._seen[worker][0] != count:
                self._seen[worker] = (count, now)
        for gone in self._seen.keys() - counts.keys():
            del self._seen[gone]

    def alive(self, worker: str, now: float) -> bool:
        """It has a row, and that changed within the timeout."""
        return worker in self._seen and now - self._seen[worker][1] < self._timeout_s

    def dead(self, now: float) -> list[str]:
        """Those that have a row and are not alive."""
        return [worker for worker in self._seen if not self.alive(worker, now)]


class Keeper:
    """Does all that until `stop`. `give_up` is called where a handler will not end and the process has to."""

    def __init__(
        self,
        *,
        database: Database,
        worker: str,
        queues: Iterable[str],
        timeout_s: float,
        runner: Runner,
        claims: Claims,
        queue: DurableQueue,
        deliveries: Deliveries,
        durable: DurableWorker,
        files: Files,
        give_up: Callable[[], object],
    ) -> None:
        self._database = database
        self._worker = worker
        self._queues = tuple(queues)
        self._pulse = Pulse(timeout_s)
        self._runner = runner
        self._claims = claims
        self._queue = queue
        self._deliveries = deliveries
        self._durable = durable
        self._files = files
        self._give_up = give_up
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._ended: dict[tuple[str, int], float] = {}
        self._silent_s = max(30.0, 3 * timeout_s)

    def announce(self) -> None:
        """Show that this worker lives; to be called before it takes its first unit."""
        self._database.run_here(beat, self._worker, self._queues)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and sign off."""
        self._stopping.set()
        self._thread.join(1.0)
        self._database.run_here(sign_off, self._worker)

    def _keep(self) -> None:
        duties: list[tuple[float, Callable[[float], object]]] = [
            (WATCH_S, self._watch),
            (BEAT_S, self._beat),
            (RECONCILE_S, self._reconcile),
            (SWEEP_S, self._sweep),
        ]
        now = time.monotonic()
        due = {duty: now + every for every, duty in duties}
        while not self._stopping.wait(max(0.01, min(due.values()) - time.monotonic())):
            for every, duty in duties:
                now = time.monotonic()
                if now < due[duty]:
                    continue
                due[duty] = now + every
                try:
                    duty(now)
                except Exception as error:  # a worker without its keeper would be taken for dead
                    log.warning("housekeeping failed", duty=duty.__name__, exc_info=error)

    def _watch(self, now: float) -> None:
        """Interrupt jobs that ended elsewhere, and jobs that are late."""
        running = self._runner.running
        current = self._database.read_here(self._claims.current, running) if running else {}
        for job_id, context in running.items():
            status, attempt = current.get(job_id, ("", -1))
            if status == JobStatus.CANCELLED:
                context.interrupt(Interruption.CANCELLED)
            elif attempt != context.attempt:
                context.interrupt(Interruption.SUPERSEDED)
            elif context.late_by() > 0:
                context.interrupt(Interruption.TIME_LIMIT)
        self._lose_patience(running, now)

    def _lose_patience(self, running: Mapping[str, JobContext], now: float) -> None:
        ended = {(job_id, c.attempt): c for job_id, c in running.items() if c.cancelled}
        self._ended = {key: self._ended.get(key, now) for key in ended}
        stuck = [ended[key] for key, since in self._ended.items() if now - since > GRACE_S]
        for context in stuck:
            if context.interruption is Interruption.TIME_LIMIT:
                self._runner.time_out(context)
        if stuck:
            log.error("a handler does not end; this worker does", jobs=[context.job_id for context in stuck])
            self._give_up()

    def _beat(self, now: float) -> None:
        self._database.run_here(beat, self._worker, self._queues)
        self._pulse.see(self._database.read_here(beats), now)
        adopted = self._durable.adopt(lambda worker: self._pulse.alive(worker, now))
        for worker in set(self._pulse.dead(now)) | set(adopted):
            self._database.run_here(sign_off, worker)
        if adopted:
            log.warning("took over from workers that died", workers=adopted)

    def _reconcile(self, _now: float) -> None:
        """Queue again what lost its place: its unit ended without ending it."""
        self._revive("job", self._claims.silent, self._claims.revive)
        self._revive("delivery", self._deliveries.overdue, self._deliveries.revive)

    def _revive(self, what: str, find: Find, revive: Callable[[Session, str, str], bool]) -> None:
        after = ""
        while page := self._database.read_here(find, self._silent_s, after):
            after = page[-1][0]
            ended = self._queue.ended(unit for _, unit in page)
            for found, unit in page:
                if unit in ended and self._database.run_here(revive, found, unit):
                    log.warning("it had lost its place in the queue", what=what, id=found)

    def _sweep(self, _now: float) -> None:
        """Remove jobs that are too old with their files, other files whose time is over, and units of days ago."""
        remove_expired(self._database, self._files)
        self._files.sweep()
        while not self._stopping.is_set() and self._durable.forget(_UNITS_KEPT_S):
            pass
