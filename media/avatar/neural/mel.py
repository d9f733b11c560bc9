"""The log-mel spectrogram that Wav2Lip was trained on."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from media.audio.frames import SPEECH_RATE, Samples

FFT: Final = 800
HOP: Final = 200
BANDS: Final = 80

_PREEMPHASIS = 0.97


def _slaney(frequency: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Hertz to mels: linear below 1 kHz, logarithmic above (Slaney's Auditory Toolbox)."""
    above = 15.0 + np.log(np.maximum(frequency, 1e-9) / 1000.0) / (np.log(6.4) / 27.0)
    return np.where(frequency < 1000.0, frequency * 3.0 / 200.0, above)


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


def _filters() -> npt.NDArray[np.float64]:
    low, high = (float(_slaney(np.array(f))) for f in (55.0, 7600.0))
    edges = _hertz(np.linspace(low, high, BANDS + 2))
    frequency = np.fft.rfftfreq(FFT, 1 / SPEECH_RATE)
    rising = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None) * (2.0 / (edges[2:] - edges[:-2]))[:, None])


_FILTERS: Final = _filters()
_WINDOW: Final = np.hanning(FFT + 1)[:-1]


def wav2lip_mel(sound: Samples, steps: int) -> npt.NDArray[np.float32]:
    """Shape [80, steps], in [-4, 4]; step k is centred on sample 400 + 200·k of `sound`."""
    loud = np.concatenate([sound[:1], sound[1:] - _PREEMPHASIS * sound[:-1]]).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(loud, FFT)[: steps * HOP : HOP]
    magnitude = np.abs(np.fft.rfft(frames * _WINDOW, FFT))
    level = 20.0 * np.log10(np.maximum(1e-5, _FILTERS @ magnitude.T)) - 20.0
    return np.clip(8.0 * (level + 100.0) / 100.0 - 4.0, -4.0, 4.0).astype(np.float32)
