"""Pictures and videos of faces, decoded within limits.

`decode_upload` is for what strangers send: it decodes in a helper process. The others decode here, for files that the
user of this machine names; formats, pixels and frames are bounded either way.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from media import decoding
from media.avatar.errors import PortraitRefused, Refusal
from media.decoding import FRAME_LIMITS, PICTURE_LIMITS, MediaError, MediaProblem, Picture, sniff
from media.decoding.frames import read_frames
from media.decoding.kinds import HEAD_BYTES
from media.decoding.pictures import read_picture

LONGEST_SIDE = 2048
"""Larger pictures are reduced to this before they are searched."""
MOST_VIDEO_SECONDS = 30.0
"""Of a longer video only the beginning is looked at."""
VIDEO_STEP = 0.25
"""Seconds between the frames of a video that are looked at."""

_PICTURE_FORMATS = ("JPEG", "PNG", "WEBP")
_VIDEO_DECODERS = ("mov", "matroska", "avi")
_UPLOAD_STEP, _UPLOAD_SIDE = 0.5, 1280  # of a stranger's video all frames are in memory at once
_LARGE = (MediaProblem.TOO_LARGE, MediaProblem.TOO_COSTLY)


def is_video(data: bytes) -> bool:
    """Whether these bytes begin as a video that `video_frames` reads (MP4, MOV, WebM, Matroska, AVI)."""
    return sniff(data).decoder in _VIDEO_DECODERS


def decode_picture(data: bytes) -> Picture:
    """A JPEG, PNG or WebP as RGB, upright as its EXIF says, at most 2048 pixels on the longer side.

    Raises `PortraitRefused` (unreadable, too_large).
    """
    with _refusing():
        return read_picture(
            io.BytesIO(data), pixels=PICTURE_LIMITS.pixels, max_side=LONGEST_SIDE, formats=_PICTURE_FORMATS
        )


def video_frames(data: bytes) -> Iterator[Picture]:
    """Frames of the first 30 s of a video, four a second, as RGB, at most 2048 pixels on the longer side.

    Raises `PortraitRefused` (unreadable, too_large).
    """
    with _refusing():
        yield from read_frames(
            io.BytesIO(data),
            count=None,
            at=_moments(VIDEO_STEP),
            max_side=LONGEST_SIDE,
            pixels=FRAME_LIMITS.pixels,
        )


async def decode_upload(source: bytes | Path) -> list[Picture]:
    """What a stranger sent, decoded in a helper process: the picture, or frames of a video's first 30 s, two a second.

    Raises `PortraitRefused` (unreadable, too_large) and `MediaError` where the file is not to blame (busy, failed).
    """
    with _refusing():
        if is_video(_head(source)):
            return await decoding.video_frames(source, at=_moments(_UPLOAD_STEP), max_side=_UPLOAD_SIDE)
        return [await decoding.decode_image(source, max_side=LONGEST_SIDE, formats=_PICTURE_FORMATS)]


def _moments(step: float) -> list[float]:
    return [k * step for k in range(int(MOST_VIDEO_SECONDS / step) + 1)]


def _head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with source.open("rb") as file:
        return file.read(HEAD_BYTES)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except MediaError as error:
        if error.retryable:
            raise
        code = Refusal.TOO_LARGE if error.code in _LARGE else Refusal.UNREADABLE
        text = error.message
        if error.code in (MediaProblem.UNREADABLE, MediaProblem.WRONG_KIND):
            what = text.partition(", not ")[0].removesuffix(".")
            text = f"{what}. Please send a JPEG, PNG or WebP picture, or an MP4, MOV, WebM or AVI video."
        raise PortraitRefused(code, text) from error
