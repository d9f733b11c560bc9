"""Sound to mono samples, piece by piece, in the process that calls."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import av
import av.error
import numpy as np

from media.audio.frames import Samples
from media.decoding.containers import is_honest, opened, sound_of, stated_seconds
from media.decoding.errors import MediaError, MediaProblem
from media.decoding.kinds import WAV

SHORTFALL = 0.9
"""Sound that ends before this part of the length its file states is incomplete."""
MOST_BROKEN_PACKETS = 50
"""Packets in a row that cannot be decoded; more, and the file counts as damaged."""

_SLACK_S = 1.0
_UNKNOWN_LENGTH = 0x7FFFF000  # what programs that write to a pipe leave in the header is this or more
_PIXELS = 1 << 26  # the pictures of a video are not looked at


def read_sound(source: BinaryIO, *, rate: int, max_seconds: float) -> Iterator[Samples]:
    """The first sound track of a file in pieces: mono (channels averaged), at `rate` Hz, within [-1, 1].

    Raises `MediaError`: too_long as soon as the file says or turns out to be longer than `max_seconds`, damaged where
    it ends long before the length it states, no_audio.
    """
    with opened(source, pixels=_PIXELS) as (container, kind):
        stream = sound_of(container)
        if stream is None:
            raise MediaError(MediaProblem.NO_AUDIO, f"The {kind.title} has no sound that can be decoded.")
        if kind is WAV and _is_cut_off(source):
            raise MediaError(MediaProblem.DAMAGED, "The WAV audio file is incomplete: it is shorter than it states.")
        stated = stated_seconds(container) if is_honest(kind) else None
        if stated is not None and stated > max_seconds + _SLACK_S:
            raise _too_long(max_seconds)
        most, length = round(max_seconds * rate), 0
        for piece in _resampled(container, stream, rate):
            length += len(piece)
            if length > most + round(_SLACK_S * rate):
                raise _too_long(max_seconds)
            yield piece
        if not length:
            raise MediaError(MediaProblem.DAMAGED, f"The {kind.title} holds no sound that can be decoded.")
        own = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else stated
        if stated is not None and own is not None and length / rate < min(own, stated) * SHORTFALL - _SLACK_S:
            raise MediaError(
                MediaProblem.DAMAGED,
                f"The {kind.title} is incomplete: it ends after {length / rate:.0f} of {min(own, stated):.0f} seconds.",
            )


def _is_cut_off(source: BinaryIO) -> bool:
    """Whether a WAV file is much shorter than its header says; FFmpeg takes whatever is there for the whole."""
    here = source.tell()
    actual = source.seek(0, io.SEEK_END)
    source.seek(4)
    stated = int.from_bytes(source.read(4), "little") + 8
    source.seek(here)
    return stated < _UNKNOWN_LENGTH and actual < stated * SHORTFALL


def _resampled(container: av.container.InputContainer, stream: av.AudioStream, rate: int) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    stream.codec_context.thread_count = 1
    for frame in _frames(container, stream):
        frame.pts = None  # gaps and jumps in a file's time stamps are no silence
        for piece in resampler.resample(frame):
            yield _samples(piece)
    for piece in resampler.resample(None):
        yield _samples(piece)


def _frames(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    broken = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            broken += 1  # one bad packet is a click, not the end
            if broken > MOST_BROKEN_PACKETS:
                raise
            continue
        broken = 0 if frames else broken
        for frame in frames:
            if isinstance(frame, av.AudioFrame):
                yield frame


def _samples(frame: av.AudioFrame) -> Samples:
    samples: Samples = frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
    return np.clip(np.nan_to_num(samples, copy=False), -1.0, 1.0)


def _too_long(seconds: float) -> MediaError:
    return MediaError(MediaProblem.TOO_LONG, f"The sound is longer than the {seconds:g} seconds that are accepted.")
