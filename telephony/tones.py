"""Tones of the telephone network in a caller's audio: an answering machine's beep, SIT, busy signals, fax.

Pure: frames in, tones out. A short-time spectrum every 16 ms says which one or two steady tones there are, if they are
nearly all of the sound; runs of the same tones and their cadence say what it means.

Sources: ITU-T E.180 and its supplement 2 (cadences by country), ATIS-1000111 (special information tones), ITU-T T.30
(1100 Hz calling, 2100 Hz answering fax).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from media.audio.frames import AudioFrame, Samples

WINDOW: Final = 0.032
HOP: Final = 0.016
"""Seconds of a spectrum, and from one to the next."""
LOWEST, HIGHEST = 300.0, 3400.0
"""Hertz that count: mains hum is no part of the sound."""
PURE: Final = 0.85
"""Share of the power that one or two tones must have; a vowel's harmonics have it only for a moment."""
QUIETEST: Final = -45.0  # dBFS
SECOND_TONE: Final = 0.08
"""The weaker of two tones has at least this share of the power of the stronger one."""
STEADY: Final = 0.012
"""Relative deviation of a tone's frequency: a voice wavers more within 0.1 s."""
STEADY_LEVEL: Final = 2.0  # dB, standard deviation
APART: Final = 6.0
"""dB that a beep is above what is before and after it."""
IMPURITY: Final = 0.03
"""Share of a beep's power that may be something else, besides the line's noise: a vowel's is about twice that."""

BEEP_RANGE: Final = (400.0, 2000.0)
BEEP_LENGTH: Final = (0.15, 3.0)
SETTLED: Final = 0.12
"""Seconds without a tone after which a beep is over, and no part of a melody like SIT's."""
SIT: Final = ((880.0, 1020.0), (1330.0, 1470.0), (1730.0, 1850.0))
SIT_LENGTH: Final = (0.2, 0.5)
BURST: Final = (0.13, 0.75)
"""Seconds of a busy signal's bursts and gaps."""
SLOW: Final = 0.33  # bursts this long are busy, shorter ones congestion
BURSTS: Final = 3
CALLING_FAX, ANSWERING_FAX = 1100.0, 2100.0
ANSWERING_LENGTH: Final = 1.2
_KEPT = 8  # segments


class Tone(Enum):
    """What was heard."""

    BEEP = "beep"
    """One tone by itself, 0.15 to 3 s."""
    SPECIAL_INFORMATION = "special information"
    """Three rising tones: the network says that the call did not go through."""
    BUSY = "busy"
    CONGESTION = "congestion"
    FAX = "fax"


@dataclass(frozen=True, slots=True)
class ToneHeard:
    """A tone; `start` and `end` in seconds of the stream."""

    tone: Tone
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _Sound:
    """One spectrum's tones in hertz, strongest first, none where it is no tone.

    `level` in dBFS; `rest`: the share of the power that is not in the tones.
    """

    tones: tuple[float, ...]
    level: float
    rest: float = 1.0


@dataclass(frozen=True, slots=True)
class _Segment:
    """A steady tone, or two; seconds of the stream."""

    tones: tuple[float, ...]
    start: float
    end: float
    apart: bool
    """Whether it is nothing but the tone, with less sound around it."""

    @property
    def length(self) -> float:
        return self.end - self.start

    def single_in(self, lowest: float, highest: float) -> bool:
        return len(self.tones) == 1 and lowest <= self.tones[0] <= highest


