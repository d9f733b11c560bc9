"""From phonemes and their times to what the mouth does.

Each phoneme pulls the mouth towards its viseme with a force that rises before it sounds and falls after it (dominance
blending: Cohen and Massaro, 1993), so neighbours colour one another; lips and jaw do so to different extents. What the
eye does not forgive is asked for outright: p, b and m shut the lips for at least one whole frame, f and v bring the
lower lip to the teeth.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from media.avatar.face import MOUTH_SHAPES, MouthShape, MouthWeights, mouth
from media.speech.protocols import SpokenPhoneme

FRAME: Final = 0.04
"""Seconds a frame is shown for, unless told otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Viseme:
    """A mouth position, and how strongly sounds of this kind insist on it."""

    weights: MouthWeights
    dominance: float


VISEMES: Final = {
    "rest": Viseme(mouth(), 0.6),
    "pbm": Viseme(mouth(press=0.5), 3.0),
    "fv": Viseme(mouth(bite=0.16, jaw=0.06, upper=0.07), 2.2),
    "th": Viseme(mouth(jaw=0.18, lower=0.08, upper=0.03, tongue=0.9, wide=0.03), 1.3),
    "tdn": Viseme(mouth(jaw=0.15, lower=0.09, upper=0.05, wide=0.03, tongue=0.6), 0.7),
    "sz": Viseme(mouth(jaw=0.07, lower=0.13, upper=0.08, wide=0.08), 1.1),
    "sh": Viseme(mouth(jaw=0.08, lower=0.11, upper=0.09, wide=-0.12, round=0.36), 1.4),
    "kg": Viseme(mouth(jaw=0.24, lower=0.04), 0.5),
    "r": Viseme(mouth(jaw=0.16, wide=-0.13, round=0.30, lower=0.05), 1.0),
    "l": Viseme(mouth(jaw=0.24, lower=0.06, tongue=0.8), 0.7),
    "w": Viseme(mouth(jaw=0.05, wide=-0.26, round=0.60), 1.7),
    "h": Viseme(mouth(jaw=0.28), 0.2),
    "ee": Viseme(mouth(jaw=0.18, wide=0.15, upper=0.07, lower=0.12), 1.0),
    "ih": Viseme(mouth(jaw=0.28, wide=0.08, upper=0.05, lower=0.08), 0.9),
    "eh": Viseme(mouth(jaw=0.70, wide=0.08, upper=0.06, lower=0.07), 1.1),
    "ae": Viseme(mouth(jaw=1.08, wide=0.10, upper=0.08, lower=0.08), 1.5),
    "aa": Viseme(mouth(jaw=1.24, lower=0.07, upper=0.06), 1.6),
    "uh": Viseme(mouth(jaw=0.46, lower=0.05, upper=0.03), 0.7),
    "ao": Viseme(mouth(jaw=1.02, wide=-0.14, round=0.38, lower=0.05), 1.5),
    "oo": Viseme(mouth(jaw=0.14, wide=-0.25, round=0.66), 1.3),
}

_SOUNDS: Final = {
    "pbm": "p b m ɓ ɱ",
    "fv": "f v ʋ ɸ β",
    "th": "θ ð",
    "tdn": "t d n ɾ ʔ ɖ ʈ ɳ ɲ ɗ",
    "sz": "s z ɕ ʑ ç",
    "sh": "ʃ ʒ ʂ ʐ",
    "kg": "k ɡ g ŋ x q ɣ χ ʁ ɢ ɟ c",
    "r": "ɹ r ɚ ɝ ɜ ɻ ʀ ɽ",
    "l": "l ɫ ɭ ʎ ɬ",
    "w": "w ɥ ʍ",
    "h": "h ɦ ħ",
    "ee": "i j y",
    "ih": "ɪ ᵻ ɨ ʏ",
    "eh": "e ɛ ø œ",
    "ae": "æ",
    "aa": "a ɑ ɐ ʌ",
    "uh": "ə ɘ ɵ",
    "ao": "ɔ o ɒ ɤ",
    "oo": "u ʊ ʉ ɯ",
}
_VISEME_OF: Final = {sound: name for name, sounds in _SOUNDS.items() for sound in sounds.split()}
_NAMES: Final = tuple(VISEMES)
_TARGETS: Final = np.stack([viseme.weights for viseme in VISEMES.values()]).astype(np.float64)
_DOMINANCE: Final = np.array([viseme.dominance for viseme in VISEMES.values()])
_OPEN_VOWELS: Final = frozenset(_NAMES.index(name) for name in ("eh", "ae", "aa", "ao", "ee"))
_REST, _SHUT, _BITE = _NAMES.index("rest"), _NAMES.index("pbm"), _NAMES.index("fv")

