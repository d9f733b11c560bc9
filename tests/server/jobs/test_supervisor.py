"""Workers that are kept alive: real processes, which end as they are told to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from server.jobs.supervisor import Supervisor

WRITES_ITS_ID = """
import os, sys, pathlib
folder = pathlib.Path(os.environ["FOLDER"])
(folder / f"{os.getpid()}.{os.environ['MARK']}").touch()
sys.stdin.read()
(folder / f"{os.getpid()}.ended").touch()
"""


def supervisor(folder: Path, count: int = 1, program: str = WRITES_ITS_ID) -> Supervisor:
    return Supervisor(count, {"FOLDER": str(folder), "MARK": "begun"}, command=(sys.executable, "-c", program))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


def begun(folder: Path) -> set[int]:
    return {int(path.stem) for path in folder.glob("*.begun")}


async def test_as_many_workers_run_as_are_wanted_and_end_when_they_are_told(tmp_path: Path) -> None:
    workers = supervisor(tmp_path, 2)
    workers.start()
    await until(lambda: len(begun(tmp_path)) == 2)
    assert set(workers.pids) == begun(tmp_path)
    await workers.close(5)
    assert workers.pids == []
    assert not any(psutil.pid_exists(pid) for pid in begun(tmp_path))


async def test_a_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    workers = supervisor(tmp_path)
    workers.start()
    await until(lambda: len(begun(tmp_path)) == 1)
    (first,) = begun(tmp_path)
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(begun(tmp_path)) == 2)
    assert first not in workers.pids
    await workers.close(5)


async def test_a_worker_that_keeps_ending_is_started_ever_more_slowly(tmp_path: Path) -> None:
    workers = supervisor(tmp_path, program=WRITES_ITS_ID.replace("sys.stdin.read()", "sys.exit(3)"))
    workers.start()
    await until(lambda: len(begun(tmp_path)) >= 2)
    await asyncio.sleep(1.0)
    assert len(begun(tmp_path)) <= 4
    await workers.close(5)


async def test_a_program_that_is_not_there_harms_nobody(tmp_path: Path) -> None:
    workers = Supervisor(1, {}, command=(str(tmp_path / "nothing"),))
    workers.start()
    await asyncio.sleep(0.05)
    assert workers.pids == []
    await workers.close(1)


async def test_workers_end_by_themselves_when_their_server_is_killed(tmp_path: Path) -> None:
    server = (
        "import asyncio, sys\n"
        "from server.jobs.supervisor import Supervisor\n"
        "async def main():\n"
        f"    workers = Supervisor(1, {{'FOLDER': {str(tmp_path)!r}, 'MARK': 'begun'}},\n"
        f"        command=(sys.executable, '-c', {WRITES_ITS_ID!r}))\n"
        "    workers.start()\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", server, cwd=Path(__file__).resolve().parents[3]
    )
    await until(lambda: len(begun(tmp_path)) == 1)
    process.kill()
    await process.wait()
    await until(lambda: len(list(tmp_path.glob("*.ended"))) == 1)
