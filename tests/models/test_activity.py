"""Silero VAD and the segmenter on real speech, and on what is none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.audio.wav import read_wav
from media.speech.activity.segmenter import SpeechEvent, SpeechEventKind, SpeechSegmenter
from media.speech.activity.silero import SileroModel, VoiceActivity
from media.speech.activity.windows import WINDOW, ActivityWindow
from tests.bench.word_errors import SPEECH, over_the_phone, with_noise

pytestmark = pytest.mark.models

K = SpeechEventKind
CLIPS = [clip["file"] for clip in json.loads((SPEECH / "transcripts.json").read_text())]
LEAD, TAIL = SPEECH_RATE, SPEECH_RATE
# The whispering voice of this clip is softer than a line's noise wants; its pauses are real and long.
PAUSES = {"phone_number.wav": 3, "hesitation.wav": 1, "vegetarian.wav": 1}


def clip(name: str) -> Samples:
    """A recording with a second of a quiet line before and after it."""
    voice = read_wav(SPEECH / name).samples
    line = np.random.default_rng(0).normal(0, 3e-4, LEAD + len(voice) + TAIL)
    line[LEAD : LEAD + len(voice)] += voice
    return line.astype(np.float32)


def windows(model: SileroModel, samples: Samples, sizes: list[int]) -> list[ActivityWindow]:
    activity = VoiceActivity(model)
    found: list[ActivityWindow] = []
    index, number = 0, 0
    while index < len(samples):
        block = samples[index : index + sizes[number % len(sizes)]]
        found += activity.feed(AudioFrame(block, SPEECH_RATE, index))
        index += len(block)
        number += 1
    return found


def events(model: SileroModel, samples: Samples) -> list[SpeechEvent]:
    segmenter = SpeechSegmenter()
    return [event for window in windows(model, samples, [320]) for event in segmenter.feed(window)]


@settings(max_examples=10, deadline=None)
@given(sizes=st.lists(st.integers(1, 2_000), min_size=1, max_size=6))
def test_how_a_stream_is_cut_into_frames_does_not_matter(model: SileroModel, sizes: list[int]) -> None:
    samples = clip("name.wav")[: 2 * SPEECH_RATE]
    assert windows(model, samples, sizes) == windows(model, samples, [len(samples)])


def test_windows_follow_one_another_and_tell_speech_from_silence(model: SileroModel) -> None:
    samples = clip("book_table.wav")
    found = windows(model, samples, [320])
    assert [window.index for window in found] == list(range(0, len(samples) - WINDOW + 1, WINDOW))
    assert max(window.probability for window in found[2:30]) < 0.2
    assert np.median([window.probability for window in found[40:100]]) > 0.9


@pytest.mark.parametrize("line", ["wide", "phone"])
@pytest.mark.parametrize("name", CLIPS)
def test_a_turn_begins_and_ends_where_the_voice_does(model: SileroModel, name: str, line: str) -> None:
    samples = clip(name)
    voiced = np.flatnonzero(np.abs(samples) > 0.02)
    found = events(model, over_the_phone(samples) if line == "phone" else samples)
    speech = [event for event in found if event.kind is not K.NO_SPEECH]
    started, stopped = [[event for event in speech if event.kind is kind] for kind in (K.STARTED, K.STOPPED)]
    assert len(started) == len(stopped) == 1 + PAUSES.get(name, 0)
    assert abs(started[0].at - voiced[0]) < 0.08 * SPEECH_RATE
    assert abs(stopped[-1].at - voiced[-1]) < 0.08 * SPEECH_RATE
    # The whispered "You can …" of one clip is too soft to be told at once; all else is.
    soft = name == "phone_number.wav"
    assert started[0].now - voiced[0] < (0.45 if soft else 0.21) * SPEECH_RATE
    hints = [event for event in speech if event.kind is K.POSSIBLE_SILENCE]
    assert hints[-1].now - voiced[-1] < 0.14 * SPEECH_RATE
    assert stopped[-1].now - voiced[-1] < 0.21 * SPEECH_RATE


@pytest.mark.parametrize("name", CLIPS)
def test_noise_delays_the_end_and_does_not_hide_it(model: SileroModel, name: str) -> None:
    samples = with_noise(clip(name))
    stopped = [event for event in events(model, samples) if event.kind is K.STOPPED]
    voiced = np.flatnonzero(np.abs(clip(name)) > 0.02)
    assert 0 < stopped[-1].now - voiced[-1] < 0.4 * SPEECH_RATE


def test_quiet_speech_is_speech(model: SileroModel) -> None:
    assert K.STARTED in {event.kind for event in events(model, clip("open_hours.wav") * 0.1)}


TIME = np.arange(6 * SPEECH_RATE) / SPEECH_RATE
RANDOM = np.random.default_rng(1)
NOT_SPEECH = {
    "silence": 0 * TIME,
    "white noise": RANDOM.normal(0, 0.03, len(TIME)),
    "mains hum": 0.1 * np.sin(2 * np.pi * 50 * TIME) + 0.03 * np.sin(2 * np.pi * 150 * TIME),
    "chords": 0.06 * np.sin(2 * np.pi * np.outer((220, 277, 330, 440), TIME)).sum(axis=0) * (TIME % 0.5 < 0.4),
    "dial tones": 0.2 * (np.sin(2 * np.pi * 770 * TIME) + np.sin(2 * np.pi * 1336 * TIME)) * (TIME % 0.4 < 0.2),
    "bursts of noise": RANDOM.normal(0, 0.1, len(TIME)) * (np.sin(2 * np.pi * 0.7 * TIME) > 0.7),
    "clicks": 0.8 * (RANDOM.random(len(TIME)) < 0.0005),
    "clipped noise": np.clip(RANDOM.normal(0, 5, len(TIME)), -1, 1),
}


@pytest.mark.parametrize("line", ["wide", "phone"])
@pytest.mark.parametrize("sound", NOT_SPEECH)
def test_what_is_no_speech_starts_none(model: SileroModel, sound: str, line: str) -> None:
    samples = NOT_SPEECH[sound].astype(np.float32)
    found = events(model, over_the_phone(samples) if line == "phone" else samples)
    assert K.STARTED not in {event.kind for event in found}


def test_a_gap_is_heard_as_silence_and_a_long_one_starts_anew(model: SileroModel) -> None:
    voice = clip("book_table.wav")[: 2 * SPEECH_RATE]
    activity = VoiceActivity(model)
    activity.feed(AudioFrame(voice, SPEECH_RATE, 0))
    short = activity.feed(AudioFrame(np.zeros(WINDOW, np.float32), SPEECH_RATE, len(voice) + 8_000))
    assert short[-1].probability < 0.2
    assert short[-1].end <= len(voice) + 8_000 + WINDOW
    later = activity.feed(AudioFrame(np.zeros(WINDOW, np.float32), SPEECH_RATE, 10**9))
    assert [window.index for window in later] == [10**9]


def test_samples_heard_before_are_skipped(model: SileroModel) -> None:
    activity = VoiceActivity(model)
    frame = AudioFrame(np.zeros(WINDOW, np.float32), SPEECH_RATE, 0)
    assert len(activity.feed(frame)) == 1
    assert activity.feed(frame) == []


def test_a_frame_of_another_rate_is_refused(model: SileroModel) -> None:
    with pytest.raises(ValueError, match="wants 16000 Hz, the frame has 8000 Hz"):
        VoiceActivity(model).feed(AudioFrame(np.zeros(10, np.float32), 8_000, 0))
