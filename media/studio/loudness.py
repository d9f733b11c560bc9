"""How loud speech is, and making it as loud as it should be, both block by block.

Loudness after ITU-R BS.1770-4: K-weighting (pyloudnorm's filters), blocks of 0.4 s every 0.1 s, gated at -70 LUFS and
10 LU below what is left. True peaks after its annex 2: the largest of four times as many samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyloudnorm
import soxr
from scipy.ndimage import minimum_filter1d
from scipy.signal import lfilter

from media.audio.frames import Samples

SPEECH_LOUDNESS: Final = -16.0
"""LUFS, what podcasts and spoken videos in mono aim at."""
HIGHEST_PEAK: Final = -1.0
"""dBTP: what lossy coders behind us add stays below full scale."""

_STEPS_PER_BLOCK = 4
_STEP = 0.1  # seconds
_ABSOLUTE, _RELATIVE, _OFFSET = -70.0, -10.0, -0.691
_LARGEST_GAIN = 30.0  # dB: near-silence is left near-silent
_MOST_LIMITING = 9.0  # dB that peaks may be pressed down by; beyond that everything is made less loud
_MARGIN = 0.5  # dB that meters differ by about peaks of what lies near half the sample rate
_LOOK_AHEAD = 0.005  # seconds in which the limiter's gain falls and rises
_OVERSAMPLING = 4
_TRIALS = 2


class LoudnessMeter:
    """Integrated loudness and true peak of a mono recording that comes in blocks; memory grows by 80 bytes a second."""

    def __init__(self, rate: int) -> None:
        shelf = pyloudnorm.IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, rate, "high_shelf")
        high_pass = pyloudnorm.IIRfilter(0.0, 0.5, 38.0, rate, "high_pass")
        self._filters = [(one.passband_gain * one.b, one.a) for one in (shelf, high_pass)]
        self._states = [np.zeros(max(len(a), len(b)) - 1) for b, a in self._filters]
        self._step = round(_STEP * rate)
        self._left = np.zeros(0)
        self._powers: list[float] = []
        self._upsampler = soxr.ResampleStream(rate, _OVERSAMPLING * rate, 1, dtype="float32", quality="HQ")
        self._peak = 0.0

    def hear(self, samples: Samples) -> None:
        """The samples that follow."""
        self._peak = max(self._peak, _largest(samples), _largest(self._upsampler.resample_chunk(samples)))
        weighted = samples.astype(np.float64)
        for number, (b, a) in enumerate(self._filters):
            weighted, self._states[number] = lfilter(b, a, weighted, zi=self._states[number])
        weighted = np.concatenate([self._left, weighted])
        count = len(weighted) // self._step
        steps = weighted[: count * self._step].reshape(count, self._step)
        self._powers += np.mean(np.square(steps), axis=1).tolist()
        self._left = weighted[count * self._step :]

    def finish(self) -> None:
        """Nothing more follows."""
        self._peak = max(self._peak, _largest(self._upsampler.resample_chunk(np.zeros(0, np.float32), last=True)))

    @property
    def loudness(self) -> float:
        """LUFS; minus infinity for silence. Less than 0.4 s count as one block."""
        powers = np.array(self._powers)
        if len(powers) < _STEPS_PER_BLOCK:
            heard = powers.sum() * self._step + np.square(self._left).sum()
            blocks = np.array([heard / max(1, len(powers) * self._step + len(self._left))])
        else:
            blocks = np.convolve(powers, np.full(_STEPS_PER_BLOCK, 1 / _STEPS_PER_BLOCK), "valid")
        gated = blocks[_lufs(blocks) >= _ABSOLUTE]
        if not len(gated):
            return -math.inf
        gated = gated[_lufs(gated) > float(_lufs(gated.mean())) + _RELATIVE]
        return float(_lufs(gated.mean())) if len(gated) else -math.inf

    @property
    def true_peak(self) -> float:
        """The largest true peak, 1 for full scale."""
        return self._peak


def gain_for(loudness: float, true_peak: float, *, target: float = SPEECH_LOUDNESS) -> float:
    """The factor that brings a recording to `target` LUFS; 1 for silence.

    Smaller where its peaks would otherwise have to be limited by more than 9 dB.
    """
    if not math.isfinite(loudness) or true_peak <= 0:
        return 1.0
    wanted = min(target - loudness, _LARGEST_GAIN)
    highest = HIGHEST_PEAK + _MOST_LIMITING - 20 * math.log10(true_peak)
    return float(10 ** (min(wanted, highest) / 20))


def mastering_gain(blocks: Callable[[], Iterable[Samples]], rate: int, *, target: float = SPEECH_LOUDNESS) -> float:
    """The factor that brings a recording to `target` LUFS behind a `Limiter`. `blocks` gives it from the start.

    Limiting takes loudness away: where it would, the recording is limited for trial and the factor raised by what was
    lost. 1 for silence.
    """
    plain = _metered(blocks(), rate)
    gain = gain_for(plain.loudness, plain.true_peak, target=target)
    most = gain_for(plain.loudness, plain.true_peak, target=math.inf)
    for _ in range(_TRIALS):
        if gain * plain.true_peak <= 10 ** ((HIGHEST_PEAK - _MARGIN) / 20):
            break
        trial = _metered(limited(blocks(), gain, rate), rate)
        gain = min(most, gain * 10 ** ((target - trial.loudness) / 20))
    return gain


def _metered(blocks: Iterable[Samples], rate: int) -> LoudnessMeter:
    meter = LoudnessMeter(rate)
    for block in blocks:
        meter.hear(block)
    meter.finish()
    return meter


def limited(blocks: Iterable[Samples], gain: float, rate: int) -> Iterator[Samples]:
    """The blocks `gain` times as loud, their peaks kept in bounds."""
    limiter = Limiter(rate)
    for block in blocks:
        yield limiter.feed(block * np.float32(gain))
    yield limiter.finish()


class Limiter:
    """Keeps true peaks below a ceiling: turns down smoothly 5 ms ahead of each and up again behind it.

    Feed blocks, drain what is ready; all samples come out once, in order, `finish` gives the last.
    """

    def __init__(self, rate: int, *, ceiling: float = HIGHEST_PEAK - _MARGIN) -> None:
        self._ceiling = 10 ** (ceiling / 20)
        self._reach = max(2, round(_LOOK_AHEAD * rate))
        window = np.hanning(self._reach + 2)[1:-1]
        self._window = window / window.sum()
        self._held = np.zeros(0, np.float32)  # samples whose gain is not settled yet
        self._context = 2 * self._reach
        self._before = np.zeros(0, np.float32)  # samples that came out, which the next ones' gain depends on

    def feed(self, samples: Samples) -> Samples:
        """The samples whose gain is settled by these."""
        return self._drain(np.concatenate([self._held, samples]), self._context)

    def finish(self) -> Samples:
        """The last samples."""
        return self._drain(self._held, 0)

    def _drain(self, waiting: Samples, keep: int) -> Samples:
        count = max(0, len(waiting) - keep)
        self._held = waiting[count:]
        if not count:
            return waiting[:0]
        whole = np.concatenate([self._before, waiting])
        gain = self._gain(whole)[len(self._before) : len(self._before) + count]
        self._before = whole[: len(self._before) + count][-self._context :]
        return np.asarray(waiting[:count] * gain, np.float32)

    def _gain(self, samples: Samples) -> npt.NDArray[np.float64]:
        """For each sample; exact for those with `_context` samples on both sides (or the recording's ends)."""
        peaks = true_peaks(samples)
        if _largest(peaks) <= self._ceiling:
            return np.ones(len(samples))
        needed = np.minimum(1.0, self._ceiling / np.maximum(peaks, 1e-9))
        held = minimum_filter1d(needed, 2 * (self._reach // 2) + 1, mode="nearest")
        padded = np.pad(held, (self._reach // 2, self._reach - 1 - self._reach // 2), mode="edge")
        return np.convolve(padded, self._window, "valid")


def true_peaks(samples: Samples) -> npt.NDArray[np.float64]:
    """For each sample the largest magnitude between its neighbours, found at four times the rate."""
    taps = _interpolator()
    reach = len(taps) // 2 // _OVERSAMPLING
    samples = samples.astype(np.float64)
    peaks = np.abs(samples)
    if len(samples):
        padded = np.pad(samples, reach)
        for phase in range(1, _OVERSAMPLING):
            gaps = np.abs(np.convolve(padded, taps[phase::_OVERSAMPLING], "valid"))  # gaps[k] lies before sample k
            peaks = np.maximum.reduce([peaks, gaps[:-1], gaps[1:]])
    return peaks


def _interpolator(reach: int = 24) -> npt.NDArray[np.float64]:
    """A windowed sinc that inserts three samples between any two."""
    places = np.arange(-reach * _OVERSAMPLING, reach * _OVERSAMPLING + 1) / _OVERSAMPLING
    return np.asarray(np.sinc(places) * np.kaiser(len(places), 6.0))


def _lufs(power: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(_OFFSET + 10 * np.log10(np.maximum(power, 1e-20)))


def _largest(values: npt.NDArray[np.floating]) -> float:
    return float(np.abs(values).max(initial=0.0))
