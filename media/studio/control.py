"""How a render tells how far it is, and is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from media.studio.errors import RenderCancelled

T = TypeVar("T")

Progress: TypeAlias = Callable[[float], None]
"""Called with the part that is done, 0 to 1, rising; from any thread, often: it should return at once."""

Cancelled: TypeAlias = Callable[[], bool]
"""Asked often, from any thread, whether to stop."""


@dataclass(frozen=True, slots=True)
class Control:
    """A render's line to its caller; both ends may be missing."""

    progress: Progress | None = None
    cancelled: Cancelled | None = None

    def at(self, done: float) -> None:
        """`done` of the work is done, 0 to 1. Raises `RenderCancelled` where the caller wants to stop."""
        if self.stopped:
            raise RenderCancelled("the render was cancelled")
        if self.progress is not None:
            self.progress(min(max(done, 0.0), 1.0))

    @property
    def stopped(self) -> bool:
        """Whether the caller wants to stop."""
        return self.cancelled is not None and self.cancelled()

    def part(self, start: float, end: float) -> Control:
        """The line for a stage that is this part of the whole."""
        progress = self.progress
        if progress is None:
            return self
        return Control(lambda done: progress(start + (end - start) * done), self.cancelled)


async def finished(work: Coroutine[Any, Any, T], stop: Callable[[], None]) -> T:
    """What `work`, which runs on a thread, returns; when the caller is cancelled it is told to `stop` and waited for.

    A thread cannot be cancelled, and must not write on behind a caller that is gone.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
