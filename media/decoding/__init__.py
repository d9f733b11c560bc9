"""Media from outside, decoded within limits.

`decode_image`, `decode_audio`, `video_frames` and `probe` are for files of strangers: each is decoded in a process of
its own that has limits, no network, no file but the one it is given. `pictures`, `sound`, `frames`, `containers` are
the same decoders in the calling process, for files that the user of this machine names.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from media.audio.frames import Samples
from media.decoding.decoder import SafeDecoder, Source
from media.decoding.errors import MediaError, MediaProblem
from media.decoding.info import MediaInfo
from media.decoding.kinds import Kind, sniff
from media.decoding.limits import FRAME_LIMITS, PICTURE_LIMITS, PROBE_LIMITS, SOUND_LIMITS, Limits
from media.decoding.pictures import PICTURE_FORMATS, Picture

__all__ = [
    "FRAME_LIMITS",
    "PICTURE_FORMATS",
    "PICTURE_LIMITS",
    "PROBE_LIMITS",
    "SOUND_LIMITS",
    "Kind",
    "Limits",
    "MediaError",
    "MediaInfo",
    "MediaProblem",
    "Picture",
    "SafeDecoder",
    "Source",
    "close",
    "decode_audio",
    "decode_image",
    "probe",
    "sniff",
    "video_frames",
]


@functools.cache
def _decoder() -> SafeDecoder:
    return SafeDecoder()


async def decode_image(
    source: Source,
    *,
    limits: Limits = PICTURE_LIMITS,
    max_side: int | None = None,
    formats: Sequence[str] = PICTURE_FORMATS,
) -> Picture:
    """The (first) picture of a JPEG, PNG, WebP, GIF, BMP or AVIF file as RGB [height, width, 3], upright, opaque.

    With `max_side` it is reduced so that neither side is longer; `formats` names the Pillow formats that are accepted.
    Raises `MediaError`; more than `limits.pixels` are refused by the header alone.
    """
    return await _decoder().image(source, limits=limits, max_side=max_side, formats=formats)


async def decode_audio(source: Source, *, rate: int, max_seconds: float, limits: Limits = SOUND_LIMITS) -> Samples:
    """The first sound track of a sound or video file: mono float32 at `rate` Hz within [-1, 1].

    Raises `MediaError`: too_long above `max_seconds` (whatever the file claims), no_audio, damaged …
    """
    return await _decoder().audio(source, rate=rate, max_seconds=max_seconds, limits=limits)


async def video_frames(
    source: Source,
    *,
    count: int | None = None,
    at: Sequence[float] | None = None,
    max_side: int = 1280,
    limits: Limits = FRAME_LIMITS,
) -> list[Picture]:
    """Frames of a video as RGB, upright: `count` of them spread evenly, or those shown `at` so many seconds.

    Neither side is longer than `max_side`. Moments after the end are left out. Raises `MediaError`.
    """
    return await _decoder().frames(source, count=count, at=at, max_side=max_side, limits=limits)


async def probe(source: Source, *, limits: Limits = PROBE_LIMITS) -> MediaInfo:
    """What a picture, sound or video file is and how long, read from its streams. Raises `MediaError`."""
    return await _decoder().probe(source, limits=limits)


def close() -> None:
    """End the helper processes, for an orderly end of the server; a later call starts anew."""
    _decoder().close()
    _decoder.cache_clear()
