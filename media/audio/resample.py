"""Sample rate conversion: a streaming one with little delay for live audio, and a one-shot one.

soxr's streams work in blocks: at 8 kHz to 16 kHz its output lags by up to 61 ms (LQ) or 117 ms (HQ), and comes in
bursts. A caller's voice cannot wait for that, so live audio goes through a windowed-sinc polyphase filter of our own
that lags by 16 samples of the lower rate: 2 ms from the phone, 1 ms from a browser. Whole recordings go through soxr.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import soxr

from media.audio.frames import AudioFrame, Samples

REACH = 16
"""Samples of the lower rate on each side of a new sample that it is made of: the stream's delay."""
LONGEST_GAP = 1.0
"""Seconds of missing audio that are filled with silence; after a longer gap the stream begins anew."""
_BETA = 7.0  # Kaiser window: 70 dB of stop band; with REACH the pass band reaches 0.88 of the lower Nyquist frequency
_CUTOFF = 0.95  # of the lower Nyquist frequency, in the middle of the transition
_LOWEST, _HIGHEST = 4_000, 384_000


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """All of `samples` at another rate (soxr HQ); the result has round(n * to_rate / from_rate) samples."""
    _check(from_rate, to_rate)
    if from_rate == to_rate or not len(samples):
        return samples
    converted: Samples = soxr.resample(samples, from_rate, to_rate, "HQ").astype(np.float32, copy=False)
    return converted


class StreamResampler:
    """Converts one live stream, frame by frame.

    Sample k of the output sounds at k / to_rate seconds of the stream, as sample i of the input does at
    i / from_rate: the indices carry the time, the output only ends 16 samples of the lower rate earlier.
    A gap in the input's index is heard as silence (up to a second; then the stream begins anew at the new
    place), samples that were given before are skipped. Work for a 20 ms frame: 15 µs where one
    rate is a multiple of the other, 0.1 ms otherwise.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        _check(from_rate, to_rate)
        self.from_rate = from_rate
        self.to_rate = to_rate
        ratio = Fraction(to_rate, from_rate)
        self._up, self._down = ratio.numerator, ratio.denominator
        self._filters = _filters(self._up, self._down)
        self._reach = self._filters.shape[1] // 2
        self._received = self._produced = 0
        self._history: Samples = np.zeros(0, np.float32)
        self._begin(0)

    @property
    def delay(self) -> float:
        """Seconds by which the output lags behind the input."""
        return 0.0 if self.from_rate == self.to_rate else self._reach / self.from_rate

    def process(self, frame: AudioFrame) -> AudioFrame:
        """The samples that `frame` completes, possibly none. Raises `ValueError` for a frame of another rate."""
        if frame.rate != self.from_rate:
            raise ValueError(f"this stream is {self.from_rate} Hz, the frame has {frame.rate} Hz")
        gap = frame.index - self._received
        if gap > LONGEST_GAP * self.from_rate:
            self._begin(frame.index)
            gap = 0
        samples = frame.samples[max(0, -gap) :]
        if gap > 0:
            samples = np.concatenate([np.zeros(gap, np.float32), samples])
        if self.from_rate == self.to_rate:
            self._received += len(samples)
            return AudioFrame(samples, self.to_rate, self._received - len(samples))
        return self._convert(samples)

    def flush(self) -> AudioFrame:
        """The last samples, as if silence followed; the stream may go on after it."""
        if self.from_rate == self.to_rate:
            return AudioFrame(np.zeros(0, np.float32), self.to_rate, self._received)
        received, history = self._received, self._history
        tail = self._convert(np.zeros(self._reach, np.float32))
        self._received, self._history = received, history
        return tail

    def _begin(self, index: int) -> None:
        self._received = index
        self._history = np.zeros(2 * self._reach, np.float32)  # the newest input samples, silence before the first
        self._produced = -(-index * self._up // self._down)

    def _convert(self, samples: Samples) -> AudioFrame:
        self._history = np.concatenate([self._history, samples])
        self._received += len(samples)
        first = self._produced
        # Output k lies at k * down / up on the input and needs `reach` samples beyond that place.
        stop = max(first, ((self._received - self._reach) * self._up - 1) // self._down + 1)
        if self._up == 1 or self._down == 1:
            converted = self._evenly(first, stop)
        else:
            places = np.arange(first, stop, dtype=np.int64) * self._down
            oldest = self._received - len(self._history)
            starts = places // self._up - self._reach + 1 - oldest
            windows = np.lib.stride_tricks.sliding_window_view(self._history, 2 * self._reach)
            converted = np.einsum("ij,ij->i", windows[starts], self._filters[places % self._up], dtype=np.float32)
        self._produced = stop
        self._history = self._history[-2 * self._reach :]
        return AudioFrame(converted, self.to_rate, first)

    def _evenly(self, first: int, stop: int) -> Samples:
        """The outputs [first, stop) where one rate is a multiple of the other: every window meets every filter."""
        if stop == first:
            return np.zeros(0, np.float32)
        begin, end = first // self._up, -(-stop // self._up)
        start = begin * self._down - self._reach + 1 - (self._received - len(self._history))
        stride = self._history.strides[0]
        windows = np.ndarray(
            (end - begin, 2 * self._reach),
            np.float32,
            self._history,
            start * stride,
            (self._down * stride, stride),
        )
        # Not a matrix product of BLAS: how it adds up would depend on how the stream is cut into frames.
        converted: Samples = np.einsum("ij,kj->ik", windows, self._filters).reshape(-1)
        return converted[first - begin * self._up : stop - begin * self._up]


def _check(from_rate: int, to_rate: int) -> None:
    for rate in (from_rate, to_rate):
        if not _LOWEST <= rate <= _HIGHEST:
            raise ValueError(f"sample rate {rate} Hz is not between {_LOWEST} and {_HIGHEST} Hz")


@lru_cache(maxsize=16)
def _filters(up: int, down: int) -> npt.NDArray[np.float32]:
    """The low pass as one filter a phase: [up, taps], each summing to 1."""
    scale = max(1.0, down / up)  # a lower output rate needs a longer filter on the input
    reach = int(np.ceil(REACH * scale))
    offsets = np.arange(-reach + 1, reach + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - (offsets / reach) ** 2)))
    taps = np.sinc(offsets * _CUTOFF / scale) * window
    filters: npt.NDArray[np.float32] = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return filters
