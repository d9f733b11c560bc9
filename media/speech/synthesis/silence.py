"""How much of the beginning and the end of speech is silent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from media.audio.frames import Samples

QUIET = 10 ** (-55 / 20)
"""Root mean square below which a window counts as silent: 55 dB under full scale, the hiss of a voice at rest."""

WINDOW = 0.005
"""Seconds over which the level is taken."""


def _loud(samples: Samples, rate: int) -> tuple[npt.NDArray[np.intp], int]:
    """Indices of the windows that are not silent, and samples a window."""
    window = max(1, round(WINDOW * rate))
    whole = samples[: len(samples) // window * window].reshape(-1, window)
    level = np.sqrt(np.mean(np.square(whole), axis=1)) if len(whole) else np.zeros(0, np.float32)
    return np.flatnonzero(level > QUIET), window


def leading_silence(samples: Samples, rate: int) -> int:
    """Samples before the first that can be heard; all of them where none can."""
    loud, window = _loud(samples, rate)
    return int(loud[0]) * window if len(loud) else len(samples)


def trailing_silence(samples: Samples, rate: int) -> int:
    """Samples after the last that can be heard; all of them where none can."""
    return leading_silence(samples[::-1], rate)
