"""DTMF: the keys of a telephone as pairs of tones (ITU-T Q.23, Q.24)."""

from __future__ import annotations

from typing import Final

import numpy as np

from media.audio.frames import Samples

KEYS: Final = frozenset("0123456789*#ABCD")

TONE_SECONDS: Final = 0.1
GAP_SECONDS: Final = 0.08
"""Q.24 asks receivers to take tones and gaps from 40 ms; networks vary, so about twice that."""

_LEVEL: Final = 0.25  # of each tone, about -12 dBFS; both together stay well below clipping
_RAMP_SECONDS: Final = 0.004
_LOW: Final = (697, 770, 852, 941)
_HIGH: Final = (1209, 1336, 1477, 1633)
_ROWS: Final = ("123A", "456B", "789C", "*0#D")


def tones(digits: str, rate: int = 8000) -> Samples:
    """The sound of these keys, each followed by a gap; what is no key is left out. Shape [n], at `rate` Hz."""
    parts = [part for digit in digits if digit in KEYS for part in (_tone(digit, rate), _gap(rate))]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _tone(digit: str, rate: int) -> Samples:
    row = next(i for i, keys in enumerate(_ROWS) if digit in keys)
    time = np.arange(round(TONE_SECONDS * rate)) / rate
    wave = sum(np.sin(2 * np.pi * f * time) for f in (_LOW[row], _HIGH[_ROWS[row].index(digit)]))
    ramp = np.minimum(1.0, np.minimum(time, time[::-1]) / _RAMP_SECONDS)  # no clicks
    sound: Samples = (_LEVEL * ramp * wave).astype(np.float32)
    return sound


def _gap(rate: int) -> Samples:
    return np.zeros(round(GAP_SECONDS * rate), np.float32)
