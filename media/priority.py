"""Who goes first on a full machine: the threads that keep the beat of live sound, before those that compute."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

MODELS_NICE: Final = 5
"""By how much models' threads step back: a frame of sound is due every 20 ms, a sentence's next stretch is not."""

T = TypeVar("T")


def step_back(by: int = MODELS_NICE) -> None:
    """Lower this thread's priority, and that of the threads it starts from now on; not to be taken back.

    On Linux only, where priorities belong to threads; elsewhere they are a process's, and this does nothing.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + by)


def stepped_back(work: Callable[[], T]) -> T:
    """The result of `work`, done on a thread that has stepped back: for libraries that start their own threads."""
    with ThreadPoolExecutor(1, "stepped-back", initializer=step_back) as thread:
        return thread.submit(work).result()
