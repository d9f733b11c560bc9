"""Processes that are kept alive, in virtual time."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from server.restarting import FIRST_PAUSE_S, LONGEST_PAUSE_S, STABLE_S, keep_alive
from tests.virtual_time import run_virtual


def starts(*lives: float | OSError) -> list[float]:
    """When each life began, in seconds from the first; a life lasts so long, or cannot begin."""
    began: list[float] = []
    left = list(lives)
    closing = False

    async def live() -> int:
        nonlocal closing
        began.append(asyncio.get_running_loop().time())
        life = left.pop(0)
        if isinstance(life, OSError):
            closing = not left
            raise life
        await asyncio.sleep(life)
        closing = not left
        return 1

    run_virtual(lambda: keep_alive("worker", live, lambda: closing))
    return [at - began[0] for at in began]


def test_a_process_that_keeps_ending_is_started_after_pauses_that_double_up_to_a_bound() -> None:
    began = starts(*[0.0] * 9)
    pauses = [after - before for before, after in itertools.pairwise(began)]
    assert pauses == pytest.approx([min(FIRST_PAUSE_S * 2**number, LONGEST_PAUSE_S) for number in range(1, 9)])


def test_a_process_that_lived_long_is_started_again_soon() -> None:
    began = starts(0.0, 0.0, STABLE_S + 1, 0.0)
    assert began[3] - began[2] == pytest.approx(STABLE_S + 1 + FIRST_PAUSE_S)


def test_a_process_that_cannot_be_started_is_tried_again() -> None:
    assert len(starts(OSError("no memory"), 0.0)) == 2


def test_what_ends_while_it_closes_is_left() -> None:
    assert starts(3.0) == [0.0]
