"""What goes to a browser and when: speech and silence on one media clock. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from media.audio.frames import Samples
from media.audio.playout import Playout

FRAME_SECONDS: Final = 0.02
FADE_SECONDS: Final = 0.005
_LATEST: Final = 0.1
_KEPT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class MediaFrame:
    """20 ms for the wire. `index` counts samples of the media clock, speech and silence alike."""

    samples: Samples
    index: int
    speech: bool


@dataclass(slots=True)
class _Stretch:
    """Speech on the media clock: samples from `index` on are playout positions from `position` on."""

    index: int
    position: int
    length: int


class MediaClock:
    """The time that audio and video of one session are stamped with: seconds since the first frame was due."""

    def __init__(self) -> None:
        self._origin: float | None = None

    def start(self, now: float) -> None:
        """Media time 0 is now, unless it has begun before."""
        if self._origin is None:
            self._origin = now

    @property
    def started(self) -> bool:
        """Whether media time runs."""
        return self._origin is not None

    def media_time(self, now: float) -> float:
        """Seconds of media time at a moment of the monotonic clock."""
        return 0.0 if self._origin is None else now - self._origin

    def moment(self, media_time: float) -> float:
        """The moment of the monotonic clock at which this media time is due."""
        return (self._origin or 0.0) + media_time


class OutgoingAudio:
    """Takes speech from the playout as it becomes due, fills pauses with silence, and reckons what was heard.

    A frame is due at its media time. When the process was held up for long, media time goes on without it: speech
    is delayed, never dropped, and stays in step with the video.
    """

    def __init__(self, rate: int, clock: MediaClock) -> None:
        self.rate = rate
        self.clock = clock
        self.frame = round(rate * FRAME_SECONDS)
        self.held_up = 0
        self._playout: Playout | None = None
        self._index = 0
        self._stretches: deque[_Stretch] = deque()
        self._sent = 0
        self._tail: Samples | None = None

    @property
    def playout(self) -> Playout | None:
        """Where speech comes from, once the session has begun."""
        return self._playout

    def start(self, playout: Playout) -> None:
        """Speech comes out of this playout from now on."""
        self._playout = playout

    def due(self) -> float:
        """When the next frame is to be sent."""
        return self.clock.moment(self._index / self.rate)

    def next(self, now: float) -> MediaFrame:
        """The next frame; asked for when it is due."""
        self.clock.start(now)
        behind = now - self.due()
        if behind > _LATEST:
            self._index += int(behind / FRAME_SECONDS) * self.frame
            self.held_up += 1
        index = self._index
        self._index += self.frame
        if self._tail is not None:
            tail, self._tail = self._tail, None
            return MediaFrame(tail, index, speech=False)
        start = 0 if self._playout is None else self._playout.end - self._playout.waiting
        taken = None if self._playout is None else self._playout.take(self.frame)
        if taken is None:
            return MediaFrame(np.zeros(self.frame, np.float32), index, speech=False)
        self._note(index, start, taken.end - start)
        self._sent = taken.end
        return MediaFrame(taken.samples, index, speech=True)

    def heard(self, now: float, delay: float) -> int:
        """The playout position heard, where what is sent is heard `delay` seconds after its media time."""
        at = (self.clock.media_time(now) - delay) * self.rate
        position = self._stretches[0].position if self._stretches else self._sent
        for stretch in self._stretches:
            if stretch.index > at:
                break
            position = stretch.position + min(stretch.length, int(at - stretch.index))
        return position

    def flush(self) -> int:
        """Stop speaking; returns the position up to which speech was sent, all of which will be heard.

        A packet that is on its way cannot be called back. The next frame is the ramp from speech to silence.
        """
        if self._playout is not None and self._playout.waiting and self._stretches:
            last = self._stretches[-1]
            in_flow = last.index + last.length >= self._index
            taken = self._playout.take(self.frame) if in_flow else None
            if taken is not None:
                ramp = min(self.frame, round(FADE_SECONDS * self.rate))
                self._tail = np.zeros(self.frame, np.float32)
                self._tail[:ramp] = taken.samples[:ramp] * np.linspace(1.0, 0.0, ramp, dtype=np.float32)
        return self._sent

    def recall(self, position: int) -> None:
        """What was sent beyond this position will not be heard: the listener dropped it."""
        while self._stretches and self._stretches[-1].position >= position:
            self._stretches.pop()
        if self._stretches:
            last = self._stretches[-1]
            last.length = min(last.length, position - last.position)
        self._sent = min(self._sent, position)
        self._tail = None

    def position_at(self, media_time: float) -> int | None:
        """The playout position that sounds at a media time; None where there is silence.

        Ahead of what has been sent, speech that waits is taken to follow at once.
        """
        at = int(media_time * self.rate)
        if at >= self._index:
            playout = self._playout
            if playout is None or playout.paused or not playout.waiting:
                return None
            position = playout.end - playout.waiting + at - self._index
            return position if position < playout.end else None
        for stretch in reversed(self._stretches):
            if stretch.index <= at:
                return stretch.position + at - stretch.index if at < stretch.index + stretch.length else None
        return None

    def _note(self, index: int, position: int, length: int) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last and last.index + last.length == index and last.position + last.length == position:
            last.length += length
        else:
            self._stretches.append(_Stretch(index, position, length))
        kept = index - round(_KEPT_SECONDS * self.rate)
        while len(self._stretches) > 1 and self._stretches[0].index + self._stretches[0].length < kept:
            self._stretches.popleft()
