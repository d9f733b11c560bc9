"""PCM frames indexed by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.float32]
"""Mono audio, shape [n], float32 in [-1, 1]."""

SPEECH_RATE = 16_000
"""Sample rate in Hz of everything the speech models hear."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """A run of consecutive samples of one stream.

    `index` counts samples since the stream began, so a frame knows its own time
    (`index / rate` seconds) and a gap between frames is a number, not a guess.
    """

    samples: Samples
    rate: int
    index: int

    @property
    def end(self) -> int:
        """Index of the first sample after this frame."""
        return self.index + len(self.samples)

    @property
    def seconds(self) -> float:
        """Stream time of the first sample, in seconds."""
        return self.index / self.rate

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


def to_int16(samples: Samples) -> npt.NDArray[np.int16]:
    """Quantise float samples to 16-bit PCM; values outside [-1, 1] are clipped."""
    pcm: npt.NDArray[np.int16] = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)
    return pcm


def from_int16(pcm: npt.NDArray[np.int16]) -> Samples:
    """16-bit PCM as float samples in [-1, 1)."""
    return (pcm.astype(np.float32) / 32768.0).astype(np.float32)
