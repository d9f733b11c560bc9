"""How much memory the C library keeps for itself, and what the garbage collector looks through."""

from __future__ import annotations

import ctypes
import gc
import os
from typing import Final

_M_ARENA_MAX: Final = -8  # malloc.h of glibc


def bound_arenas() -> bool:
    """Let glibc's malloc have as many arenas as there are processors, two at least; returns whether it has one.

    By default it makes eight for each processor, and what a thread has freed in one is not there for the others: with
    our threads that is 130 MB on two cores. More threads than processors cannot run, so none waits for an arena.
    To be called before there are threads; where the C library is another one nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_ARENA_MAX, max(2, os.cpu_count() or 2)))


def return_freed() -> None:
    """Give back to the system what was freed: after large work glibc keeps it in pieces, 60 MB more with each film."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return


def settle() -> None:
    """What has been made up to now stays: the garbage collector need not look through it again.

    With libraries, settings and models in it, one look through everything takes 200 ms, in which every call is silent.
    """
    gc.collect()
    gc.freeze()
