"""The worker processes of a server: started with it, started again when they end, told to end with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from server.restarting import keep_alive

COMMAND: Final = (sys.executable, "-m", "server", "worker", "--supervised")


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
        self._tasks = [
            loop.create_task(keep_alive("worker", self._live, lambda: self._closing), name=f"worker-{number}")
            for number in range(self._count)
        ]

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

    async def _live(self) -> int:
        """One life of a worker; returns its exit code."""
        process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environment, cwd=self._cwd, stdin=asyncio.subprocess.PIPE
        )
        self._processes.add(process)
        try:
            return await process.wait()
        finally:
            self._processes.discard(process)
            if process.stdin is not None:
                process.stdin.close()
