"""Whose turn it is to call: accounts take turns, and an account's campaigns take turns among themselves. Pure."""

from __future__ import annotations

from collections.abc import Collection

Candidate = tuple[str, str]
"""An account and a campaign of it."""


class Turns:
    """Remembers who was served when, for those that were candidates in the last round."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._count = 0

    def next(self, candidates: Collection[Candidate]) -> Candidate:
        """Whose account, and then which of its campaigns, was served longest ago. Raises `ValueError` for none."""
        chosen = min(candidates, key=lambda each: (self._served.get(each[0], 0), self._served.get(each[1], 0), each))
        self._count += 1
        self._served.update(dict.fromkeys(chosen, self._count))
        return chosen

    def forget_others(self, candidates: Collection[Candidate]) -> None:
        """Remember only these."""
        known = {name for candidate in candidates for name in candidate}
        self._served = {name: when for name, when in self._served.items() if name in known}
