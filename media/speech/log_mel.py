"""The log-mel spectrogram that Whisper and Smart Turn hear, and the mel spectrogram it is the logarithm of.

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
    mel = mel_power(samples, bands)
    mel = np.log10(np.maximum(mel, 1e-10))
    features: Features = (np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0
    return features


def mel_power(samples: Samples, bands: int = 80) -> Features:
    """The power in each mel band [bands, len(samples) // 160] of 16 kHz `samples` (at least 400 of them)."""
    if len(samples) < FFT:
        raise ValueError(f"a spectrogram needs at least {FFT} samples, not {len(samples)}")
    padded = np.pad(samples, FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][: len(samples) // HOP]
    spectrum = np.fft.rfft(frames * _window(), axis=-1)
    power = np.ascontiguousarray((np.square(spectrum.real) + np.square(spectrum.imag)).T)
    mel = np.empty((bands, power.shape[1]), np.float32)
    # Each filter covers a few bins only. A matrix product would wake OpenBLAS's threads, which spin: 35 ms for 0.2 ms
    # of work where another process is busy.
    for band, (first, weights) in zip(mel, _filters(bands), strict=True):
        np.einsum("f,ft->t", weights, power[first : first + len(weights)], out=band)
    return mel


@cache
def _window() -> Features:
    return np.hanning(FFT + 1)[:-1].astype(np.float32)


@cache
def _filters(bands: int) -> list[tuple[int, Features]]:
    """Triangular filters from 0 to 8 kHz on Slaney's mel scale, each of the same area: first bin and its weights."""
    edges = _hertz(np.linspace(_mel(0.0), _mel(SPEECH_RATE / 2), bands + 2))
    bins = np.linspace(0.0, SPEECH_RATE / 2, FFT // 2 + 1)
    slopes = edges[:, None] - bins[None, :]
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0.0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    filters = []
    for triangle in triangles.astype(np.float32):
        filled = np.flatnonzero(triangle)
        first, stop = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, 1)
        filters.append((first, triangle[first:stop]))
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
