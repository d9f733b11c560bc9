"""A worker process: takes jobs and deliveries from the durable queues until it is told to stop.

Its name is its machine's, its data folder's and a slot's in it. A lock keeps every slot to one process, so a worker
that comes back takes its old name, and with it, at once, what it had left unfinished.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from server.database import Database
from server.jobs import durable
from server.jobs.claims import Claims
from server.jobs.compose import assemble
from server.jobs.durable import WEBHOOKS, DurableWorker, QueueLimits, Work
from server.jobs.handlers import Kinds, Queue, Services, imported
from server.jobs.keeper import Keeper
from server.jobs.runner import Persistent, Runner
from server.webhooks.sender import Post, Sender

if TYPE_CHECKING:
    from server.settings import Settings

log = structlog.get_logger(__name__)

STUCK = 75
"""The exit code of a worker that ends because a handler would not (EX_TEMPFAIL)."""
_MAX_SLOTS = 256
_DATABASE_THREADS = 2
_WARM_AFTER_S = 3.0


class Slot:
    """One worker's place on this machine: its name, and a folder for what it works on."""

    def __init__(self, data_dir: Path) -> None:
        root = data_dir / "workers"
        root.mkdir(parents=True, exist_ok=True)
        node = _node(root)
        for number in range(_MAX_SLOTS):
            descriptor = os.open(root / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            self._descriptor = descriptor
            self.name = f"{_host()}-{node}-{number}"
            self.work_root = root / f"{number}.work"
            shutil.rmtree(self.work_root, ignore_errors=True)
            self.work_root.mkdir()
            return
        raise OSError(f"{_MAX_SLOTS} workers run in {data_dir} already")

    def close(self) -> None:
        """Leave it to another process."""
        os.close(self._descriptor)


def _host() -> str:
    return re.sub(r"[^\w.-]", "-", socket.gethostname())[:60] or "host"


def _node(root: Path) -> str:
    """What tells this data folder from others on the same machine; made by the first process that asks."""
    path = root / "node"
    if not path.exists():
        draft = root / f"node.{os.getpid()}"
        draft.write_text(secrets.token_hex(4), "ascii")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)  # whole, and only if nobody was faster
        draft.unlink()
    return path.read_text("ascii")


Warm = Callable[[Services, Path, Callable[[], bool]], None]
"""Loads what most jobs need; it gets the services, an empty folder, and what says that the worker is to end."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is given: the kinds it can make, what their handlers may use, and how it posts.

    `warm` is a `Warm` as `package.module:function`, imported when there is nothing else to do; "" for none.
    """

    kinds: Kinds
    services: Callable[[Settings], Services]
    post: Callable[[Settings], Post]
    warm: str = ""


@dataclass
class _Stop:
    """Asked for by a signal, by the parent's end, or by a handler that will not end."""

    asked: threading.Event = field(default_factory=threading.Event)
    code: int = 0

    def ask(self, code: int = 0) -> None:
        if not self.asked.is_set():
            self.code = code
            self.asked.set()


def run_worker(settings: Settings, parts: WorkerParts, *, supervised: bool = False) -> int:
    """Work until told to stop; returns the exit code. `supervised`: standard input is a pipe that our parent holds.

    On return jobs have been let go, but their handlers may still run on threads: the process has to end.
    """
    stop = _Stop()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.ask())
    if supervised:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our parent decides
        threading.Thread(target=_watch_parent, args=(stop,), name="parent", daemon=True).start()
    else:
        signal.signal(signal.SIGINT, lambda _number, _frame: stop.ask())
    os.nice(settings.jobs.nice)
    slot = Slot(settings.data_dir)
    database = Database(settings.database_url, threads=_DATABASE_THREADS)
    try:
        _work(settings, parts, slot, database, stop)
    finally:
        database.close()
        slot.close()
    return stop.code


def _watch_parent(stop: _Stop) -> None:
    """The pipe ends when the parent does, however it ends."""
    while os.read(sys.stdin.fileno(), 64):
        pass
    stop.ask()


def _work(settings: Settings, parts: WorkerParts, slot: Slot, database: Database, stop: _Stop) -> None:
    services = parts.services(settings)
    assembled = assemble(settings, database, parts.kinds, services.files.sign)
    claims = Claims(assembled.jobs, assembled.queue)
    persistent = Persistent(database, stop.asked)
    runner = Runner(
        run=persistent,
        claims=claims,
        kinds=parts.kinds,
        services=services,
        worker=slot.name,
        work_root=slot.work_root,
    )
    sender = Sender(run=persistent, deliveries=assembled.deliveries, post=parts.post(settings))

    def run(work: Work, unit: str, subject: str) -> None:
        try:
            if not stop.asked.is_set():
                (runner.run if work is Work.JOB else sender.send)(unit, subject)
        except Exception:
            if not stop.asked.is_set():
                raise
        if stop.asked.is_set():
            threading.Event().wait()  # a unit that returns counts as done; the process ends, and it is run again

    limits = queue_limits(settings)
    taker = DurableWorker(database.engine, slot.name, limits, run)
    keeper = Keeper(
        database=database,
        worker=slot.name,
        queues=limits.at_once,
        timeout_s=settings.jobs.worker_timeout_s,
        runner=runner,
        claims=claims,
        queue=assembled.queue,
        deliveries=assembled.deliveries,
        durable=taker,
        files=services.files,
        give_up=lambda: stop.ask(STUCK),
    )
    durable.prepare(settings.database_url)
    keeper.announce()
    taker.launch()
    keeper.start()
    log.info("worker ready", worker=slot.name, queues=dict(limits.at_once))
    if parts.warm and settings.renders.warm and settings.jobs.cpu:
        warming = (parts.warm, services, slot.work_root / "warm", stop)
        threading.Thread(target=_warm, args=warming, name="warm", daemon=True).start()
    stop.asked.wait()
    released = runner.close()
    keeper.stop()
    log.info("worker stopped", worker=slot.name, released=released)


def _warm(path: str, services: Services, folder: Path, stop: _Stop) -> None:
    """Load what most jobs need, once the server beside us has started; a job that comes first loads it itself."""
    if stop.asked.wait(_WARM_AFTER_S):
        return
    folder.mkdir()
    try:
        warm: Warm = imported(path)
        began = time.monotonic()
        warm(services, folder, stop.asked.is_set)
        log.info("worker warm", seconds=round(time.monotonic() - began, 1))
    except Exception:  # whatever is missing, the jobs that need it will fail with it
        if not stop.asked.is_set():
            log.warning("could not warm up", exc_info=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def queue_limits(settings: Settings) -> QueueLimits:
    """What one worker does at once. A queue of which it may do nothing is not looked at."""
    wanted = {
        Queue.CPU.value: settings.jobs.cpu,
        Queue.GPU.value: settings.jobs.gpu,
        WEBHOOKS: settings.jobs.deliveries,
    }
    return QueueLimits({name: count for name, count in wanted.items() if count}, settings.jobs.poll_s)
