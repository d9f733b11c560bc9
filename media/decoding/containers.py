"""Sound and video files opened with FFmpeg so that nothing in them can lead anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import av
import av.error
from av.stream import Disposition

from media.decoding.errors import MediaError, MediaProblem
from media.decoding.info import MediaInfo
from media.decoding.kinds import BINARY, Kind
from media.decoding.pictures import read_kind

SOUND_CODECS = (
    "aac", "mp3float", "mp3", "opus", "libopus", "vorbis", "flac", "alac", "ac3", "eac3", "mp2", "mp2float",
    "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_u8", "pcm_s8", "pcm_f32le",
    "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_alaw", "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt",
)  # fmt: skip
VIDEO_CODECS = (
    "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "mpeg2video", "mpeg1video",
    "mjpeg", "h263", "prores", "theora",
)  # fmt: skip

_OPTIONS = {
    "protocol_whitelist": "",
    "codec_whitelist": ",".join((*SOUND_CODECS, *VIDEO_CODECS)),
    "max_streams": "64",
    "probesize": str(8 << 20),
    "analyzeduration": "10000000",
}
_HONEST = ("mov", "matroska", "wav", "flac", "avi", "aiff")
"""Demuxers whose duration is written in the file; the others guess it from the bit rate."""


@contextmanager
def opened(source: BinaryIO, *, pixels: int) -> Iterator[tuple[av.container.InputContainer, Kind]]:
    """A container of a format and with codecs that are accepted; its demuxer is named by us and may open nothing else.

    Video larger than `pixels` a frame is refused. Raises `MediaError`, also for what fails while it is read.
    """
    kind = read_kind(source)
    if kind.kind not in ("audio", "video") or not kind.decoder:
        raise _not_media(kind)
    try:
        # names in the metadata need not be text
        with av.open(
            cast("Any", source), "r", format=kind.decoder, options=dict(_OPTIONS), metadata_errors="ignore"
        ) as container:
            _check_video(container, pixels)
            yield container, kind
    except av.error.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise MediaError(MediaProblem.TOO_COSTLY, "The file needs more memory than is allowed.") from error
        raise _damaged(kind) from error
    except MemoryError as error:
        raise MediaError(MediaProblem.TOO_COSTLY, "The file needs more memory than is allowed.") from error
    except (ValueError, OverflowError, ZeroDivisionError, UnicodeDecodeError) as error:  # PyAV about absurd headers
        raise _damaged(kind) from error


def sound_of(container: av.container.InputContainer) -> av.AudioStream | None:
    """The first sound track whose codec is accepted."""
    for stream in container.streams.audio:
        if _codec(stream) in SOUND_CODECS and stream.codec_context.sample_rate:
            return stream
    return None


def video_of(container: av.container.InputContainer) -> av.VideoStream | None:
    """The first video track whose codec is accepted; a cover picture is none."""
    for stream in container.streams.video:
        cover = bool(stream.disposition & Disposition.attached_pic)
        if not cover and _codec(stream) in VIDEO_CODECS and stream.codec_context.width:
            return stream
    return None


def stated_seconds(container: av.container.InputContainer) -> float | None:
    """The duration that the file claims, None if it claims none."""
    if container.duration is not None and container.duration > 0:
        return container.duration / 1_000_000
    lengths = [
        float(stream.duration * stream.time_base)
        for stream in (*container.streams.audio, *container.streams.video)
        if stream.duration and stream.time_base
    ]
    return max(lengths, default=None) if any(length > 0 for length in lengths) else None


def is_honest(kind: Kind) -> bool:
    """Whether a claimed duration is a promise of this format and not a guess."""
    return kind.decoder in _HONEST


def container_info(source: BinaryIO, *, pixels: int) -> MediaInfo:
    """What a sound or video file holds; where it states no duration its packets are counted. Raises `MediaError`."""
    with opened(source, pixels=pixels) as (container, kind):
        sound, video = sound_of(container), video_of(container)
        if sound is None and video is None:
            raise _nothing_usable(container)
        seconds = stated_seconds(container)
        width = height = None
        if video is not None:
            width, height = video.codec_context.width, video.codec_context.height
            if _rotation(container, video) % 180 == 90:
                width, height = height, width
        if seconds is None:
            container.seek(0)
            seconds = _counted_seconds(container)
        mime = kind.mime if video is not None else kind.mime.replace("video/", "audio/")
        return MediaInfo(
            kind="audio" if video is None else "video",
            mime=mime.replace("audio/quicktime", "audio/mp4"),
            container=kind.decoder,
            duration=seconds,
            width=width,
            height=height,
            has_audio=sound is not None,
            has_video=video is not None,
            frame_rate=float(video.average_rate) if video is not None and video.average_rate else None,
            rate=sound.codec_context.sample_rate if sound is not None else None,
            channels=sound.codec_context.layout.nb_channels if sound is not None else None,
            video_codec=_codec(video) if video is not None else None,
            audio_codec=_codec(sound) if sound is not None else None,
        )


def _check_video(container: av.container.InputContainer, pixels: int) -> None:
    for stream in container.streams.video:
        context = stream.codec_context  # without a decoder for it there is none
        width, height = getattr(context, "width", 0), getattr(context, "height", 0)
        if width * height > pixels:
            raise MediaError(
                MediaProblem.TOO_LARGE,
                f"The video has {width}×{height} pixels a frame, more than the {pixels / 1e6:g} million "
                "that are accepted. Please send a smaller one.",
            )


def _rotation(container: av.container.InputContainer, video: av.VideoStream) -> int:
    """Degrees by which the picture is turned when shown; only a frame knows."""
    first = next(container.decode(video), None)
    return 0 if first is None else round((first.rotation or 0) / 90) * 90 % 360


def _counted_seconds(container: av.container.InputContainer) -> float | None:
    last = 0.0
    for packet in container.demux():
        if packet.pts is not None and packet.time_base is not None:
            last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return last or None


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return "" if context is None else str(context.name)


def _nothing_usable(container: av.container.InputContainer) -> MediaError:
    if any(True for _ in container.streams):
        return MediaError(MediaProblem.UNREADABLE, "The file's coding is not known here. MP4 with H.264 and AAC is.")
    return MediaError(MediaProblem.DAMAGED, "The file holds neither sound nor video.")


def _damaged(kind: Kind) -> MediaError:
    return MediaError(MediaProblem.DAMAGED, f"The {kind.title} is damaged or incomplete and cannot be read.")


def _not_media(kind: Kind) -> MediaError:
    if kind is BINARY:
        return MediaError(MediaProblem.UNREADABLE, "This is not a sound or video file of a format known here.")
    return MediaError(MediaProblem.WRONG_KIND, f"This is {kind.phrase}, not a sound or video file.")
