"""What somebody hears who is on hold: a few soft chords, made here, so that nobody's rights are in them."""

from __future__ import annotations

import io
import wave
from functools import cache
from typing import Final

import numpy as np

from media.audio.frames import Samples, to_int16
from media.audio.g711 import PHONE_RATE

SECONDS: Final = 4.0
"""It begins and ends in silence, so that it may be repeated with any pause between; then we are asked what follows."""

_CHORDS: Final = (
    (261.63, 329.63, 392.00),
    (220.00, 261.63, 329.63),
    (174.61, 220.00, 261.63),
    (196.00, 246.94, 293.66),
)
_LEVEL: Final = 0.08
"""Of each note: all together stay at about -16 dBFS, well below speech."""
_DECAY_S: Final = 0.5
_ATTACK_S: Final = 0.08


def music(rate: int = PHONE_RATE) -> Samples:
    """The chords, one after the other, each dying away. Shape [n] at `rate` Hz."""
    each = SECONDS / len(_CHORDS)
    time = np.arange(round(each * rate)) / rate
    shape = np.minimum(1.0, time / _ATTACK_S) * np.exp(-time / _DECAY_S) * np.minimum(1.0, (each - time) / _ATTACK_S)
    chords = [
        shape
        * sum(_LEVEL * (np.sin(2 * np.pi * note * time) + 0.3 * np.sin(4 * np.pi * note * time)) for note in chord)
        for chord in _CHORDS
    ]
    return np.concatenate(chords).astype(np.float32)


@cache
def hold_wav() -> bytes:
    """The music as a WAV file, 16 bit, for telephones."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(PHONE_RATE)
        out.writeframes(to_int16(music()).astype("<i2").tobytes())
    return file.getvalue()
