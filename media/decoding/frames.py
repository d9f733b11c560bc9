"""Single frames of a video, in the process that calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import av
import numpy as np

from media.decoding.containers import opened, stated_seconds, video_of
from media.decoding.errors import MediaError, MediaProblem
from media.decoding.pictures import Picture

SEEK_AHEAD = 4.0
"""Seconds: a wanted frame farther ahead than this is sought, a nearer one reached by decoding."""
MOST_DECODED = 20_000
"""Frames decoded in one call, wanted or not."""

_UNKNOWN_RATE = 25.0


def even_moments(seconds: float, count: int) -> list[float]:
    """`count` moments spread over so many seconds, each in the middle of its part."""
    return [seconds * (k + 0.5) / count for k in range(count)]


def read_frames(
    source: BinaryIO, *, count: int | None, at: Sequence[float] | None, max_side: int, pixels: int
) -> Iterator[Picture]:
    """Frames as RGB, upright, neither side longer than `max_side`: `count` spread evenly, or those shown at `at`.

    Moments after the end are left out; of a video without a stated length `count` takes the first frames, a second
    apart. Raises `MediaError` (no_video, too_large, damaged …).
    """
    with opened(source, pixels=pixels) as (container, kind):
        stream = video_of(container)
        if stream is None:
            raise MediaError(MediaProblem.NO_VIDEO, f"The {kind.title} has no video that can be decoded.")
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": str(pixels)}
        moments = sorted(at) if at is not None else None
        if moments is None:
            seconds = stated_seconds(container)
            moments = even_moments(seconds, count or 1) if seconds else [float(k) for k in range(count or 1)]
        reel = _Reel(container, stream)
        found = False
        for moment in moments:
            frame = reel.shown_at(moment)
            if frame is None:
                break
            found = True
            yield _upright(frame, max_side)
        if not found:
            raise MediaError(MediaProblem.DAMAGED, f"The {kind.title} has no frames that can be read.")


class _Reel:
    """A video read forwards."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._container, self._stream = container, stream
        self._rate = float(stream.average_rate) if stream.average_rate else _UNKNOWN_RATE
        self._base = float(stream.time_base) if stream.time_base else 0.0
        self._start = (stream.start_time or 0) * self._base
        self._frames = container.decode(stream)
        self._shown: tuple[float, av.VideoFrame] | None = None
        self._following: tuple[float, av.VideoFrame] | None = None
        self._decoded = 0

    def shown_at(self, moment: float) -> av.VideoFrame | None:
        """The last frame that is not later, or the first one; None after the end."""
        reached = self._following[0] if self._following is not None else 0.0
        if moment - reached > SEEK_AHEAD and self._base:
            self._container.seek(int((self._start + moment) / self._base), stream=self._stream)
            self._frames = self._container.decode(self._stream)
            self._shown = self._following = None
        while self._following is None or self._following[0] <= moment:
            self._shown = self._following or self._shown
            self._following = self._next()
            if self._following is None:
                ended = self._shown is None or moment > self._shown[0] + 1 / self._rate - 1e-6
                return None if ended or self._shown is None else self._shown[1]
        return self._shown[1] if self._shown is not None else self._following[1]

    def _next(self) -> tuple[float, av.VideoFrame] | None:
        frame = next(self._frames, None)
        if frame is None:
            return None
        self._decoded += 1
        if self._decoded > MOST_DECODED:
            raise MediaError(MediaProblem.TOO_COSTLY, "The video has more frames than are accepted.")
        at = frame.pts * self._base - self._start if frame.pts is not None else self._decoded / self._rate
        return at, frame


def _upright(frame: av.VideoFrame, max_side: int) -> Picture:
    scale = min(1.0, max_side / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    picture = frame.reformat(width, height, "rgb24", threads=1).to_ndarray()
    turns = round((frame.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)).astype(np.uint8, copy=False)
