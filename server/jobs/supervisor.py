"""The worker processes of a server: started with it, started again when they end, told to end with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

log = structlog.get_logger(__name__)

COMMAND: Final = (sys.executable, "-m", "server", "worker", "--supervised")
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
STABLE_S: Final = 5.0
"""A worker that lived so long is started again at once; one that keeps ending, after a pause that doubles."""


class Supervisor:
    """Keeps `count` workers alive. `start` once, `close` once.

    Each has a pipe to us as its standard input: when we end, however we end, so do they. `environment` is added to
    our own.
    """

    def __init__(
        self, count: int, environment: Mapping[str, str], *, command: Sequence[str] = COMMAND, cwd: str | None = None
    ) -> None:
        self._count = count
        self._environment = {**os.environ, **environment}
        self._command = tuple(command)
        self._cwd = cwd
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: set[asyncio.subprocess.Process] = set()
        self._closing = False

    @property
    def pids(self) -> list[int]:
        """The workers that run now."""
        return sorted(process.pid for process in self._processes)

    def start(self) -> None:
        """Begin; on the event loop."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep(), name=f"worker-{number}") for number in range(self._count)]

    def stop(self) -> None:
        """Tell them to end, and start no others."""
        self._closing = True
        for process in list(self._processes):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    async def close(self, within: float = 0.1) -> None:
        """The same, and wait a moment; those that need longer end by themselves, for their pipe ends with us."""
        self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._closing:
            began = time.monotonic()
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command, env=self._environment, cwd=self._cwd, stdin=asyncio.subprocess.PIPE
                )
            except OSError as error:
                log.exception("a worker cannot be started", reason=error.strerror)
            else:
                code = await self._wait(process)
                if self._closing:
                    return
                log.warning("a worker ended and is started again", code=code)
            pause = FIRST_PAUSE_S if time.monotonic() - began > STABLE_S else min(2 * pause, LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        self._processes.add(process)
        try:
            return await process.wait()
        finally:
            self._processes.discard(process)
            if process.stdin is not None:
                process.stdin.close()
