"""One model, one worker, all sessions: threads that own a model and serve the most urgent job first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from media.priority import step_back

T = TypeVar("T")

_counting = threading.Lock()
_at_work = 0


def models_at_work() -> int:
    """Jobs that run now, of all workers of this process: who can wait may leave them the cores."""
    return _at_work


def model_cores() -> int:
    """The cores that models may take: one less than there are, for what must not wait; at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def _count(change: int) -> None:
    global _at_work  # noqa: PLW0603 - cores are the process's, so is their use
    with _counting:
        _at_work += change


class WorkerError(Exception):
    """Base of what a worker says instead of a result."""


class WorkerFull(WorkerError):
    """The inbox is full: the machine is behind; try again later or shed load."""


class WorkerClosed(WorkerError):
    """The worker has been shut down."""


class Superseded(WorkerError):
    """A newer job with the same key took this one's place before it began."""


@dataclass(slots=True)
class WorkerStats:
    """Running totals, read by metrics: jobs done, dropped before they began, seconds waited and worked."""

    done: int = 0
    dropped: int = 0
    waited: float = 0.0
    worked: float = 0.0


@dataclass(order=True, slots=True)
class _Job:
    deadline: float
    sequence: int
    work: Callable[[], Any] = field(compare=False)
    future: asyncio.Future[Any] = field(compare=False)
    loop: asyncio.AbstractEventLoop = field(compare=False)
    key: Hashable | None = field(compare=False)
    queued_at: float = field(compare=False)
    dropped: bool = field(compare=False, default=False)


class ModelWorker:
    """Runs blocking model calls of all sessions, the earliest deadline first.

    The inbox is bounded and refuses when full. A job whose caller was cancelled, or that a newer job
    with the same key replaced, is dropped before it begins; one that already runs is left to finish and
    its result is thrown away. `threads` above one is for models that are safe to call in parallel. The threads step
    back behind those that keep the beat of live sound.
    """

    def __init__(self, name: str, *, threads: int = 1, capacity: int = 64) -> None:
        self.name = name
        self.stats = WorkerStats()
        self._capacity = capacity
        self._jobs: list[_Job] = []
        self._latest: dict[Hashable, _Job] = {}
        self._waiting = 0
        self._running = 0
        self._sequence = itertools.count()
        self._condition = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def backlog(self) -> int:
        """How many jobs wait."""
        return self._waiting

    @property
    def running(self) -> int:
        """How many jobs are being worked on."""
        return self._running

    async def run(self, work: Callable[[], T], *, deadline: float, replaces: Hashable | None = None) -> T:
        """Run `work` on a worker thread and return its result.

        `deadline` is when the result is needed, on the monotonic clock: it orders the inbox, nothing is
        abandoned for being late. `replaces` names a slot of which only the newest waiting job is kept.
        Raises `WorkerFull`, `WorkerClosed`, `Superseded`, or what `work` raises.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = _Job(deadline, next(self._sequence), work, future, loop, replaces, time.monotonic())
        with self._condition:
            if self._closed:
                raise WorkerClosed(self.name)
            if replaces is not None and (older := self._latest.get(replaces)) is not None:
                self._drop(older, Superseded(self.name))
            if self._waiting >= self._capacity:
                raise WorkerFull(self.name)
            if replaces is not None:
                self._latest[replaces] = job
            heapq.heappush(self._jobs, job)
            self._waiting += 1
            self._condition.notify()
        try:
            return await future
        except asyncio.CancelledError:
            with self._condition:
                self._drop(job, None)
            raise

    def close(self, timeout: float = 1.0) -> None:
        """Refuse new jobs, fail the waiting ones, and wait up to `timeout` seconds for the running ones."""
        with self._condition:
            self._closed = True
            for job in self._jobs:
                self._drop(job, WorkerClosed(self.name))
            self._jobs.clear()
            self._condition.notify_all()
        limit = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))

    def _drop(self, job: _Job, error: WorkerError | None) -> None:
        """Mark a waiting job as not to be run; the caller holds the lock."""
        if job.dropped or job.queued_at < 0:
            return
        job.dropped = True
        self._waiting -= 1
        self.stats.dropped += 1
        self._forget(job)
        if error is not None:
            job.loop.call_soon_threadsafe(_fail, job.future, error)

    def _forget(self, job: _Job) -> None:
        if job.key is not None and self._latest.get(job.key) is job:
            del self._latest[job.key]

    def _next(self) -> _Job | None:
        with self._condition:
            while True:
                while self._jobs:
                    job = heapq.heappop(self._jobs)
                    if job.dropped:
                        continue
                    self._waiting -= 1
                    self._running += 1
                    self._forget(job)
                    self.stats.waited += time.monotonic() - job.queued_at
                    job.queued_at = -1.0  # taken: a late cancellation must not count it as waiting
                    return job
                if self._closed:
                    return None
                self._condition.wait()

    def _serve(self) -> None:
        step_back()
        while (job := self._next()) is not None:
            began = time.monotonic()
            _count(+1)
            try:
                result = job.work()
            except BaseException as error:  # noqa: BLE001 - whatever the model raised belongs to the job's caller
                self._deliver(job, _fail, error)
            else:
                self._deliver(job, _succeed, result)
            finally:
                _count(-1)
            with self._condition:
                self._running -= 1
                self.stats.done += 1
                self.stats.worked += time.monotonic() - began

    @staticmethod
    def _deliver(job: _Job, settle: Callable[[asyncio.Future[Any], Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the caller's loop is closed: nobody waits for this any more
            job.loop.call_soon_threadsafe(settle, job.future, value)


def _succeed(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
