"""A face follows its session: what was said to the client and what sounds become moods, nods, speech and silence.

Pure: times are arguments, seconds of media time that do not run backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from media.avatar.driver import FaceDriver, Mood
from media.avatar.face import FaceState
from media.avatar.visemes import MouthTrack

IDLE_AFTER: Final = 8.0
"""Seconds of listening to nobody after which the face relaxes."""
_SLIP: Final = 0.015
"""Seconds by which speech may be off before the mouth takes it up anew."""

_MOODS: Final = {
    "listening": Mood.LISTENING,
    "thinking": Mood.THINKING,
    "speaking": Mood.SPEAKING,
    "interrupted": Mood.LISTENING,
    "ended": Mood.IDLE,
}

TrackFrom = Callable[[float], MouthTrack]
"""The track of speech that is taken up at a position, in seconds."""


class FaceFollower:
    """Tells one driver what goes on. `track_from` gives the mouth of the speech that begins at a position."""

    def __init__(self, driver: FaceDriver, track_from: TrackFrom) -> None:
        self.mood = Mood.IDLE
        self._driver = driver
        self._track_from = track_from
        self._state = Mood.IDLE
        self._caller_speaks = False
        self._paused = False
        self._stirred = True
        self._quiet_since = 0.0
        self._offset: float | None = None

    def session_event(self, event: str, data: Mapping[str, object]) -> None:
        """The session said this; it shows in the next face."""
        if event == "state":
            self._state = _MOODS.get(str(data.get("state")), self._state)
            self._stirred = True
        elif event == "caller":
            speaks = bool(data.get("speaking"))
            self._paused = self._paused or (self._caller_speaks and not speaks)
            self._caller_speaks = speaks
            self._stirred = True

    def face_at(self, at: float, position: float | None) -> FaceState:
        """The face at `at`, when speech sounds from `position` (seconds of speech), or nothing does."""
        if self._stirred or self._caller_speaks or position is not None:
            self._stirred, self._quiet_since = False, at
        self._speak(at, position)
        self.mood = self._mood(at, sounds=position is not None)
        self._driver.set_mood(self.mood, at)
        if self._paused:
            self._paused = False
            if self.mood is Mood.LISTENING:
                self._driver.caller_paused(at)
        return self._driver.state(at)

    def _speak(self, at: float, position: float | None) -> None:
        if position is None:
            if self._offset is not None:
                self._driver.stop(at)
                self._offset = None
            return
        offset = position - at
        if self._offset is None or abs(offset - self._offset) > _SLIP:
            self._driver.play(self._track_from(position), at, position=position)
            self._offset = offset

    def _mood(self, at: float, *, sounds: bool) -> Mood:
        if sounds:
            return Mood.SPEAKING
        if self._state is Mood.LISTENING and at - self._quiet_since >= IDLE_AFTER:
            return Mood.IDLE
        return self._state
