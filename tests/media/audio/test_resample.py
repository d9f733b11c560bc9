from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.frames import AudioFrame, Samples
from media.audio.resample import StreamResampler, resample

RATES = [(8_000, 16_000), (48_000, 16_000), (16_000, 8_000), (44_100, 16_000), (22_050, 8_000), (16_000, 48_000)]


def tone(rate: int, seconds: float, hertz: float = 700.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def feed(resampler: StreamResampler, samples: Samples, sizes: list[int]) -> Samples:
    """Everything the stream yields for `samples` given in frames of `sizes` (repeated), its indices checked."""
    out: list[Samples] = []
    index, number, expected = 0, 0, 0
    while index < len(samples):
        block = samples[index : index + sizes[number % len(sizes)]]
        frame = resampler.process(AudioFrame(block, resampler.from_rate, index))
        assert frame.index == expected
        assert frame.rate == resampler.to_rate
        expected = frame.end
        out.append(frame.samples)
        index += len(block)
        number += 1
    return np.concatenate(out)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_keeps_its_phase_on_the_output_timeline(source: int, target: int) -> None:
    converted = feed(StreamResampler(source, target), tone(source, 0.5), [source // 50])
    expected = tone(target, 0.5)[: len(converted)]
    assert np.abs(converted - expected)[target // 50 : -target // 50].max() < 1e-3


@pytest.mark.parametrize(("source", "target"), RATES)
def test_the_output_lags_by_the_stated_delay(source: int, target: int) -> None:
    resampler = StreamResampler(source, target)
    converted = feed(resampler, tone(source, 0.5), [source // 50])
    lag = 0.5 - len(converted) / target
    assert lag <= resampler.delay + 1 / target
    assert resampler.delay < 0.0025


@given(st.lists(st.integers(1, 700), min_size=1, max_size=8), st.sampled_from(RATES))
def test_how_a_stream_is_cut_into_frames_does_not_matter(sizes: list[int], rates: tuple[int, int]) -> None:
    samples = tone(rates[0], 0.05)
    whole = feed(StreamResampler(*rates), samples, [len(samples)])
    pieces = feed(StreamResampler(*rates), samples, sizes)
    assert np.array_equal(whole, pieces)


def test_what_the_lower_rate_cannot_carry_is_removed() -> None:
    converted = feed(StreamResampler(16_000, 8_000), tone(16_000, 0.5, hertz=5_500.0), [320])
    assert np.abs(converted[400:-400]).max() < 1e-3


def test_equal_rates_pass_through() -> None:
    samples = tone(16_000, 0.1)
    resampler = StreamResampler(16_000, 16_000)
    assert resampler.delay == 0
    assert np.array_equal(feed(resampler, samples, [160]), samples)


def test_a_gap_is_heard_as_silence() -> None:
    resampler = StreamResampler(8_000, 16_000)
    first = resampler.process(AudioFrame(np.ones(160, np.float32), 8_000, 0))
    second = resampler.process(AudioFrame(np.ones(160, np.float32), 8_000, 480))
    assert second.index == first.end
    assert second.end == 2 * 640 - 32
    assert np.abs(second.samples[100:500]).max() < 0.01
    assert np.abs(second.samples[-100:] - 1).max() < 0.05


def test_a_long_gap_begins_the_stream_anew_at_the_right_place() -> None:
    resampler = StreamResampler(8_000, 16_000)
    resampler.process(AudioFrame(np.ones(160, np.float32), 8_000, 0))
    frame = resampler.process(AudioFrame(np.ones(160, np.float32), 8_000, 80_000_000))
    assert frame.index == 160_000_000
    assert len(frame.samples) < 400


def test_samples_heard_before_are_skipped() -> None:
    samples = tone(8_000, 0.1)
    resampler = StreamResampler(8_000, 16_000)
    first = resampler.process(AudioFrame(samples[:400], 8_000, 0))
    again = resampler.process(AudioFrame(samples[:600], 8_000, 0))
    assert again.index == first.end
    once = feed(StreamResampler(8_000, 16_000), samples[:600], [600])
    assert np.array_equal(np.concatenate([first.samples, again.samples]), once)


def test_flush_yields_the_rest() -> None:
    samples = tone(8_000, 0.1)
    resampler = StreamResampler(8_000, 16_000)
    got = feed(resampler, samples, [160])
    tail = resampler.flush()
    assert tail.index == len(got)
    assert tail.end == 1_600


def test_a_frame_of_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="8000 Hz, the frame has 16000 Hz"):
        StreamResampler(8_000, 16_000).process(AudioFrame(np.zeros(10, np.float32), 16_000, 0))


def test_a_senseless_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="sample rate 10 Hz"):
        StreamResampler(10, 16_000)


def test_a_recording_is_converted_whole() -> None:
    converted = resample(tone(48_000, 1.0), 48_000, 16_000)
    assert len(converted) == 16_000
    assert converted.dtype == np.float32
    assert np.abs(converted - tone(16_000, 1.0))[500:-500].max() < 1e-3


def test_nothing_converts_to_nothing() -> None:
    assert len(resample(np.zeros(0, np.float32), 8_000, 16_000)) == 0
