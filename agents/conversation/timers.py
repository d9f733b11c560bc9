"""Named deadlines of a state machine that has no clock: the driver arms one timer for the earliest."""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Enum)


class Deadlines(Generic[Name]):
    """At most one deadline a name."""

    def __init__(self) -> None:
        self._at: dict[Name, float] = {}

    def set(self, name: Name, at: float) -> None:
        """Set or move a deadline."""
        self._at[name] = at

    def cancel(self, *names: Name) -> None:
        """Forget deadlines; those that are not set are fine."""
        for name in names:
            self._at.pop(name, None)

    def clear(self) -> None:
        """Forget all."""
        self._at.clear()

    def get(self, name: Name) -> float | None:
        """When a name is due, None if it is not set."""
        return self._at.get(name)

    def next(self) -> float | None:
        """The earliest deadline."""
        return min(self._at.values(), default=None)

    def suspend(self, now: float, *names: Name) -> dict[Name, float]:
        """Stop those of `names` that are set; returns the seconds each had left at `now`."""
        return {name: self._at.pop(name) - now for name in names if name in self._at}

    def resume(self, left: dict[Name, float], now: float) -> None:
        """Go on with deadlines that were suspended."""
        for name, seconds in left.items():
            self._at[name] = now + seconds

    def pop_due(self, now: float) -> Name | None:
        """Take the earliest deadline that is due at `now`; of several at one time the one set first."""
        name = min(self._at, key=lambda key: self._at[key], default=None)
        if name is None or self._at[name] > now:
            return None
        del self._at[name]
        return name
