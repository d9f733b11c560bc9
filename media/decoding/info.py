"""What there is to know of media without decoding it."""

from __future__ import annotations

from dataclasses import dataclass

from media.decoding.kinds import MediaKind


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A file as its content says.

    `kind` goes by the streams that are there (an MP4 without pictures is audio), `mime` agrees with it. `duration` is
    in seconds, None for pictures; `width` and `height` are pixels as shown, upright, None for audio; `rate` is in Hz.
    """

    kind: MediaKind
    mime: str
    container: str
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    has_audio: bool = False
    has_video: bool = False
    frame_rate: float | None = None
    rate: int | None = None
    channels: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
