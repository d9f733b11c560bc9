"""What a face does by itself: blinks, glances, breath, the small motions of a head. Functions of time and a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MASK: Final = (1 << 64) - 1

BLINK_EVERY = 3.6
"""Mean seconds between blinks."""

_CLOSE, _HOLD, _OPEN = 0.08, 0.03, 0.16  # seconds of a blink
_GLANCE_EVERY = 1.3
SACCADE = 0.05
"""Seconds in which the eyes jump."""


@dataclass(frozen=True, slots=True)
class HeadSway:
    """A head's small motion, in the units of `FaceState`."""

    yaw: float
    pitch: float
    roll: float
    shift_x: float
    shift_y: float


class Liveliness:
    """The involuntary motions of one face."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._phases = [2 * math.pi * self._random(index, 9) for index in range(16)]

    def lids(self, at: float, *, changes: Sequence[float] = ()) -> float:
        """How far the eyes are shut; they also blink at `changes`, the times when the mood changed."""
        slot = math.floor(at / BLINK_EVERY)
        shut = 0.0
        for index in (slot - 1, slot):
            began = (index + 0.08 + 0.80 * self._random(index, 0)) * BLINK_EVERY
            shut = max(shut, _blink(at - began))
            if self._random(index, 1) < 0.12:
                shut = max(shut, _blink(at - began - 0.32))
        for when in changes:
            if math.isfinite(when) and self._random(round(when * 100), 2) < 0.6:
                shut = max(shut, _blink(at - when - 0.05))
        return shut

    def gaze(self, at: float, *, thinking: float, glancing: float, within: float = SACCADE) -> tuple[float, float]:
        """Where the eyes look, in iris radii: small jumps about the caller's face, aside when thinking.

        `within`: seconds in which a new aim is reached; the head follows the eyes more slowly.
        """
        slot = math.floor(at / _GLANCE_EVERY)
        began = (slot + 0.5 * self._random(slot, 3)) * _GLANCE_EVERY
        if at < began:
            slot -= 1
            began = (slot + 0.5 * self._random(slot, 3)) * _GLANCE_EVERY
        share = min(max((at - began) / within, 0.0), 1.0)
        share = share * share * (3 - 2 * share)
        before, now = (self._target(index, thinking, glancing) for index in (slot - 1, slot))
        return before[0] + share * (now[0] - before[0]), before[1] + share * (now[1] - before[1])

    def head(self, at: float) -> HeadSway:
        """The head's sway: sums of slow, unrelated waves."""
        return HeadSway(
            yaw=self._wave(at, 0, 0.030, (0.13, 0.29, 0.43)),
            pitch=self._wave(at, 3, 0.015, (0.17, 0.37)),
            roll=self._wave(at, 5, 0.012, (0.11, 0.23)),
            shift_x=self._wave(at, 7, 0.014, (0.12, 0.31)),
            shift_y=self._wave(at, 9, 0.010, (0.15,)),
        )

    def brows(self, at: float) -> float:
        """A slow, slight play of the brows."""
        return self._wave(at, 12, 0.08, (0.07, 0.19))

    def breath(self, at: float) -> float:
        """From -1, out, to 1, in, about fifteen times a minute."""
        return math.sin(2 * math.pi * 0.25 * at + self._phases[15])

    def _target(self, slot: int, thinking: float, glancing: float) -> tuple[float, float]:
        x, y = 2 * self._random(slot, 4) - 1, 2 * self._random(slot, 5) - 1
        aside = 0.05 + (0.30 * glancing if self._random(slot, 6) < 0.25 else 0.0)
        away = 0.38 if self._random(slot // 2, 7) < 0.5 else -0.38
        return aside * x * (1 - thinking) + away * thinking, 0.6 * aside * y * (1 - thinking) - 0.16 * thinking

    def _wave(self, at: float, first: int, size: float, rates: tuple[float, ...]) -> float:
        return sum(
            size / (index + 1) * math.sin(2 * math.pi * rate * at + self._phases[first + index])
            for index, rate in enumerate(rates)
        )

    def _random(self, index: int, channel: int) -> float:
        """A number in [0, 1) that depends on the seed and these two only (SplitMix64)."""
        x = (self._seed * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03 + channel * 0x8CB92BA72F3D8DD7) & _MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((x ^ (x >> 31)) >> 11) / (1 << 53)


def _blink(since: float) -> float:
    if since <= 0 or since >= _CLOSE + _HOLD + _OPEN:
        return 0.0
    if since < _CLOSE:
        part = since / _CLOSE
    elif since < _CLOSE + _HOLD:
        part = 1.0
    else:
        part = 1.0 - (since - _CLOSE - _HOLD) / _OPEN
    return part * part * (3.0 - 2.0 * part)
