"""How well a mouth on pictures follows speech, measured on the pictures with the face landmarker alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media.avatar.landmarks import FaceLandmarker, Picture, lip_gap
from media.avatar.visemes import MouthTrack, openness

Array = npt.NDArray[np.float64]

STEPS = 100
"""A second, to which everything is resampled."""

SHUT = 0.02
"""Lip gaps below this, over the eye distance, are closed lips."""


@dataclass(frozen=True, slots=True)
class Sync:
    """`lag`: seconds the mouth is late; `correlation` there; `closures`: share of p, b, m with a closed frame;
    `openings`: the largest gap of each open vowel, over the distance of the outer eye corners."""

    lag: float
    correlation: float
    closures: float
    openings: tuple[float, ...]


def gaps(frames: Iterable[Picture], landmarker: FaceLandmarker) -> Array:
    """The lip gap on each frame; not a number where no face is found."""
    found = (landmarker.detect(frame) for frame in frames)
    return np.array([lip_gap(faces[0].landmarks) if faces else np.nan for faces in found])


def measured(
    gap: Array, times: Array, track: MouthTrack, phonemes: Sequence[tuple[str, float, float]], *, frame: float = 0.04
) -> Sync:
    """Compare gaps seen at `times` with the track that was spoken; phonemes as (IPA, start, end) in seconds."""
    end = float(times[-1])
    fine = np.arange(int(end * STEPS)) / STEPS
    lag, correlation = lag_of(np.interp(fine, times, gap), np.array([openness(track.mouth(at)) for at in fine]))
    closed, opened = [], []
    for phoneme, start, stop in phonemes:
        near = gap[(times >= start - frame) & (times <= stop + frame)]
        if phoneme[0] in "pbm" and len(near):
            closed.append(bool(near.min() < SHUT))
        elif phoneme[0] in "aɑæʌɔɒ" and stop - start >= 0.06 and len(near):
            opened.append(float(near.max()))
    return Sync(lag, correlation, float(np.mean(closed)) if closed else 1.0, tuple(opened))


def lag_of(seen: Array, spoken: Array, *, most: float = 0.3) -> tuple[float, float]:
    """Seconds by which `seen` is late, and the correlation there; both at `STEPS` a second, 0.4 to 8 Hz compared."""
    seen, spoken = _band(seen), _band(spoken)
    reach = int(most * STEPS)
    values = [
        float(np.corrcoef(seen[k:], spoken[: len(spoken) - k])[0, 1])
        if k >= 0
        else float(np.corrcoef(seen[:k], spoken[-k:])[0, 1])
        for k in range(-reach, reach + 1)
    ]
    best = int(np.argmax(values))
    place = float(best)
    if 0 < best < len(values) - 1:  # the parabola through the best and its neighbours
        before, at, after = values[best - 1 : best + 2]
        place += 0.5 * (before - after) / (before - 2 * at + after)
    return (place - reach) / STEPS, values[best]


def _band(signal: Array) -> Array:
    spectrum = np.fft.rfft(signal - signal.mean())
    frequency = np.fft.rfftfreq(len(signal), 1 / STEPS)
    spectrum[(frequency < 0.4) | (frequency > 8.0)] = 0
    return np.fft.irfft(spectrum, len(signal))
