"""How a render tells how far it is, and is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from media.studio.errors import RenderCancelled

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
        if self.cancelled is not None and self.cancelled():
            raise RenderCancelled("the render was cancelled")
        if self.progress is not None:
            self.progress(min(max(done, 0.0), 1.0))

    def part(self, start: float, end: float) -> Control:
        """The line for a stage that is this part of the whole."""
        progress = self.progress
        if progress is None:
            return self
        return Control(lambda done: progress(start + (end - start) * done), self.cancelled)
