"""The face of one session: asked for pictures in media time, it shows what the session does at that time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import av
import soxr
import structlog

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.playout import Playout
from media.avatar.audio_visemes.network import packaged_network
from media.avatar.driver import FaceDriver
from media.avatar.renderer import Avatar, Frame, Hearing, Moment, Renderer
from media.avatar.visemes import MouthTrack, PhonemeTrack
from media.worker import WorkerClosed, WorkerFull
from server.browser.video import VIDEO_AHEAD, SpeechTimeline
from server.faces.follower import FaceFollower
from server.faces.mouth import Ears, PlayoutMouth

LATE: Final = 2.0
"""Periods of the frame rate after which a picture is not waited for any more."""
_FAILURES: Final = 3
"""Pictures in a row that fail before the face is taken off the air."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Studio:
    """What draws, and how it is wanted: `side` in pixels, `period` in seconds a frame, `asked` for by the settings."""

    renderer: Renderer
    asked: str
    side: int
    period: float


class LiveFace:
    """Implements `server.browser.video.VideoSource`. Made on the event loop; `close` is to be awaited.

    `prepared` gives the avatar. Until it has, and where it cannot, there is no picture and the client is told; nothing
    that goes wrong here ends a conversation.
    """

    def __init__(
        self, studio: Studio, prepared: Callable[[], Awaitable[Avatar]], timeline: SpeechTimeline, *, seed: int
    ) -> None:
        self.drawn = 0
        self.missed = 0
        self._studio = studio
        self._timeline = timeline
        self._avatar: Avatar | None = None
        self._failed = False
        self._failures = 0
        self._told: dict[str, object] = {}
        self._ears = Ears(packaged_network)
        self._follower = FaceFollower(FaceDriver(seed=seed), self._track_from)
        self._preparing = asyncio.get_running_loop().create_task(self._prepare(prepared))
        timeline.observe(self._follower.session_event)

    async def frame_at(self, time: float) -> av.VideoFrame | None:
        """See `VideoSource.frame_at`. A picture that is late is left out: the next one shows more."""
        avatar = self._avatar
        if avatar is None:
            return None
        at = time + self._studio.period / 2  # a frame shows the middle of its time
        position = self._timeline.position_at(at)
        face = self._follower.face_at(at, None if position is None else position / self._timeline.rate)
        self._tell()
        frame = await self._drawn(avatar, Moment(face, self._sound(position)))
        return None if frame is None else self._picture(frame)

    async def close(self) -> None:
        """See `VideoSource.close`."""
        self._avatar = None
        self._preparing.cancel()
        await asyncio.gather(self._preparing, return_exceptions=True)

    async def _prepare(self, prepared: Callable[[], Awaitable[Avatar]]) -> None:
        try:
            self._avatar = await prepared()
        except (WorkerClosed, WorkerFull) as error:
            self._off("the avatar was not prepared in time", error)
        except Exception as error:  # noqa: BLE001 - packs are users' files, networks anybody's: the call goes on without
            self._off("the avatar cannot be prepared", error)
        self._tell()

    async def _drawn(self, avatar: Avatar, moment: Moment) -> Frame | None:
        due = time.monotonic() + VIDEO_AHEAD
        try:
            async with asyncio.timeout(LATE * self._studio.period):
                frame = await self._studio.renderer.render(avatar, moment, deadline=due)
        except (TimeoutError, WorkerFull):
            self.missed += 1
            return None
        except WorkerClosed:
            return None
        except Exception as error:  # noqa: BLE001 - whatever a renderer raises, the voice goes on
            self.missed += 1
            self._failures += 1
            if self._failures >= _FAILURES:
                self._off("the face cannot be drawn", error)
            return None
        self._failures = 0
        self.drawn += 1
        return frame

    def _picture(self, frame: Frame) -> av.VideoFrame:
        picture = av.VideoFrame.from_ndarray(frame.i420, "yuv420p")
        side = self._studio.side
        return picture if picture.width == side else picture.reformat(width=side, height=side)

    def _track_from(self, position: float) -> MouthTrack:
        playout = self._timeline.playout
        if playout is None:
            return PhonemeTrack()
        return PlayoutMouth(playout, self._ears, int(position * playout.rate), frame=self._studio.period)

    def _sound(self, position: int | None) -> Samples | None:
        hears, playout = self._studio.renderer.hears, self._timeline.playout
        if position is None or playout is None or hears == Hearing():
            return None
        return _around(playout, position, hears)

    def _off(self, what: str, error: Exception) -> None:
        log.error("no face", what=what, reason=str(error) or type(error).__name__, exc_info=error)
        self._avatar, self._failed = None, True
        self._tell()

    def _tell(self) -> None:
        """Let the client know, where something has changed."""
        if self._avatar is None and not self._failed:
            return
        name = self._studio.renderer.name
        status: dict[str, object] = {
            "state": "unavailable" if self._failed else "ready",
            "mood": self._follower.mood.name.lower(),
            "renderer": name,
            "fallback": name != self._studio.asked,
        }
        if status != self._told:
            self._told = status
            self._timeline.notify("avatar", status)


def _around(playout: Playout, position: int, hears: Hearing) -> Samples:
    """The sound that a network wants with a frame, at 16 kHz."""
    rate = playout.rate
    first, last = position - round(hears.before * rate), position + round(hears.after * rate)
    samples: Samples = playout.sound(first, last)
    return samples if rate == SPEECH_RATE else soxr.resample(samples, rate, SPEECH_RATE, "LQ")
