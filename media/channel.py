"""Bounded channels between tasks; each states what happens when it is full."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class WhenFull(Enum):
    """What a full channel does with one more item."""

    DROP_OLDEST = "drop_oldest"
    """Live capture and video: the newest matters most, losses are counted."""
    WAIT = "wait"
    """Speech to playout: nothing may be lost, the producer waits."""
    REFUSE = "refuse"
    """Requests: the producer is told at once (`ChannelFull`)."""


class ChannelClosed(Exception):
    """The channel was closed and, for a reader, everything in it has been read."""


class ChannelFull(Exception):
    """The channel is full and its policy is to refuse, or it was asked not to wait."""


class Channel(Generic[T]):
    """A bounded queue with one policy, closed by its producer. Single event loop, any number of users.

    `dropped` counts the items lost to `DROP_OLDEST`.
    """

    def __init__(self, capacity: int, when_full: WhenFull) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._when_full = when_full
        self._closed = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put_nowait(self, item: T) -> None:
        """Add an item without waiting. Raises `ChannelClosed`, or `ChannelFull` unless the policy drops."""
        if self._closed:
            raise ChannelClosed
        if len(self._items) >= self._capacity:
            if self._when_full is not WhenFull.DROP_OLDEST:
                raise ChannelFull
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._readable.set()
        if len(self._items) >= self._capacity:
            self._writable.clear()

    async def put(self, item: T) -> None:
        """Add an item, waiting for room where the policy is `WAIT`."""
        while self._when_full is WhenFull.WAIT and len(self._items) >= self._capacity and not self._closed:
            await self._writable.wait()
        self.put_nowait(item)

    async def get(self) -> T:
        """Take the oldest item; cancelling a `get` loses nothing. Raises `ChannelClosed` once drained."""
        while not self._items:
            if self._closed:
                raise ChannelClosed
            self._readable.clear()
            await self._readable.wait()
        item = self._items.popleft()
        self._writable.set()
        return item

    def clear(self) -> int:
        """Drop everything that waits; returns how many items that were."""
        count = len(self._items)
        self._items.clear()
        self._writable.set()
        return count

    def close(self) -> None:
        """No more items; readers drain what is left. Closing twice is harmless."""
        self._closed = True
        self._readable.set()
        self._writable.set()
