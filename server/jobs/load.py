"""Whether live conversations need the machine: the server writes it down many times a second, its workers read it.

A file of 24 bytes, mapped by everybody: when it was written (CLOCK_MONOTONIC, the same for all processes), how late the
server's event loop was, and how many conversations go on. A reader that meets a half-written record reads again.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

_RECORD = struct.Struct("<ddd")
STEP_S = 0.05
_STALE_S = 1.0
LATE_S = 0.02
"""A loop that is later than a frame of audio makes calls stutter."""


class LoadFile:
    """The record, for one writer and any number of readers."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _RECORD.size)
            self._map = mmap.mmap(descriptor, _RECORD.size)
        finally:
            os.close(descriptor)
        self._clock = clock

    def write(self, late_s: float, sessions: int) -> None:
        """How late the loop was, and how many conversations go on."""
        self._map[:] = _RECORD.pack(self._clock(), late_s, sessions)

    def pressed(self) -> bool:
        """Conversations go on and the loop that serves them is late. A server that is gone presses nobody."""
        written, late_s, sessions = self._read()
        return sessions > 0 and late_s > LATE_S and self._clock() - written < _STALE_S

    def _read(self) -> tuple[float, float, float]:
        record = self._map[:]
        while (again := self._map[:]) != record:
            record = again
        written, late_s, sessions = _RECORD.unpack(record)
        return written, late_s, sessions

    def close(self) -> None:
        """Unmap it."""
        self._map.close()


async def report_load(load: LoadFile, sessions: Callable[[], int]) -> None:
    """Measure how late this event loop is and write it down, until cancelled.

    What is written is the latest wait that decays by half in a quarter of a second: one late step is enough to be
    noticed by a worker that looks ten times a second.
    """
    loop = asyncio.get_running_loop()
    late = 0.0
    with contextlib.closing(load):
        while True:
            due = loop.time() + STEP_S
            await asyncio.sleep(STEP_S)
            late = max(loop.time() - due, late * 0.87)
            load.write(late, sessions())
