"""Loudness against pyloudnorm's own whole-file meter; the limiter against true peaks measured by soxr."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.frames import Samples
from media.studio.loudness import HIGHEST_PEAK, Limiter, LoudnessMeter, gain_for, mastering_gain, true_peaks
from media.studio.loudness import limited as limited_blocks


def speechlike(seconds: float, rate: int, *, level: float = 0.1, seed: int = 0) -> Samples:
    """Noise in syllables with pauses."""
    at = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, level, len(at))
    return np.asarray(noise * np.maximum(0, np.sin(2 * np.pi * 2.3 * at)) * (at % 3 < 2.2), np.float32)


def metered(samples: Samples, rate: int, block: int = 5000) -> LoudnessMeter:
    meter = LoudnessMeter(rate)
    for start in range(0, len(samples), block):
        meter.hear(samples[start : start + block])
    meter.finish()
    return meter


def limited(samples: Samples, rate: int, blocks: list[int]) -> Samples:
    limiter, parts, start = Limiter(rate), [], 0
    for length in blocks:
        parts.append(limiter.feed(samples[start : start + length]))
        start += length
    parts += [limiter.feed(samples[start:]), limiter.finish()]
    return np.concatenate(parts)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_loudness_block_by_block_is_that_of_the_whole(rate: int) -> None:
    samples = speechlike(12.0, rate)
    whole = pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))
    assert metered(samples, rate).loudness == pytest.approx(whole, abs=0.05)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 9000), max_size=12))
def test_how_a_recording_is_cut_into_blocks_does_not_matter(lengths: list[int]) -> None:
    samples, meter, start = speechlike(2.0, 16_000), LoudnessMeter(16_000), 0
    for length in lengths:
        meter.hear(samples[start : start + length])
        start += length
    meter.hear(samples[start:])
    assert meter.loudness == pytest.approx(metered(samples, 16_000).loudness, abs=1e-6)


def test_a_sine_of_full_scale_has_the_loudness_the_recommendation_gives() -> None:
    tone = np.sin(2 * np.pi * 997 * np.arange(5 * 48_000) / 48_000).astype(np.float32)
    assert metered(tone, 48_000).loudness == pytest.approx(-3.01, abs=0.1)


def test_a_peak_between_samples_is_found() -> None:
    tone = np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000 + np.pi / 4).astype(np.float32)
    assert np.abs(tone).max() < 0.71
    assert metered(tone, 48_000).true_peak == pytest.approx(1.0, abs=0.03)
    assert true_peaks(tone)[1000:-1000].max() == pytest.approx(1.0, abs=0.03)


def test_silence_is_left_as_it_is() -> None:
    meter = metered(np.zeros(48_000, np.float32), 48_000)
    assert meter.loudness == -math.inf
    assert gain_for(meter.loudness, meter.true_peak) == 1.0
    assert gain_for(-math.inf, 0.5) == 1.0


def test_a_word_shorter_than_a_block_has_a_loudness_too() -> None:
    word = speechlike(0.2, 16_000)
    assert -40 < metered(word, 16_000).loudness < -10


def test_near_silence_is_not_blown_up_and_peaks_bound_the_gain() -> None:
    assert gain_for(-69.0, 0.001) == pytest.approx(10 ** (30 / 20))
    assert gain_for(-30.0, 1.0) == pytest.approx(10 ** (8 / 20))  # 9 dB of limiting below -1 dBTP
    assert gain_for(-20.0, 0.1) == pytest.approx(10 ** (4 / 20))


def test_what_limiting_takes_away_is_made_up_for() -> None:
    peaky = speechlike(6.0, 22_050, level=0.04)
    peaky[np.flatnonzero(peaky)[::300]] *= 4

    def blocks() -> list[Samples]:
        return [peaky[start : start + 7000] for start in range(0, len(peaky), 7000)]

    simple = gain_for(metered(peaky, 22_050).loudness, metered(peaky, 22_050).true_peak)
    gain = mastering_gain(blocks, 22_050)
    assert gain > 1.02 * simple
    loud = np.concatenate(list(limited_blocks(blocks(), gain, 22_050)))
    assert metered(loud, 22_050).loudness == pytest.approx(-16.0, abs=0.2)
    assert mastering_gain(lambda: [np.zeros(9000, np.float32)], 22_050) == 1.0


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_no_true_peak_passes_the_limiter(rate: int) -> None:
    loud = soxr.resample(speechlike(3.0, rate // 2, level=0.5), rate // 2, rate, "HQ").astype(np.float32)
    assert np.abs(loud).max() > 1.5
    quietened = limited(loud, rate, [100, 7, 4000, 1])
    assert len(quietened) == len(loud)
    peak = np.abs(soxr.resample(quietened, rate, 8 * rate, "VHQ")).max()
    assert 20 * math.log10(peak) < HIGHEST_PEAK


def test_what_is_quiet_enough_passes_unchanged() -> None:
    quiet = speechlike(1.0, 16_000, level=0.05)
    assert np.array_equal(limited(quiet, 16_000, [3000, 50]), quiet)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3000), max_size=8))
def test_the_limiter_gives_the_same_whatever_the_blocks(lengths: list[int]) -> None:
    loud = speechlike(0.4, 16_000, level=0.6)
    assert limited(loud, 16_000, lengths) == pytest.approx(limited(loud, 16_000, []), abs=1e-6)
