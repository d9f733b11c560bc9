"""One worker, all sessions: order, bounds, replacement and closing."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from media.priority import MODELS_NICE
from media.worker import ModelWorker, Superseded, WorkerClosed, WorkerFull, models_at_work


@pytest.fixture
def worker() -> Iterator[ModelWorker]:
    worker = ModelWorker("test", capacity=3)
    yield worker
    worker.close()


class Gate:
    """Keeps the worker busy until it is opened."""

    def __init__(self, worker: ModelWorker) -> None:
        self._open = threading.Event()
        self._entered = threading.Event()
        self.job = asyncio.ensure_future(worker.run(self._wait, deadline=0.0))

    def _wait(self) -> None:
        self._entered.set()
        self._open.wait(5)

    async def entered(self) -> None:
        await asyncio.to_thread(self._entered.wait, 5)

    async def open(self) -> None:
        self._open.set()
        await self.job


async def busy(worker: ModelWorker) -> Gate:
    gate = Gate(worker)
    await gate.entered()
    return gate


async def test_a_result_comes_back(worker: ModelWorker) -> None:
    assert await worker.run(lambda: 6 * 7, deadline=0.0) == 42


async def test_what_the_model_raises_reaches_the_caller(worker: ModelWorker) -> None:
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0, deadline=0.0)


async def test_the_earliest_deadline_goes_first(worker: ModelWorker) -> None:
    gate = await busy(worker)
    order: list[str] = []
    jobs = [
        asyncio.ensure_future(worker.run(lambda name=name: order.append(name), deadline=deadline))  # type: ignore[misc]
        for name, deadline in (("late", 30.0), ("soon", 10.0), ("middle", 20.0))
    ]
    await asyncio.sleep(0)
    await gate.open()
    await asyncio.gather(*jobs)
    assert order == ["soon", "middle", "late"]


async def test_a_full_inbox_refuses(worker: ModelWorker) -> None:
    gate = await busy(worker)
    jobs = [asyncio.ensure_future(worker.run(int, deadline=1.0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert worker.backlog == 3
    with pytest.raises(WorkerFull):
        await worker.run(int, deadline=1.0)
    await gate.open()
    await asyncio.gather(*jobs)


async def test_a_newer_job_takes_the_place_of_a_waiting_one(worker: ModelWorker) -> None:
    gate = await busy(worker)
    older = asyncio.ensure_future(worker.run(lambda: "old", deadline=1.0, replaces="slot"))
    await asyncio.sleep(0)
    newer = asyncio.ensure_future(worker.run(lambda: "new", deadline=1.0, replaces="slot"))
    with pytest.raises(Superseded):
        await older
    await gate.open()
    assert await newer == "new"
    assert worker.stats.dropped == 1


async def test_a_cancelled_job_that_waits_is_never_run(worker: ModelWorker) -> None:
    gate = await busy(worker)
    ran: list[int] = []
    job = asyncio.ensure_future(worker.run(lambda: ran.append(1), deadline=1.0))
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert worker.backlog == 0
    await gate.open()
    await worker.run(int, deadline=1.0)
    assert ran == []


async def test_a_cancelled_job_that_runs_is_left_to_finish_and_its_result_dropped(worker: ModelWorker) -> None:
    gate = await busy(worker)
    gate.job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gate.job
    gate._open.set()
    assert await worker.run(lambda: "next", deadline=1.0) == "next"
    assert worker.stats.dropped == 0


async def test_closing_fails_what_waits_and_refuses_what_comes() -> None:
    worker = ModelWorker("closing")
    gate = await busy(worker)
    waiting = asyncio.ensure_future(worker.run(int, deadline=1.0))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(asyncio.to_thread(worker.close))
    with pytest.raises(WorkerClosed):
        await waiting
    gate._open.set()
    await closing
    with pytest.raises(WorkerClosed):
        await worker.run(int, deadline=1.0)
    await gate.job


async def test_several_threads_work_side_by_side() -> None:
    worker = ModelWorker("pair", threads=2)
    meeting = threading.Barrier(2, timeout=5)
    await asyncio.gather(worker.run(meeting.wait, deadline=0.0), worker.run(meeting.wait, deadline=0.0))
    worker.close()


async def test_models_at_work_are_counted_over_all_workers(worker: ModelWorker) -> None:
    other = ModelWorker("other")
    before = models_at_work()
    one, two = await busy(worker), await busy(other)
    assert models_at_work() == before + 2
    await one.open()
    await two.open()
    other.close()
    worker.close()
    assert models_at_work() == before


@pytest.mark.skipif(sys.platform != "linux", reason="priorities belong to threads on Linux only")
async def test_models_step_back_behind_the_threads_that_keep_the_beat(worker: ModelWorker) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    theirs = await worker.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), deadline=0.0)
    assert theirs == min(19, ours + MODELS_NICE)