class ToneListener:
    """Listens to one stream. `feed` takes its frames in order; a gap between them is a silence without tones."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._size = round(WINDOW * rate)
        self._step = round(HOP * rate)
        self._window = np.hanning(self._size + 1)[:-1].astype(np.float32)
        self._bins = np.fft.rfftfreq(self._size, 1 / rate)
        self._first = int(np.searchsorted(self._bins, LOWEST))
        self._last = int(np.searchsorted(self._bins, HIGHEST))
        self._held: Samples = np.zeros(0, np.float32)
        self._index = 0
        self._run: list[tuple[float, _Sound]] = []  # (start, sound) of the tone that is sounding
        self._missed = 0
        self._levels: deque[float] = deque([-120.0] * 3, maxlen=3)  # of the last windows, none of the tone's
        self._before = -120.0  # the level before the tone that is sounding
        self._segments: deque[_Segment] = deque(maxlen=_KEPT)
        self._beep: _Segment | None = None
        self._told_fax = False

    @property
    def sounding(self) -> bool:
        """Whether a steady tone is on the line just now."""
        return len(self._run) * HOP >= BEEP_LENGTH[0] / 2

    def feed(self, frame: AudioFrame) -> list[ToneHeard]:
        """The tones that this frame makes certain. Raises `ValueError` for a frame of another rate."""
        if frame.rate != self._rate:
            raise ValueError(f"this stream is {self._rate} Hz, the frame has {frame.rate} Hz")
        heard: list[ToneHeard] = []
        expected = self._index + len(self._held)
        if frame.index > expected:
            heard += self._close(-120.0)
            self._held, self._index = self._held[:0], frame.index
        fresh = frame.samples[max(0, expected - frame.index) :]
        self._held = np.concatenate([self._held, fresh])
        while len(self._held) >= self._size:
            start = self._index / self._rate
            heard += self._note(start, self._sound(self._held[: self._size]))
            self._held = self._held[self._step :]
            self._index += self._step
        return heard

    def _sound(self, samples: Samples) -> _Sound:
        power = np.square(np.abs(np.fft.rfft(samples * self._window)))
        level = 10 * float(np.log10(np.mean(np.square(samples)) + 1e-12))
        power = power[self._first : self._last].astype(np.float64)
        total = float(power.sum())
        if level < QUIETEST or total <= 0.0:
            return _Sound((), level)
        first = int(np.argmax(power))
        strength = _take(power, first)
        tone = self._hertz(power, first)
        rest = power.copy()
        rest[max(0, first - 3) : first + 4] = 0.0
        second = int(np.argmax(rest))
        weaker = _take(rest, second)
        other = self._hertz(power, second)
        both = (strength + weaker) / total
        overtone = other > 1.5 * tone and abs(other / tone - round(other / tone)) < STEADY
        if overtone and both >= PURE:
            return _Sound((tone,), level, 1 - both)
        if strength >= PURE * total:
            return _Sound((tone,), level, 1 - strength / total)
        if both >= PURE and weaker >= SECOND_TONE * strength:
            return _Sound((tone, other), level, 1 - both)
        return _Sound((), level)

    def _hertz(self, power: npt.NDArray[np.float64], place: int) -> float:
        """The frequency of a peak, between the bins by a parabola through the logarithms."""
        offset = 0.0
        if 0 < place < len(power) - 1:
            left, middle, right = np.log(power[place - 1 : place + 2] + 1e-20)
            curve = left - 2 * middle + right
            offset = float(np.clip(0.5 * (left - right) / curve, -0.5, 0.5)) if curve else 0.0
        return float(self._bins[self._first + place] + offset * (self._bins[1] - self._bins[0]))

    def _note(self, start: float, sound: _Sound) -> list[ToneHeard]:
        heard: list[ToneHeard] = []
        if sound.tones and (not self._run or _same(sound.tones, self._run[-1][1].tones)):
            if not self._run:
                self._before = self._levels[1]  # windows overlap by half: the last one holds its beginning
            self._run.append((start, sound))
            self._missed = 0
        elif self._run:
            self._missed += 1  # one window in between may fail: an edge, a click
            if self._missed > 1:
                heard += self._close(sound.level)
                if sound.tones:
                    self._before = self._levels[1]
                    self._run = [(start, sound)]
        self._levels.append(sound.level)
        if (fax := self._answering_fax()) is not None:
            heard.append(fax)
        if self._beep is not None and not self._run and start - self._beep.end >= SETTLED:
            heard.append(ToneHeard(Tone.BEEP, self._beep.start, self._beep.end))
            self._beep = None
        return heard

    def _answering_fax(self) -> ToneHeard | None:
        if self._told_fax or len(self._run) * HOP < ANSWERING_LENGTH:
            return None
        if any(len(sound.tones) != 1 or abs(sound.tones[0] - ANSWERING_FAX) > 25 for _, sound in self._run):
            return None
        self._told_fax = True
        return ToneHeard(Tone.FAX, self._run[0][0], self._run[-1][0] + WINDOW)

    def _close(self, after: float) -> list[ToneHeard]:
        """The tone that was sounding is over, and what follows has that level."""
        run, self._run, self._missed = self._run, [], 0
        segment = _segment(run, self._before, after)
        if segment is None:
            return []
        previous = self._segments[-1] if self._segments else None
        self._segments.append(segment)
        if previous is not None and self._beep is previous and segment.start - previous.end < SETTLED:
            self._beep = None
        meaning = self._meaning()
        if meaning is not None:
            self._beep = None
            start = self._segments[0].start
            self._segments.clear()
            return [ToneHeard(meaning, start, segment.end)]
        alone = previous is None or segment.start - previous.end >= SETTLED
        alone = alone and segment.apart and segment.single_in(*BEEP_RANGE)
        if alone and BEEP_LENGTH[0] <= segment.length <= BEEP_LENGTH[1]:
            self._beep = segment
        return []

    def _meaning(self) -> Tone | None:
        """What the last segments are together."""
        segments = list(self._segments)
        if len(segments) >= len(SIT) and _is_special_information(segments[-len(SIT) :]):
            return Tone.SPECIAL_INFORMATION
        if len(segments) >= BURSTS and _is_cadence(segments[-BURSTS:]):
            return Tone.BUSY if segments[-1].length >= SLOW else Tone.CONGESTION
        if len(segments) >= 2 and _is_calling_fax(*segments[-2:]):
            return Tone.FAX
        return None


def _take(power: npt.NDArray[np.float64], place: int) -> float:
    """The power of the main lobe around a bin."""
    return float(power[max(0, place - 2) : place + 3].sum())


def _same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= max(12.0, 2 * STEADY * a) for a, b in zip(sorted(one), sorted(other), strict=True)
    )


def _segment(run: list[tuple[float, _Sound]], before: float, after: float) -> _Segment | None:
    """A run of windows as one steady tone; None where it is too short or wavers. The levels around it in dBFS.

    The first and the last window hold an edge, so that their frequency and level do not count.
    """
    inner = [sound for _, sound in run[1:-1]]
    if len(inner) < 4:
        return None
    frequencies = np.array([sorted(sound.tones) for sound in inner])
    levels = np.array([sound.level for sound in inner])
    middle = np.median(frequencies, axis=0)
    if np.any(frequencies.std(axis=0) > STEADY * middle) or float(levels.std()) > STEADY_LEVEL:
        return None
    # A window is a tone from about a quarter of it on.
    start, end = run[0][0] + WINDOW / 4, run[-1][0] + 3 * WINDOW / 4
    level = float(np.median(levels))
    noise = 10 ** ((min(before, after) - level) / 10)  # the line's is there on both sides
    impurity = float(np.median([sound.rest for sound in inner]))
    apart = level - max(before, after) >= APART and impurity <= IMPURITY + 2 * noise
    return _Segment(tuple(float(hertz) for hertz in middle), start, end, apart)


def _is_special_information(segments: list[_Segment]) -> bool:
    return all(
        segment.single_in(*band) and SIT_LENGTH[0] <= segment.length <= SIT_LENGTH[1]
        for segment, band in zip(segments, SIT, strict=True)
    ) and all(later.start - earlier.end < 0.15 for earlier, later in pairwise(segments))


def _is_cadence(segments: list[_Segment]) -> bool:
    """The same tones, in bursts and gaps that are all alike."""
    first = segments[0]
    bursts = [segment.length for segment in segments]
    gaps = [later.start - earlier.end for earlier, later in pairwise(segments)]
    return (
        all(_same(segment.tones, first.tones) for segment in segments)
        and all(BURST[0] <= length <= BURST[1] for length in (*bursts, *gaps))
        and max(bursts) - min(bursts) < 0.06
        and max(gaps) - min(gaps) < 0.06
    )


def _is_calling_fax(earlier: _Segment, later: _Segment) -> bool:
    return (
        all(
            segment.single_in(CALLING_FAX - 40, CALLING_FAX + 40) and 0.35 <= segment.length <= 0.65
            for segment in (earlier, later)
        )
        and 2.4 <= later.start - earlier.end <= 3.6
    )
