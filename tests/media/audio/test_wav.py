from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.g711 import encode_alaw, samples_to_ulaw
from media.audio.wav import WavError, decode_wav, encode_wav, read_wav, write_wav

RAMP = np.linspace(-0.9, 0.9, 50, dtype=np.float32)


def wav(
    payload: bytes, *, code: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, size: int = -1
) -> bytes:
    form = struct.pack("<HHIIHH", code, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    body = b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(payload) if size < 0 else size) + payload
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def pcm24(samples: np.ndarray) -> bytes:
    return b"".join(round(float(x) * 2**23).to_bytes(3, "little", signed=True) for x in samples)


@pytest.mark.parametrize(
    ("payload", "code", "bits", "tolerance"),
    [
        ((RAMP * 128 + 128).round().astype(np.uint8).tobytes(), 1, 8, 0.01),
        ((RAMP * 32768).round().astype("<i2").tobytes(), 1, 16, 1e-4),
        (pcm24(RAMP), 1, 24, 1e-6),
        ((RAMP.astype(np.float64) * 2**31).round().astype("<i4").tobytes(), 1, 32, 1e-6),
        (RAMP.astype("<f4").tobytes(), 3, 32, 1e-7),
        (RAMP.astype("<f8").tobytes(), 3, 64, 1e-7),
        (samples_to_ulaw(RAMP), 7, 8, 0.03),
        (encode_alaw((RAMP * 32767).astype(np.int16)), 6, 8, 0.03),
    ],
)
def test_every_kind_of_sample_is_read(payload: bytes, code: int, bits: int, tolerance: float) -> None:
    frame = decode_wav(wav(payload, code=code, bits=bits))
    assert frame.rate == 16_000
    assert frame.index == 0
    assert frame.samples.dtype == np.float32
    assert np.abs(frame.samples - RAMP).max() < tolerance


def test_channels_are_averaged() -> None:
    stereo = np.stack([RAMP, -RAMP, RAMP], axis=1).astype("<f4")
    frame = decode_wav(wav(stereo.tobytes(), code=3, bits=32, channels=3))
    assert np.abs(frame.samples - RAMP / 3).max() < 1e-6


def test_the_extensible_format_is_read() -> None:
    plain = wav((RAMP * 32768).astype("<i2").tobytes())
    form = plain[20:36]
    extensible = struct.pack("<H", 0xFFFE) + form[2:] + struct.pack("<HHIH14s", 22, 16, 4, 1, b"\x00" * 14)
    data = plain[:16] + struct.pack("<I", len(extensible)) + extensible + plain[36:]
    assert np.abs(decode_wav(data).samples - RAMP).max() < 1e-4


def test_chunks_before_the_samples_are_skipped() -> None:
    plain = wav((RAMP * 32768).astype("<i2").tobytes())
    data = plain[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\x00" + plain[12:]
    assert len(decode_wav(data).samples) == 50


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_header_written_to_a_pipe_is_read_to_its_end(size: int) -> None:
    assert len(decode_wav(wav(b"\x00" * 100, size=size)).samples) == 50


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ramp.wav"
    write_wav(path, RAMP, 8_000)
    frame = read_wav(path)
    assert frame.rate == 8_000
    assert np.abs(frame.samples - RAMP).max() < 1e-4


def test_a_file_is_converted_to_the_rate_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "ramp.wav"
    write_wav(path, np.zeros(8_000, np.float32), 8_000)
    frame = read_wav(path, rate=16_000)
    assert (frame.rate, len(frame.samples)) == (16_000, 16_000)


def test_too_loud_samples_are_clipped() -> None:
    loud = np.array([2.0, -3.0], np.float32)
    assert decode_wav(wav(loud.tobytes(), code=3, bits=32)).samples.tolist() == [1.0, -1.0]
    assert decode_wav(encode_wav(loud, 16_000)).samples.tolist() == pytest.approx([1.0, -1.0], abs=1e-4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"ID3\x04 this is an mp3 file", "not a WAV file, it begins with"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "not a WAV file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "no format in its header"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt \x04\x00\x00\x00abcd", "the format in its header is cut short"),
        (wav(b""), "it holds no samples"),
        (wav(b"\x00" * 100, size=400), "cut short: 300 of 400 bytes of samples are missing"),
        (wav(b"\x00" * 100, channels=0), "no channels"),
        (wav(b"\x00" * 100, rate=3), "its sample rate is 3 Hz"),
        (wav(b"\x00" * 100, code=2, bits=4), "samples of format 2 with 4 bits cannot be read"),
        (wav(np.array([np.nan], "<f4").tobytes(), code=3, bits=32), "some of its samples are not numbers"),
        (wav(np.array([1e30], "<f8").tobytes(), code=3, bits=64), "some of its samples are not numbers"),
        (wav(b"\x00" * 100)[:12] + wav(b"\x00" * 100)[36:], "its samples come before their format"),
    ],
)
def test_a_broken_file_says_what_is_wrong(data: bytes, reason: str) -> None:
    with pytest.raises(WavError, match=r"^greeting\.wav: ") as caught:
        decode_wav(data, name="greeting.wav")
    assert reason in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WavError, match=r"nowhere.wav: No such file"):
        read_wav(tmp_path / "nowhere.wav")


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_read_but_never_breaks(data: bytes) -> None:
    try:
        frame = decode_wav(data)
    except WavError:
        return
    assert len(frame.samples) > 0


@given(st.data())
def test_a_damaged_file_is_refused_or_read_but_never_breaks(data: st.DataObject) -> None:
    whole = bytearray(wav((RAMP * 32768).astype("<i2").tobytes()))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        frame = decode_wav(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except WavError:
        return
    assert np.abs(frame.samples).max() <= 1.0
