from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.speech.activity.levels import SILENCE_LEVEL, NoiseFloor, PeakLevel
from media.speech.activity.silero import block_levels


def floor_after(levels: list[float]) -> float:
    floor = NoiseFloor(block_seconds=0.008)
    for level in levels:
        floor.add(level)
    return floor.level


def test_the_floor_is_the_background_between_words() -> None:
    words = ([-20.0] * 60 + [-52.0] * 20) * 10
    assert floor_after(words) == pytest.approx(-52, abs=2)


def test_the_floor_rises_with_the_background_within_seconds() -> None:
    assert floor_after([-60.0] * 400 + [-35.0] * 400) == pytest.approx(-35, abs=1)


def test_the_floor_falls_with_the_background_at_once() -> None:
    assert floor_after([-35.0] * 400 + [-60.0] * 15) < -55


def test_a_single_quiet_block_does_not_set_the_floor() -> None:
    assert floor_after([-35.0] * 100 + [-75.0] + [-35.0] * 10) > -50


@given(st.lists(st.floats(-75, 0), max_size=500))
def test_the_floor_is_never_under_silence_nor_over_the_loudest(levels: list[float]) -> None:
    assert SILENCE_LEVEL <= floor_after(levels) <= max(levels, default=SILENCE_LEVEL) + 1e-6


def test_the_peak_rises_at_once_and_decays() -> None:
    peak = PeakLevel(block_seconds=0.008)
    peak.add(-15.0)
    assert peak.level == -15
    for _ in range(125):
        peak.add(-60.0)
    assert peak.level == pytest.approx(-23, abs=0.1)


def test_levels_are_decibels_of_full_scale() -> None:
    square = np.tile(np.array([0.1, -0.1], np.float32), 64)
    levels = block_levels(np.concatenate([square, np.zeros(128, np.float32), square[:50]]))
    assert levels == pytest.approx((-20.0, SILENCE_LEVEL), abs=0.01)
