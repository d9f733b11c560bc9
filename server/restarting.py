"""Processes that are kept alive: started again when they end, after a pause that doubles while they keep ending."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
STABLE_S: Final = 5.0
"""A process that lived so long is started again soon; one that keeps ending, after a pause that doubles."""


async def keep_alive(name: str, live: Callable[[], Awaitable[int]], closing: Callable[[], bool]) -> None:
    """Live one life of a process after another, until it is `closing`.

    `live` starts the process `name`, waits for its end and returns its exit code; it raises `OSError` where the process
    cannot be started.
    """
    now = asyncio.get_running_loop().time
    pause = FIRST_PAUSE_S
    while not closing():
        began = now()
        try:
            code = await live()
        except OSError as error:
            log.exception("a process cannot be started", process=name, reason=error.strerror)
        else:
            if closing():
                return
            log.warning("a process ended and is started again", process=name, code=code)
        pause = FIRST_PAUSE_S if now() - began > STABLE_S else min(2 * pause, LONGEST_PAUSE_S)
        await asyncio.sleep(pause)
