"""The recent past of a stream."""

from __future__ import annotations

import numpy as np

from media.audio.frames import AudioFrame
from media.audio.rolling import RollingAudio


def frame(index: int, count: int) -> AudioFrame:
    return AudioFrame(np.arange(index, index + count, dtype=np.float32), 16_000, index)


def test_samples_are_addressed_by_their_place_in_the_stream() -> None:
    audio = RollingAudio(1000)
    audio.append(frame(0, 320))
    audio.append(frame(320, 320))
    assert np.array_equal(audio.since(300), np.arange(300, 640, dtype=np.float32))


def test_what_is_older_than_the_capacity_is_forgotten() -> None:
    audio = RollingAudio(500)
    for index in range(0, 3200, 320):
        audio.append(frame(index, 320))
    assert np.array_equal(audio.since(0), np.arange(2700, 3200, dtype=np.float32))


def test_a_gap_reads_as_silence() -> None:
    audio = RollingAudio(1000)
    audio.append(frame(0, 100))
    audio.append(frame(200, 100))
    heard = audio.since(90)
    assert not heard[10:110].any()
    assert heard[110] == 200


def test_samples_that_were_given_before_are_skipped() -> None:
    audio = RollingAudio(1000)
    audio.append(frame(0, 320))
    audio.append(frame(0, 320))
    assert audio.end == 320


def test_a_stretch_ends_where_it_is_told_to() -> None:
    audio = RollingAudio(1000)
    for index in range(0, 960, 320):
        audio.append(frame(index, 320))
    assert np.array_equal(audio.since(300, 700), np.arange(300, 700, dtype=np.float32))


def test_asking_beyond_the_newest_sample_gives_nothing() -> None:
    audio = RollingAudio(1000)
    audio.append(frame(0, 320))
    assert len(audio.since(5000)) == 0