# seconds by which a sound is anticipated and outlasted, for each shape: lips round early, the jaw follows the sound
_BEFORE: Final = np.full(MOUTH_SHAPES, 0.050)
_AFTER: Final = np.full(MOUTH_SHAPES, 0.065)
for _shape in (MouthShape.WIDE, MouthShape.ROUND):
    _BEFORE[_shape], _AFTER[_shape] = 0.095, 0.080

_REACH = 0.40  # seconds around an instant within which phonemes matter
_JOIN = 0.07  # a gap shorter than this between two sounds is not a pause
_RELEASE = 0.045  # seconds in which a closure is entered and left


class MouthTrack(Protocol):
    """A mouth over the time of one utterance, in seconds from its first sample."""

    def mouth(self, at: float) -> MouthWeights:
        """The mouth at an instant."""
        ...

    def emphasis(self, at: float) -> float:
        """How much the voice leans on what it says, 0 to 1."""
        ...


class PhonemeTrack:
    """The mouth of speech whose phonemes are known; grows while the speech is being made.

    `frame` is how long a frame is shown for: closures last that long at least, so that one frame always shows them.
    """

    def __init__(self, *, frame: float = FRAME) -> None:
        self._frame = frame
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._visemes: list[int] = []

    @property
    def end(self) -> float:
        """When the last phoneme known so far ends."""
        return self._ends[-1] if self._ends else 0.0

    def extend(self, phonemes: Iterable[SpokenPhoneme], rate: int) -> None:
        """Add the phonemes that follow; `rate` in Hz is that of the samples they are counted in."""
        for phoneme in phonemes:
            self.add(phoneme.phoneme, phoneme.start / rate, phoneme.end / rate)

    def add(self, phoneme: str, start: float, end: float) -> None:
        """Add one phoneme (IPA; a diphthong or an affricate in one string shares its time), times in seconds."""
        sounds = [_VISEME_OF[character] for character in phoneme if character in _VISEME_OF]
        if not sounds:
            return
        if self._ends and 0 < start - self._ends[-1] < _JOIN:
            self._ends[-1] = start
        share = (end - start) / len(sounds)
        for number, name in enumerate(sounds):
            self._starts.append(start + number * share)
            self._ends.append(start + (number + 1) * share)
            self._visemes.append(_NAMES.index(name))

    def mouth(self, at: float) -> MouthWeights:
        """The mouth at `at` seconds of the utterance; at rest before, after and in pauses."""
        first = bisect.bisect_left(self._ends, at - _REACH)
        last = bisect.bisect_right(self._starts, at + _REACH)
        if first >= last:
            return np.zeros(MOUTH_SHAPES, np.float32)
        starts, ends, visemes = self._with_pauses(first, last, at)
        lead = np.maximum(starts - at, 0.0)[:, None] / _BEFORE
        lag = np.maximum(at - ends, 0.0)[:, None] / _AFTER
        weight = _DOMINANCE[visemes] * np.minimum(1.0, (ends - starts) / 0.05) ** 0.5
        pull = weight[:, None] * np.exp(-(lead**1.5) - lag**1.5) + 1e-9
        blended = (pull * _TARGETS[visemes]).sum(0) / pull.sum(0)
        return self._insisted(blended, at, first, last).astype(np.float32)

    def emphasis(self, at: float) -> float:
        """Long vowels carry the weight of a sentence: 1 at the middle of one, fading over a fifth of a second."""
        first = bisect.bisect_left(self._ends, at - 0.5)
        last = bisect.bisect_right(self._starts, at + 0.5)
        most = 0.0
        for start, end, viseme in zip(
            self._starts[first:last], self._ends[first:last], self._visemes[first:last], strict=True
        ):
            if viseme in _OPEN_VOWELS and end - start > 0.09:
                away = (at - (start + end) / 2) / 0.20
                most = max(most, min(1.0, (end - start - 0.09) / 0.08) * float(np.exp(-away * away)))
        return most

    def _with_pauses(
        self, first: int, last: int, at: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """The phonemes from `first` to before `last` and the rest in the gaps around and between them."""
        starts, ends, visemes = self._starts[first:last], self._ends[first:last], self._visemes[first:last]
        before = self._ends[first - 1] if first else at - 1.0
        edges = [*ends, *starts, before]
        gap_starts = [before, *ends]
        gap_ends = [*starts, self._starts[last] if last < len(self._starts) else max(edges) + 1.0]
        for gap_start, gap_end in zip(gap_starts, gap_ends, strict=True):
            if gap_end - gap_start >= _JOIN:
                starts, ends, visemes = [*starts, gap_start], [*ends, gap_end], [*visemes, _REST]
        return np.array(starts), np.array(ends), np.array(visemes)

    def _insisted(self, weights: npt.NDArray[np.float64], at: float, first: int, last: int) -> npt.NDArray[np.float64]:
        for index in range(first, last):
            viseme = self._visemes[index]
            if viseme not in (_SHUT, _BITE):
                continue
            start, end = self._starts[index], self._ends[index]
            hold = max((end - start) / 2, self._frame / 2 + 0.002)
            near = min(max(1.0 - (abs(at - (start + end) / 2) - hold) / _RELEASE, 0.0), 1.0)
            if near > 0:
                near = near * near * (3.0 - 2.0 * near)
                (_shut if viseme == _SHUT else _bitten)(weights, near)
        return weights


class SampledTrack:
    """A mouth given at equal steps, as the audio-to-viseme network gives it.

    `weights`: shape [n, 10]; `rate`: steps a second; step k stands for the instant k / rate.
    """

    def __init__(self, weights: npt.NDArray[np.float32], rate: float, *, emphasis: npt.NDArray[np.float32]) -> None:
        self._weights, self._rate, self._emphasis = weights, rate, emphasis

    @property
    def end(self) -> float:
        """Seconds it covers."""
        return len(self._weights) / self._rate

    def mouth(self, at: float) -> MouthWeights:
        """The mouth at an instant, linear between steps, at rest outside."""
        place = at * self._rate
        index = int(np.floor(place))
        if index < -1 or index >= len(self._weights):
            return np.zeros(MOUTH_SHAPES, np.float32)
        part = np.float32(place - index)
        before = self._weights[index] if index >= 0 else np.zeros(MOUTH_SHAPES, np.float32)
        after = self._weights[index + 1] if index + 1 < len(self._weights) else np.zeros(MOUTH_SHAPES, np.float32)
        return np.asarray(before + part * (after - before), np.float32)

    def emphasis(self, at: float) -> float:
        """The stress given for this instant."""
        index = round(at * self._rate)
        return float(self._emphasis[index]) if 0 <= index < len(self._emphasis) else 0.0


def openness(weights: MouthWeights) -> float:
    """How far these weights part the lips, in halves of a usual mouth's width: what a viewer's eye measures."""
    gap = (
        weights[MouthShape.JAW]
        + weights[MouthShape.UPPER]
        + weights[MouthShape.LOWER]
        + 0.28 * weights[MouthShape.ROUND]
        - 1.25 * weights[MouthShape.BITE]
    )
    return float(max(gap, 0.0))


def _shut(weights: npt.NDArray[np.float64], near: float) -> None:
    keep = 1.0 - near
    for shape in (MouthShape.JAW, MouthShape.UPPER, MouthShape.LOWER, MouthShape.BITE):
        weights[shape] *= keep
    weights[MouthShape.ROUND] *= keep
    weights[MouthShape.WIDE] *= 1.0 - 0.5 * near
    weights[MouthShape.PRESS] = max(weights[MouthShape.PRESS], 0.5 * near)


def _bitten(weights: npt.NDArray[np.float64], near: float) -> None:
    weights[MouthShape.JAW] *= 1.0 - 0.75 * near
    weights[MouthShape.LOWER] *= 1.0 - near
    weights[MouthShape.ROUND] *= 1.0 - 0.7 * near
    weights[MouthShape.BITE] = max(weights[MouthShape.BITE], 0.15 * near)
