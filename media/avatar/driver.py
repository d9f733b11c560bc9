"""The life of a face: what it does at any instant, given what was said, heard and asked of it.

A `FaceDriver` records events, each with the time at which it takes effect, and gives the face at any time at or after
the last one. Nothing else enters: the same events and seed give the same face, whatever the frame rate. Times are
seconds of the video's own timeline; they must not run backwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from media.avatar.face import FaceState, MouthShape, MouthWeights
from media.avatar.liveliness import Liveliness
from media.avatar.visemes import MouthTrack

CLOSING: Final = 0.08
"""Seconds in which the mouth closes when speech is cut."""

_RESUMING = 0.06
_CROSSFADE = 0.45  # seconds between two moods
_HEAD_FOLLOWS = 0.40  # seconds
_KEPT = 6  # changes of mood remembered: enough for those of one crossfade
_NOD = 0.85  # seconds a nod lasts
_BETWEEN_NODS = 1.6


class Mood(IntEnum):
    """What the agent is doing."""

    IDLE = 0
    LISTENING = 1
    THINKING = 2
    SPEAKING = 3


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a mood looks: its share of head movement, brows, smile, lean towards the caller, lips brought together."""

    sway: float
    brows: float
    smile: float
    lean: float
    together: float
    tilt: float


_MANNERS: Final = (
    _Manner(sway=1.0, brows=0.0, smile=0.0, lean=0.0, together=0.0, tilt=0.0),
    _Manner(sway=0.7, brows=0.22, smile=0.035, lean=0.012, together=1.0, tilt=0.022),
    _Manner(sway=0.8, brows=-0.10, smile=0.0, lean=0.0, together=1.0, tilt=-0.018),
    _Manner(sway=1.15, brows=0.05, smile=0.012, lean=0.004, together=1.0, tilt=0.0),
)


@dataclass(slots=True)
class _Play:
    track: MouthTrack
    position: float
    at: float
    stopped: float | None = None


class FaceDriver:
    """Drives one session's face. `seed` makes two faces move differently; it changes nothing else."""

    def __init__(self, *, seed: int = 0) -> None:
        self._life = Liveliness(seed)
        self._moods: list[tuple[float, Mood]] = [(-math.inf, Mood.IDLE)]
        self._plays: list[_Play] = []
        self._nods: list[float] = []

    def set_mood(self, mood: Mood, at: float) -> None:
        """From `at` on the agent is idle, listening, thinking or speaking; the face passes over smoothly."""
        if self._moods[-1][1] is not mood:
            self._moods = [*self._moods, (at, mood)][-_KEPT:]

    def play(self, track: MouthTrack, at: float, *, position: float = 0.0) -> None:
        """From `at` on `track` sounds, beginning at `position` seconds of it. What sounded before is cut."""
        self.stop(at)
        self._plays = [*self._plays[-1:], _Play(track, position, at)]

    def stop(self, at: float) -> None:
        """At `at` the sound stops, paused or cut: the mouth closes within 0.1 s. Nothing happens where none sounds."""
        if self._plays and self._plays[-1].stopped is None:
            self._plays[-1].stopped = max(at, self._plays[-1].at)

    def caller_paused(self, at: float) -> None:
        """The caller paused while speaking: the agent nods, unless it has just done so."""
        if not self._nods or at - self._nods[-1] >= _BETWEEN_NODS:
            self._nods = [*self._nods[-1:], at + 0.12]

    def state(self, at: float) -> FaceState:
        """The face at `at`: for a frame, the middle of the time it is shown."""
        moods = self._mood_weights(at)
        weights, emphasis = self._speech(at)
        manner = [sum(w * getattr(m, name) for w, m in zip(moods, _MANNERS, strict=True)) for name in _FIELDS]
        sway, brows, smile, lean, together, tilt = manner
        life = self._life
        gaze_x, gaze_y = life.gaze(at, thinking=moods[Mood.THINKING], glancing=moods[Mood.IDLE])
        follow_x, follow_y = life.gaze(
            at, thinking=moods[Mood.THINKING], glancing=moods[Mood.IDLE], within=_HEAD_FOLLOWS
        )
        lids = life.lids(at, changes=[when for when, _ in self._moods])
        lids = min(1.0, lids + 0.25 * max(0.0, gaze_y))
        head = life.head(at)
        nod = self._nod(at)
        weights[MouthShape.SMILE] += smile
        weights[MouthShape.CLOSE] = max(weights[MouthShape.CLOSE], together)
        return FaceState(
            mouth=weights,
            lids=(lids, lids),
            gaze_x=gaze_x,
            gaze_y=gaze_y,
            yaw=sway * head.yaw + 0.030 * follow_x,
            pitch=sway * head.pitch - 0.030 * emphasis - nod - 0.02 * follow_y,
            roll=sway * head.roll + tilt,
            shift_x=sway * head.shift_x,
            shift_y=sway * head.shift_y + 0.02 * emphasis + 0.35 * nod,
            zoom=lean,
            brows=brows + 0.45 * emphasis + life.brows(at),
            breath=life.breath(at),
        )

    def _mood_weights(self, at: float) -> list[float]:
        weights = [0.0] * len(Mood)
        weights[self._moods[0][1]] = 1.0
        for when, mood in self._moods[1:]:
            share = _ease((at - when) / _CROSSFADE)
            weights = [w * (1.0 - share) for w in weights]
            weights[mood] += share
        return weights

    def _speech(self, at: float) -> tuple[MouthWeights, float]:
        """The mouth that speaks, and how much the voice leans on what it says."""
        weights = np.zeros(len(MouthShape), np.float32)
        emphasis = 0.0
        for play in self._plays:
            if at < play.at:
                continue
            share = 1.0 if play.position <= 0 else _ease((at - play.at) / _RESUMING)
            stopped = play.stopped
            if stopped is not None:
                share *= 1.0 - _ease((at - stopped) / CLOSING)
            if share <= 0:
                continue
            # a cut track is read on for the instant in which the mouth closes, so that it does not jump
            place = play.position + at - play.at
            weights = np.maximum(weights, 0) * np.float32(1 - share) + play.track.mouth(place) * np.float32(share)
            emphasis = max(emphasis, share * play.track.emphasis(place))
            weights[MouthShape.CLOSE] = max(float(weights[MouthShape.CLOSE]), _ease((at - play.at) / 0.12))
        return weights.astype(np.float32), emphasis

    def _nod(self, at: float) -> float:
        """How far the head is down in a nod, radians: once, then half as far."""
        down = 0.0
        for began in self._nods:
            phase = (at - began) / _NOD
            if 0 < phase < 1:
                down += 0.060 * math.sin(2 * math.pi * phase) ** 2 * (1.0 if phase < 0.5 else 0.45)
        return down


_FIELDS: Final = ("sway", "brows", "smile", "lean", "together", "tilt")


def _ease(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)
