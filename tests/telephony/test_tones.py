"""Tones of the network, told from voices and from each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.frames import AudioFrame, Samples
from media.audio.g711 import samples_to_ulaw, ulaw_to_samples
from media.audio.wav import read_wav
from telephony.tones import Tone, ToneHeard, ToneListener
from tests.bench.greetings.corpus import SPEECH, special_information_tone, tone

RATE = 8000


def silence(seconds: float, rate: int = RATE) -> Samples:
    return np.zeros(round(seconds * rate), np.float32)


def noise(count: int, decibels: float) -> Samples:
    return np.random.default_rng(7).normal(0.0, 10 ** (decibels / 20), count).astype(np.float32)


def listen(*parts: Samples, rate: int = RATE, frame: int = 160) -> list[ToneHeard]:
    """All that is heard in these sounds, one after the other, through μ-law and a second of silence after them."""
    samples = np.concatenate([*parts, silence(1.0, rate)]).astype(np.float32)
    samples = ulaw_to_samples(samples_to_ulaw(samples))
    listener = ToneListener(rate)
    heard = []
    for index in range(0, len(samples), frame):
        heard += listener.feed(AudioFrame(samples[index : index + frame], rate, index))
    return heard


def kinds(heard: list[ToneHeard]) -> list[Tone]:
    return [each.tone for each in heard]


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("hertz", [440, 850, 1000, 1400, 1900])
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.5])
def test_a_beep_is_heard_where_it_is(hertz: float, seconds: float, rate: int) -> None:
    (beep,) = listen(silence(0.8, rate), tone([hertz], seconds, rate=rate), rate=rate)
    assert beep.tone is Tone.BEEP
    assert beep.start == pytest.approx(0.8, abs=0.03)
    assert beep.end == pytest.approx(0.8 + seconds, abs=0.03)


def test_a_beep_is_heard_in_noise() -> None:
    samples = np.concatenate([silence(0.5), tone([1000], 0.4), silence(0.5)])
    assert kinds(listen((samples + noise(len(samples), -32)).astype(np.float32))) == [Tone.BEEP]


def test_a_beep_with_an_overtone_is_one() -> None:
    wave = tone([800], 0.4) + 0.4 * tone([1600], 0.4)
    assert kinds(listen(silence(0.3), wave)) == [Tone.BEEP]


@pytest.mark.parametrize(
    "sound",
    [tone([1000], 0.08), tone([1000], 4.0), tone([300], 0.4), tone([2600], 0.4), tone([1000], 0.4, decibels=-60)],
    ids=["short", "long", "low", "high", "faint"],
)
def test_what_is_too_short_long_low_high_or_faint_is_no_beep(sound: Samples) -> None:
    assert listen(silence(0.3), sound) == []


def test_a_key_is_no_beep() -> None:
    assert listen(silence(0.3), tone([770, 1336], 0.3)) == []


def test_a_tone_within_other_sounds_is_no_beep() -> None:
    loud = noise(4000, -20)
    assert listen(loud, tone([600], 0.3), loud) == []


def test_a_glide_is_no_beep() -> None:
    axis = np.arange(4000) / RATE
    assert listen(silence(0.3), (0.2 * np.sin(2 * np.pi * (600 * axis + 400 * axis**2))).astype(np.float32)) == []


@pytest.mark.parametrize("name", sorted(path.name for path in SPEECH.glob("*.wav")))
def test_people_make_no_tones(name: str) -> None:
    assert listen(read_wav(SPEECH / name, rate=RATE).samples) == []


def test_three_rising_tones_are_the_networks() -> None:
    (heard,) = listen(silence(0.2), special_information_tone())
    assert heard.tone is Tone.SPECIAL_INFORMATION
    assert heard.start == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("frequencies", "on", "off", "kind"),
    [
        ((480, 620), 0.5, 0.5, Tone.BUSY),
        ((480, 620), 0.25, 0.25, Tone.CONGESTION),
        ((425,), 0.5, 0.5, Tone.BUSY),
        ((400,), 0.375, 0.375, Tone.BUSY),
        ((425,), 0.2, 0.2, Tone.CONGESTION),
    ],
)
def test_a_busy_signal_is_told_by_its_cadence(
    frequencies: tuple[float, ...], on: float, off: float, kind: Tone
) -> None:
    assert kind in kinds(listen(*[part for _ in range(4) for part in (tone(frequencies, on), silence(off))]))


def test_a_fax_that_answers_is_heard_before_its_tone_ends() -> None:
    listener = ToneListener(RATE)
    samples = tone([2100], 3.0)
    heard = [each for i in range(0, 16000, 160) for each in listener.feed(AudioFrame(samples[i : i + 160], RATE, i))]
    assert kinds(heard) == [Tone.FAX]


def test_a_fax_that_calls_is_heard_at_its_second_tone() -> None:
    burst = tone([1100], 0.5)
    assert Tone.FAX in kinds(listen(burst, silence(3.0), burst))


def test_a_gap_in_the_stream_ends_a_tone() -> None:
    listener = ToneListener(RATE)
    wave = tone([1000], 0.3)
    assert listener.feed(AudioFrame(wave, RATE, 0)) == []
    heard = listener.feed(AudioFrame(silence(0.5), RATE, RATE))
    assert kinds(heard) == [Tone.BEEP]


def test_samples_that_came_before_are_skipped() -> None:
    listener, wave = ToneListener(RATE), np.concatenate([tone([1000], 0.3), silence(0.5)])
    heard = listener.feed(AudioFrame(wave, RATE, 0)) + listener.feed(AudioFrame(wave, RATE, 0))
    assert kinds(heard) == [Tone.BEEP]


def test_a_frame_of_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="8000 Hz"):
        ToneListener(RATE).feed(AudioFrame(silence(0.1), 16000, 0))


@given(st.lists(st.integers(1, 900), min_size=1, max_size=30), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_how_the_stream_is_cut_does_not_matter(sizes: list[int], seed: int) -> None:
    samples = np.concatenate([silence(0.2), tone([900], 0.25), silence(0.3), special_information_tone(), silence(0.4)])
    samples = (samples + np.random.default_rng(seed).normal(0, 0.002, len(samples))).astype(np.float32)
    whole = ToneListener(RATE).feed(AudioFrame(samples, RATE, 0))
    listener, heard, index = ToneListener(RATE), [], 0
    for size in sizes:
        heard += listener.feed(AudioFrame(samples[index : index + size], RATE, index))
        index += size
    heard += listener.feed(AudioFrame(samples[index:], RATE, min(index, len(samples))))
    assert heard == whole
