"""The log-mel spectrogram that Whisper and Smart Turn hear.

The same numbers as OpenAI's Whisper and as `WhisperFeatureExtractor` of Hugging Face transformers (Apache-2.0) compute,
in single precision: 400-sample Hann windows every 160 samples, 80 or 128 Slaney mel bands, log10 within 8 of the
loudest, then (x + 4) / 4.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from media.audio.frames import SPEECH_RATE, Samples

FFT = 400
HOP = 160
FRAMES_PER_SECOND = SPEECH_RATE // HOP

Features = npt.NDArray[np.float32]


def log_mel(samples: Samples, bands: int = 80) -> Features:
    """The log-mel spectrogram [bands, len(samples) // 160] of 16 kHz `samples` (at least 400 of them)."""
    if len(samples) < FFT:
        raise ValueError(f"a spectrogram needs at least {FFT} samples, not {len(samples)}")
    padded = np.pad(samples, FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][: len(samples) // HOP]
    spectrum = np.fft.rfft(frames * _window(), axis=-1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    mel = np.log10(np.maximum(_filters(bands) @ power.T, 1e-10))
    features: Features = (np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0
    return features


@cache
def _window() -> Features:
    return np.hanning(FFT + 1)[:-1].astype(np.float32)


@cache
def _filters(bands: int) -> Features:
    """Triangular filters [bands, 201] from 0 to 8 kHz on Slaney's mel scale, each of the same area."""
    edges = _hertz(np.linspace(_mel(0.0), _mel(SPEECH_RATE / 2), bands + 2))
    bins = np.linspace(0.0, SPEECH_RATE / 2, FFT // 2 + 1)
    slopes = edges[:, None] - bins[None, :]
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0.0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    filters: Features = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    return filters


# Slaney's scale: linear to 1 kHz (15 mel), logarithmic above.
_KNEE_HERTZ, _KNEE_MEL, _LOG_STEP = 1000.0, 15.0, np.log(6.4) / 27.0


def _mel(hertz: float) -> float:
    if hertz < _KNEE_HERTZ:
        return hertz * _KNEE_MEL / _KNEE_HERTZ
    return float(_KNEE_MEL + np.log(hertz / _KNEE_HERTZ) / _LOG_STEP)


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = mel * _KNEE_HERTZ / _KNEE_MEL
    return np.where(mel < _KNEE_MEL, linear, _KNEE_HERTZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL)))
