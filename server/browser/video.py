"""The face's way to the browser: where frames come from, and what is given up first when the machine is too busy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import av

from media.audio.playout import Playout

VIDEO_AHEAD: Final = 0.02
"""Seconds before its media time at which a picture is asked for: rendering and encoding take that long."""
_WINDOW: Final = 2.0
_LATE_SHARE: Final = 0.2
_RECOVERY: Final = 6.0
_SETTLING: Final = 1.5
"""Seconds in which nothing is judged: joining is work of its own."""


class SpeechTimeline(Protocol):
    """What a face follows: which speech sounds when, and what goes on. `server.browser.link.BrowserLink` implements it.

    Of the events a face looks at `state` {state} and `caller` {speaking}.
    """

    rate: int

    @property
    def playout(self) -> Playout | None:
        """The session's speech with its words; None until the session has begun."""
        ...

    def position_at(self, media_time: float) -> int | None:
        """The playout position (samples at `rate`) that sounds at a media time in seconds; None for silence."""
        ...

    def observe(self, observer: Callable[[str, Mapping[str, object]], None]) -> None:
        """Tell this observer every event that the client is told from now on."""
        ...

    def notify(self, event: str, data: dict[str, object]) -> None:
        """Tell the client."""
        ...


class VideoSource(Protocol):
    """Makes the frames of one session."""

    async def frame_at(self, time: float) -> av.VideoFrame | None:
        """The picture for a media time, seconds since the session's media began; None: nothing new to show.

        Times only go forward, and steps are left out under load. Asked for a little ahead of its time, so that the
        picture leaves with the sound. The frame's own time stamp is set by the caller.
        """
        ...

    async def close(self) -> None:
        """The session is over."""
        ...


VideoFactory: TypeAlias = Callable[[str, SpeechTimeline], VideoSource | None]
"""Makes the face of an agent (by id) for one session; None where it has none. Told before the session begins."""


@dataclass(frozen=True, slots=True)
class VideoLevel:
    """How much video is sent: a share of the frame rate, and of width and height. No rate: none."""

    name: str
    rate: float
    scale: float


LEVELS: Final = (
    VideoLevel("full", 1.0, 1.0),
    VideoLevel("fewer frames", 0.5, 1.0),
    VideoLevel("smaller", 0.5, 0.5),
    VideoLevel("off", 0.0, 0.0),
)


class LoadGovernor:
    """Steps video down when frames or sound come late, and up again, a step at a time, when six seconds went well.

    Pure: the time is an argument, in seconds of any monotonic clock.
    """

    def __init__(self) -> None:
        self._level = 0
        self._since: float | None = None
        self._good_since = 0.0
        self._total = 0
        self._late = 0

    @property
    def level(self) -> VideoLevel:
        """What may be sent now."""
        return LEVELS[self._level]

    def note(self, now: float, *, late: int, total: int = 1) -> bool:
        """So many of `total` frames were late; returns whether the level has changed."""
        if self._since is None:
            self._since = self._good_since = now + _SETTLING
        if now < self._since:
            return False
        self._total += total
        self._late += late
        if now - self._since < _WINDOW:
            return False
        busy = self._late > _LATE_SHARE * max(1, self._total)
        self._since, self._total, self._late = now, 0, 0
        before = self._level
        if busy:
            self._level = min(self._level + 1, len(LEVELS) - 1)
            self._good_since = now
        elif now - self._good_since >= _RECOVERY and self._level:
            self._level -= 1
            self._good_since = now
        return self._level != before
