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

    def pop_due(self, now: float) -> Name | None:
        """Take the earliest deadline that is due at `now`."""
        name = min(self._at, key=lambda key: self._at[key], default=None)
        if name is None or self._at[name] > now:
            return None
        del self._at[name]
        return name
