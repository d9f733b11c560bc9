"""The tracks that aiortc sends: sound encoded here, pictures encoded by aiortc, both stamped from one media clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from media.audio.opus import CLOCK_RATE, OpusEncoder
from server.browser.link import BrowserLink
from server.browser.video import VIDEO_AHEAD, LoadGovernor, VideoSource

VIDEO_CLOCK_RATE: Final = 90_000
_OFF_POLL: Final = 0.5


class SpeechTrack(MediaStreamTrack):
    """The agent's voice: an Opus packet every 20 ms, silence included, so that the listener's clock never drifts."""

    kind = "audio"

    def __init__(self, link: BrowserLink, failed: Callable[[Exception], None], *, bitrate: int) -> None:
        super().__init__()
        self._link = link
        self._failed = failed
        self._encoder = OpusEncoder(link.rate, bitrate=bitrate)

    async def recv(self) -> av.Packet[Any]:
        """The next packet, when it is due."""
        outgoing = self._link.outgoing
        if outgoing.clock.started:
            await asyncio.sleep(max(0.0, outgoing.due() - time.monotonic()))
        if self.readyState != "live":
            raise MediaStreamError
        try:
            frame = self._link.next_frame()
            packet = av.Packet(self._encoder.encode(frame.samples))
        except Exception as error:  # raised into aiortc it would only end the sound, without a word
            self._failed(error)
            raise MediaStreamError from error
        packet.pts = frame.index * (CLOCK_RATE // outgoing.rate)
        packet.time_base = Fraction(1, CLOCK_RATE)
        return packet


class FaceTrack(MediaStreamTrack):
    """The agent's face. A picture that is too late is left out; when too many are, less is sent, and it is said."""

    kind = "video"

    def __init__(
        self, link: BrowserLink, source: VideoSource, failed: Callable[[Exception], None], *, frame_rate: int
    ) -> None:
        super().__init__()
        self.left_out = 0
        self._link = link
        self._source = source
        self._failed = failed
        self._period = 1.0 / frame_rate
        self._governor = LoadGovernor()
        self._next = 0.0
        self._held_up = 0

    async def recv(self) -> av.VideoFrame:
        """The next picture, when it is due."""
        try:
            while True:
                frame = await self._next_picture()
                if frame is not None:
                    return frame
        except MediaStreamError:
            raise
        except Exception as error:  # as above
            self._failed(error)
            raise MediaStreamError from error

    async def _next_picture(self) -> av.VideoFrame | None:
        clock, level = self._link.media_clock, self._governor.level
        if self.readyState != "live":
            raise MediaStreamError
        if not clock.started:
            await asyncio.sleep(self._period)
            return None
        if not level.rate:
            await asyncio.sleep(_OFF_POLL)
            self._next = clock.media_time(time.monotonic())
            self._note(0)
            return None
        period = self._period / level.rate
        await asyncio.sleep(max(0.0, clock.moment(self._next) - VIDEO_AHEAD - time.monotonic()))
        behind = clock.media_time(time.monotonic()) + VIDEO_AHEAD - self._next
        late = max(0, int(behind / period))
        self.left_out += late
        self._next += late * period
        media_time = self._next
        self._next += period
        self._note(late)
        frame = await self._source.frame_at(media_time)
        if frame is None:
            return None
        if level.scale != 1.0:
            width, height = (round(side * level.scale / 2) * 2 for side in (frame.width, frame.height))
            frame = frame.reformat(width=width, height=height)
        frame.pts = round(media_time * VIDEO_CLOCK_RATE)
        frame.time_base = Fraction(1, VIDEO_CLOCK_RATE)
        return frame

    def _note(self, late: int) -> None:
        """Account for pictures left out, and for sound that was held up: then video is what has to give."""
        held_up, self._held_up = self._link.outgoing.held_up - self._held_up, self._link.outgoing.held_up
        if self._governor.note(time.monotonic(), late=late + held_up * 10, total=1 + late):
            level = self._governor.level
            frames = round(level.rate / self._period, 1)
            self._link.notify("video", {"level": level.name, "frame_rate": frames, "scale": level.scale})
