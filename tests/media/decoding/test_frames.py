from __future__ import annotations

import io

import av
import numpy as np
import pytest

from media.decoding.containers import container_info
from media.decoding.errors import MediaError, MediaProblem
from media.decoding.frames import even_moments, read_frames
from media.decoding.info import MediaInfo
from media.decoding.pictures import Picture
from tests.media.decoding.files import sound, video


def read(
    data: bytes,
    *,
    count: int | None = None,
    at: list[float] | None = None,
    max_side: int = 256,
    pixels: int = 1_000_000,
) -> list[Picture]:
    return list(read_frames(io.BytesIO(data), count=count, at=at, max_side=max_side, pixels=pixels))


def info(data: bytes) -> MediaInfo:
    return container_info(io.BytesIO(data), pixels=1_000_000)


def rotated(data: bytes) -> bytes:
    """The same MP4 with a display matrix of a quarter turn."""
    whole = bytearray(data)
    track = whole.index(b"tkhd")
    turn = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    for k, value in enumerate(turn):
        begin = track + 4 + 40 + 4 * k
        whole[begin : begin + 4] = value.to_bytes(4, "big", signed=True)
    return bytes(whole)


@pytest.mark.parametrize("form", ["mp4", "webm", "avi"])
def test_frames_are_those_shown_at_the_moments(form: str) -> None:
    frames = read(avi() if form == "avi" else video(form=form), at=[0.0, 0.5, 1.0, 1.9])
    levels = [float(frame.mean()) for frame in frames]
    assert levels == sorted(levels)
    assert abs(levels[-2] - levels[0]) > 40
    assert frames[0].shape == (48, 64, 3)


def avi() -> bytes:
    with av.open(io.BytesIO(video()), "r") as source:
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="avi") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    return buffer.getvalue()


def test_moments_after_the_end_are_left_out() -> None:
    assert len(read(video(), at=[k * 0.25 for k in range(40)])) == 8


def test_frames_far_apart_are_sought() -> None:
    data = video(frames=50 * 12)
    frames = read(data, at=[0.2, 6.0, 11.0, 23.0])
    assert len(frames) == 4
    assert abs(float(frames[0].mean()) - 25) < 6


def test_a_count_is_spread_evenly() -> None:
    levels = [float(frame.mean()) for frame in read(video(), count=4)]
    assert len(levels) == 4
    assert np.diff(levels).min() > 40
    assert even_moments(8.0, 4) == [1.0, 3.0, 5.0, 7.0]


def test_a_turned_video_is_upright() -> None:
    data = rotated(video())
    assert read(data, count=1)[0].shape == (64, 48, 3)
    assert (info(data).width, info(data).height) == (48, 64)


def test_frames_are_reduced() -> None:
    assert read(video(), count=1, max_side=32)[0].shape == (24, 32, 3)


def test_large_frames_are_refused_by_the_header() -> None:
    with pytest.raises(MediaError, match="64×48 pixels a frame") as refused:
        read(video(), count=1, pixels=3000)
    assert refused.value.code is MediaProblem.TOO_LARGE


def test_a_sound_has_no_frames() -> None:
    with pytest.raises(MediaError) as refused:
        read(sound("mp4"), count=1)
    assert refused.value.code is MediaProblem.NO_VIDEO


def test_half_a_video_is_damaged() -> None:
    data = video(form="mp4")
    with pytest.raises(MediaError) as refused:
        read(data[: len(data) // 2], count=1)
    assert refused.value.code is MediaProblem.DAMAGED


def test_what_a_video_is_is_told() -> None:
    told = info(video(with_sound=True))
    assert (told.kind, told.mime, told.width, told.height) == ("video", "video/mp4", 64, 48)
    assert (told.has_audio, told.has_video, told.frame_rate) == (True, True, 25.0)
    assert (told.video_codec, told.audio_codec) == ("mpeg4", "aac")


def test_a_video_that_refers_to_another_file_does_not_get_it() -> None:
    # QuickTime's data references may name a file elsewhere: the flag says that the data are in this very file
    data = bytearray(video())
    where = data.index(b"url ", data.index(b"dref"))
    assert data[where + 4 : where + 8] == b"\0\0\0\x01"
    data[where : where + 8] = b"alis\0\0\0\0"
    try:
        frames = read(bytes(data), count=1)
    except MediaError as refused:
        assert refused.code is MediaProblem.DAMAGED
    else:
        assert frames[0].shape == (48, 64, 3)  # read from the file itself, as its offsets say
