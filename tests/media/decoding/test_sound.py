from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.wav import encode_wav
from media.decoding.containers import container_info
from media.decoding.errors import MediaError, MediaProblem
from media.decoding.sound import read_sound
from tests.media.decoding.files import SOUND_CODERS, encoded, endless_wav, half_red, sound, video


def read(data: bytes, *, rate: int = 16_000, max_seconds: float = 10.0) -> npt.NDArray[np.float32]:
    return np.concatenate(list(read_sound(io.BytesIO(data), rate=rate, max_seconds=max_seconds)))


def problem(data: bytes, *, max_seconds: float = 10.0) -> MediaProblem:
    with pytest.raises(MediaError) as refused:
        read(data, max_seconds=max_seconds)
    return refused.value.code


@pytest.mark.parametrize("form", sorted(SOUND_CODERS))
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_every_format_gives_mono_samples_at_the_wanted_rate(form: str, rate: int) -> None:
    samples = read(sound(form), rate=rate)
    assert samples.dtype == np.float32
    assert abs(len(samples) / rate - 2.0) < 0.15
    middle = samples[rate // 2 : rate]
    assert 0.2 < np.abs(middle).max() < 0.3
    assert abs(int(np.argmax(np.abs(np.fft.rfft(middle)))) * 2 - 440) <= 2


def test_the_sound_of_a_video_is_read() -> None:
    assert len(read(video(with_sound=True))) > 20_000


def test_a_video_without_sound_says_so() -> None:
    assert problem(video()) is MediaProblem.NO_AUDIO


def test_samples_beyond_full_scale_and_no_numbers_are_tamed() -> None:
    loud = np.array([0.5, 3.0, -7.0, np.nan, np.inf] * 1000, np.float32)
    header = encode_wav(np.zeros(0, np.float32), 16_000)[:20]
    body = loud.tobytes()
    data = header + b"\x03\0\x01\0" + (16_000).to_bytes(4, "little") + (64_000).to_bytes(4, "little") + b"\x04\0\x20\0"
    samples = read(data + b"data" + len(body).to_bytes(4, "little") + body)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


def test_a_sound_that_states_more_than_is_accepted_is_refused_without_decoding() -> None:
    assert problem(sound(seconds=5.0), max_seconds=2.0) is MediaProblem.TOO_LONG


def test_a_sound_that_never_ends_is_refused_where_the_limit_is() -> None:
    assert problem(endless_wav(60), max_seconds=5.0) is MediaProblem.TOO_LONG


def test_a_sound_that_lies_about_its_length_is_refused_where_the_limit_is() -> None:
    data = bytearray(sound("mp3", seconds=20.0))
    assert problem(bytes(data), max_seconds=5.0) is MediaProblem.TOO_LONG


@pytest.mark.parametrize("form", ["wav", "mp4", "flac", "webm"])
def test_a_sound_that_ends_long_before_its_stated_length_is_damaged(form: str) -> None:
    data = sound(form, seconds=8.0)
    assert problem(data[: len(data) // 3]) is MediaProblem.DAMAGED


def test_one_bad_packet_is_a_click_and_not_the_end() -> None:
    data = bytearray(sound("mp3", seconds=4.0))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    assert len(read(bytes(data))) > 3.5 * 16_000


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"", MediaProblem.EMPTY, "empty"),
        (encoded(half_red(), "PNG"), MediaProblem.WRONG_KIND, "This is a PNG picture, not a sound or video"),
        (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", MediaProblem.WRONG_KIND, "This is a playlist"),
        (b"<MPD/>", MediaProblem.WRONG_KIND, "This is an XML document"),
        (b"\x00\x01\x02\x03" * 64, MediaProblem.UNREADABLE, "format known here"),
        (b"RIFF\x24\0\0\0WAVEfmt ", MediaProblem.DAMAGED, "damaged or incomplete"),
        (b"OggS" + bytes(400), MediaProblem.DAMAGED, "damaged or incomplete"),
    ],
)
def test_what_is_no_sound_is_called_what_it_is(data: bytes, code: MediaProblem, text: str) -> None:
    with pytest.raises(MediaError, match=text) as refused:
        read(data)
    assert refused.value.code is code


def test_what_a_sound_is_is_told_without_decoding_it() -> None:
    info = container_info(io.BytesIO(sound("mp4", seconds=3.0)), pixels=1_000_000)
    assert (info.kind, info.mime, info.container, info.audio_codec) == ("audio", "audio/mp4", "mov", "aac")
    assert (info.rate, info.channels, info.has_audio, info.has_video) == (16_000, 1, True, False)
    assert info.duration is not None
    assert abs(info.duration - 3.0) < 0.2


def test_a_length_that_is_not_stated_is_counted() -> None:
    info = container_info(io.BytesIO(endless_wav(6)), pixels=1_000_000)
    assert info.duration is not None
    assert abs(info.duration - 6.0) < 0.1


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(SOUND_CODERS)), st.integers(0, 3000), st.binary(max_size=8), st.floats(0.05, 1.0))
def test_damaged_sounds_are_refused_or_read_and_never_crash(form: str, where: int, junk: bytes, part: float) -> None:
    data = bytearray(_WHOLE[form])
    data[where : where + len(junk)] = junk
    try:
        samples = read(bytes(data[: int(len(data) * part)]), max_seconds=3.0)
        assert np.isfinite(samples).all()
    except MediaError as refused:
        assert refused.message


_WHOLE = {form: sound(form, seconds=0.5) for form in SOUND_CODERS}
