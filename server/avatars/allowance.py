"""How often each address may do something that costs. Pure: the time is an argument."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import Final

ADDRESSES: Final = 10_000
"""Addresses that are remembered; of more, the one not seen longest is forgotten."""


class Allowance:
    """`count` times in any `seconds` for each address."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._seconds = seconds
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, now: float, address: str) -> int | None:
        """Count one; returns None if that is allowed, else the seconds after which it will be."""
        times = self._taken.setdefault(address, deque())
        self._taken.move_to_end(address)
        while len(self._taken) > ADDRESSES:
            self._taken.popitem(last=False)
        while times and now - times[0] >= self._seconds:
            times.popleft()
        if len(times) >= self._count:
            return max(1, math.ceil(times[0] + self._seconds - now))
        times.append(now)
        return None
