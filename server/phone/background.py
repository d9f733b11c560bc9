"""Work that nobody waits for: owned until it is done, bounded, its failures told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

MOST: Final = 256
"""What is going on at once; more is refused."""

log = structlog.get_logger(__name__)


class Background:
    """Owns tasks."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None] | None:
        """Begin; None where there is too much to do already. `what` names it where it fails."""
        if len(self._tasks) >= self._most:
            work.close()
            log.warning("there is too much to do besides", left=what)
            return None
        task = asyncio.get_running_loop().create_task(_told(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self, grace: float = 1.0) -> None:
        """Wait `grace` seconds for what is being done, then end it."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=grace)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _told(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        await work
    except Exception:  # nobody awaits it: what went wrong is said here
        log.exception("failed in the background", what=what)
