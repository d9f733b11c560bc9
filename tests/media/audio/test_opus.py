import wave
from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from media.audio.frames import Samples, from_int16
from media.audio.opus import LONGEST, STEP, OpusDecoder, OpusEncoder, OpusError, packet_duration


def voice(seconds: float, rate: int) -> Samples:
    """A buzz that moves, as a voice does."""
    time = np.arange(int(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(400 + 60 * np.sin(2 * np.pi * 3 * time)) / rate
    wave = sum(np.sin(n * pitch) / n for n in range(1, 8)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    return (0.2 * wave).astype(np.float32)


def recording() -> Samples:
    """Real speech, 16 kHz."""
    with wave.open(str(Path(__file__).parents[2] / "speech" / "hesitation.wav")) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return np.asarray(soxr.resample(from_int16(pcm), file.getframerate(), 16_000), np.float32)


def encoded(rate: int = 24_000, seconds: float = 2.0) -> list[bytes]:
    encoder, samples, frame = OpusEncoder(rate, loss=20), voice(seconds, rate), rate // 50
    return [encoder.encode(samples[i : i + frame]) for i in range(0, len(samples), frame)]


def similarity(a: Samples, b: Samples) -> float:
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b) + 1e-12))


def test_speech_survives_the_way_there_and_back() -> None:
    rate = 16_000
    decoder = OpusDecoder(rate)
    out = np.concatenate([decoder.decode(packet) for packet in encoded(rate)])
    sent = voice(2.0, rate)
    assert len(out) == len(sent)
    delays = range(0, 400)
    assert max(similarity(sent[4000:20000], out[4000 + d : 20000 + d]) for d in delays) > 0.95


def test_a_stream_is_decoded_to_the_rate_that_is_asked_for() -> None:
    packets = encoded(24_000)
    for rate in (8_000, 16_000, 48_000):
        assert len(OpusDecoder(rate).decode(packets[0])) == rate // 50


def test_a_lost_packet_is_recovered_from_the_next_better_than_it_is_concealed() -> None:
    encoder, samples = OpusEncoder(16_000, loss=20), recording()
    packets = [encoder.encode(samples[i : i + 320]) for i in range(0, len(samples) - 320, 320)]
    whole = OpusDecoder(16_000)
    reference = [whole.decode(packet) for packet in packets]
    results = {}
    for how in ("recover", "conceal"):
        decoder = OpusDecoder(16_000)
        found = []
        for number, packet in enumerate(packets[:-1]):
            if number % 7 != 5:
                decoder.decode(packet)
                continue
            lost = decoder.recover(packets[number + 1], 960) if how == "recover" else decoder.conceal(960)
            assert len(lost) == 320
            found.append(float(np.sum((reference[number] - lost) ** 2)))
        results[how] = sum(found)
    assert results["recover"] < 0.3 * results["conceal"]


def test_concealment_grows_quieter() -> None:
    decoder = OpusDecoder(16_000)
    for packet in encoded():
        decoder.decode(packet)
    concealed = [decoder.conceal(960) for _ in range(40)]
    assert np.abs(concealed[0]).max() > 0.05
    assert np.sum(concealed[-1] ** 2) < 0.25 * np.sum(concealed[0] ** 2)


@pytest.mark.parametrize("ticks", [0, -120, 100, LONGEST + STEP])
def test_concealment_of_a_length_that_the_codec_does_not_know_is_an_error(ticks: int) -> None:
    with pytest.raises(ValueError, match="no multiple of 120"):
        OpusDecoder(16_000).conceal(ticks)


def test_a_frame_of_an_odd_length_is_refused() -> None:
    with pytest.raises(OpusError, match="100 samples at 24000 Hz"):
        OpusEncoder(24_000).encode(np.zeros(100, np.float32))


def test_a_rate_that_opus_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="44100"):
        OpusEncoder(44_100)
    with pytest.raises(ValueError, match="44100"):
        OpusDecoder(44_100)


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 20, 40, 60])
def test_the_duration_of_a_packet_is_read_from_it(milliseconds: float) -> None:
    count = int(48 * milliseconds)
    assert packet_duration(OpusEncoder(48_000).encode(np.zeros(count, np.float32))) == count


def test_an_empty_packet_is_malformed() -> None:
    with pytest.raises(OpusError):
        packet_duration(b"")


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    decoder = OpusDecoder(16_000)
    try:
        samples = decoder.decode(payload)
    except OpusError:
        return
    assert len(samples) == packet_duration(payload) // 3
    assert len(decoder.recover(payload, 960)) == 320
