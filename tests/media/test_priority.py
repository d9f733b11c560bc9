"""Threads that step back, and what is done on them."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from media.priority import MODELS_NICE, step_back, stepped_back


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="priorities belong to threads on Linux only")
def test_threads_that_a_library_starts_step_back_with_the_one_that_loads_it() -> None:
    before = nice()
    seen: list[int] = []

    def load() -> int:
        started = threading.Thread(target=lambda: seen.append(nice()))
        started.start()
        started.join()
        return nice()

    assert stepped_back(load) == min(19, before + MODELS_NICE)
    assert seen == [min(19, before + MODELS_NICE)]
    assert nice() == before


def test_what_fails_on_such_a_thread_is_told_to_who_asked() -> None:
    with pytest.raises(ZeroDivisionError):
        stepped_back(lambda: 1 // 0)


def test_the_lowest_priority_is_no_error() -> None:
    def work() -> bool:
        step_back(19)
        step_back(19)
        return True

    assert stepped_back(work)
