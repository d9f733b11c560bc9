import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.frames import Samples
from telephony.upsample import DELAY, Doubler

RATE = 8000


def tone(frequency: float, rate: int, seconds: float = 0.5) -> Samples:
    time = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * frequency * time).astype(np.float32)


@pytest.mark.parametrize("frequency", [0.0, 100.0, 440.0, 1000.0, 2500.0, 3400.0])
def test_what_a_telephone_carries_is_the_same_at_twice_the_rate_two_milliseconds_later(frequency: float) -> None:
    doubled = Doubler().push(tone(frequency, RATE))
    expected = tone(frequency, 2 * RATE)
    settled = slice(200, None)
    assert doubled[2 * DELAY :][settled] == pytest.approx(expected[: -2 * DELAY][settled], abs=0.002)


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 3400.0])
def test_nothing_is_added_above_the_telephone_band(frequency: float) -> None:
    doubled = Doubler().push(tone(frequency, RATE, 1.0))[1000:-1000]
    spectrum = np.abs(np.fft.rfft(doubled * np.hanning(len(doubled))))
    frequencies = np.fft.rfftfreq(len(doubled), 1 / (2 * RATE))
    assert spectrum[frequencies > 4500].max() < spectrum.max() * 10 ** (-60 / 20)


@given(st.lists(st.integers(0, 70), max_size=12), st.integers(0, 2**32 - 1))
def test_where_the_stream_is_cut_makes_no_difference(lengths: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, sum(lengths)).astype(np.float32)
    doubler, pieces = Doubler(), np.split(samples, np.cumsum(lengths))
    together = np.concatenate([doubler.push(piece) for piece in pieces])
    assert len(together) == 2 * len(samples)
    assert together == pytest.approx(Doubler().push(samples), abs=1e-6)
