"""Pictures and videos from outside, decoded within limits.

A process that takes media from strangers decodes in a helper process with limits of its own; the limits here (formats,
pixels, frames) hold besides.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator

import av
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from media.avatar.errors import PortraitRefused, Refusal
from media.avatar.landmarks import Picture

MOST_PIXELS = 50_000_000
"""Pixels of a picture, width times height, above which it is refused."""
LONGEST_SIDE = 2048
"""Larger pictures are reduced to this before they are searched."""
MOST_VIDEO_SECONDS = 30.0
"""Of a longer video only the beginning is looked at."""
VIDEO_STEP = 0.25
"""Seconds between the frames of a video that are looked at."""

_PICTURE_FORMATS = ("JPEG", "PNG", "WEBP")
_CONTAINERS = {b"\x1a\x45\xdf\xa3": "matroska", b"RIFF": "avi"}
_MOST_FRAME_PIXELS = 4096 * 2304
_MOST_FRAMES = 2000
_BACKGROUND = (222, 226, 232)  # behind transparent pictures


def is_video(data: bytes) -> bool:
    """Whether these bytes begin as a video that `video_frames` reads (MP4, MOV, WebM, Matroska, AVI)."""
    return _container(data) is not None


def decode_picture(data: bytes) -> Picture:
    """A JPEG, PNG or WebP as RGB, upright as its EXIF says, at most 2048 pixels on the longer side.

    Raises `PortraitRefused` (unreadable, too_large).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit, below, is stricter
            image: Image.Image = Image.open(io.BytesIO(data), formats=_PICTURE_FORMATS)
        if image.width * image.height > MOST_PIXELS:
            raise Image.DecompressionBombError  # noqa: TRY301 - what Pillow itself raises for still larger ones
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        image = ImageOps.exif_transpose(image)
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
        return np.array(_opaque(image))
    except Image.DecompressionBombError as error:
        raise PortraitRefused(
            Refusal.TOO_LARGE,
            f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels. Please send a smaller one.",
        ) from error
    except UnidentifiedImageError as error:
        raise PortraitRefused(
            Refusal.UNREADABLE, "This is not a JPEG, PNG or WebP picture, nor an MP4, MOV, WebM or AVI video."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PortraitRefused(Refusal.UNREADABLE, f"The picture is damaged and cannot be read ({error}).") from error


def video_frames(data: bytes) -> Iterator[Picture]:
    """Frames of the first 30 s of a video, four a second, as RGB, at most 2048 pixels on the longer side.

    Raises `PortraitRefused` (unreadable, too_large).
    """
    name = _container(data)
    try:
        # the format is named and the bytes come from memory: no playlist can send the demuxer anywhere
        # and names in its metadata need not be text
        whitelist = {"protocol_whitelist": ""}
        with av.open(io.BytesIO(data), "r", format=name, options=whitelist, metadata_errors="ignore") as container:
            if not container.streams.video:
                raise PortraitRefused(Refusal.UNREADABLE, "The file has no video track.")
            stream = container.streams.video[0]
            coded = stream.codec_context
            if not getattr(coded, "width", 0) * getattr(coded, "height", 0):  # a codec that is not there has neither
                raise PortraitRefused(Refusal.UNREADABLE, "The video's coding is not known here.")
            if coded.width * coded.height > _MOST_FRAME_PIXELS:
                raise PortraitRefused(Refusal.TOO_LARGE, f"The video has {coded.width}×{coded.height} pixels a frame.")
            yield from _sampled(container, stream)
    except av.error.FFmpegError as error:
        raise PortraitRefused(
            Refusal.UNREADABLE, f"The video is damaged and cannot be read ({error.strerror})."
        ) from error


def _sampled(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[Picture]:
    due = 0.0
    for number, frame in enumerate(container.decode(stream)):
        at = float(frame.pts * stream.time_base) if frame.pts is not None and stream.time_base else number / 25.0
        if at > MOST_VIDEO_SECONDS or number > _MOST_FRAMES:
            return
        if at < due:
            continue
        due = at + VIDEO_STEP
        scale = min(1.0, LONGEST_SIDE / max(frame.width, frame.height))
        width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
        picture = frame.to_ndarray(format="rgb24", width=width, height=height)
        turns = round((frame.rotation or 0) / 90) % 4
        yield np.ascontiguousarray(np.rot90(picture, turns)).astype(np.uint8, copy=False)


def _container(data: bytes) -> str | None:
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "mp4"
    for magic, name in _CONTAINERS.items():
        if data.startswith(magic) and (name != "avi" or data[8:12] == b"AVI "):
            return name
    return None


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*_BACKGROUND, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")
