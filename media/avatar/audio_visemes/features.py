"""Log-mel frames of 16 kHz sound, ten milliseconds apart, made in any portions with the same result."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from media.audio.frames import SPEECH_RATE, Samples

HOP: Final = 160
BANDS: Final = 40
STEPS_PER_SECOND: Final = SPEECH_RATE // HOP

_WINDOW_LENGTH = 400
_FFT = 512
_QUIET = 1e-7
_USUAL_LEVEL = -6.5  # mean log energy of speech at the usual level, until this speech's own is known
_SPREAD = 3.5
_SLOWEST = 0.004  # share of a new frame in the running level: 2.5 s to forget
_SPEECH = -12.0  # mean log energy below which a frame tells nothing about the speaker's level


def _mel_filters() -> npt.NDArray[np.float32]:
    """Shape [40, 257]: triangles equally wide on the mel scale, 60 to 7600 Hz."""
    frequency = np.linspace(0, SPEECH_RATE / 2, _FFT // 2 + 1)
    low, high = (2595 * np.log10(1 + f / 700) for f in (60.0, 7600.0))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    rising = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None), np.float32)


_FILTERS: Final = _mel_filters()
_WINDOW: Final = np.hanning(_WINDOW_LENGTH).astype(np.float32)


class LogMel:
    """A stream of log-mel frames. Frame k is centred on sample 160·k; its level is taken from what came before."""

    def __init__(self) -> None:
        self._waiting: Samples = np.zeros(_WINDOW_LENGTH // 2, np.float32)
        self._level = _USUAL_LEVEL
        self._heard = 0

    def feed(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Frames [n, 40] that these samples complete."""
        sound = np.concatenate([self._waiting, samples.astype(np.float32)])
        count = max(0, (len(sound) - _WINDOW_LENGTH) // HOP + 1)
        self._waiting = sound[count * HOP :]
        if not count:
            return np.zeros((0, BANDS), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW_LENGTH)[: count * HOP : HOP]
        power = np.abs(np.fft.rfft(frames * _WINDOW, _FFT)).astype(np.float32) ** 2
        mel = np.log(np.einsum("tf,bf->tb", power, _FILTERS) + _QUIET)  # BLAS would wake threads that spin
        return np.asarray((mel - self._levels(mel.mean(1))[:, None]) / _SPREAD, np.float32)

    def finish(self) -> npt.NDArray[np.float32]:
        """The frames whose windows reach past the end."""
        return self.feed(np.zeros(_WINDOW_LENGTH // 2, np.float32))

    def _levels(self, energy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        levels = np.empty(len(energy), np.float32)
        for index, value in enumerate(energy.tolist()):
            if value > _SPEECH:
                self._heard += 1
                self._level += (value - self._level) * max(_SLOWEST, 1.0 / (self._heard + 20))
            levels[index] = self._level
        return levels
