"""What Whisper makes up for sounds that voice activity takes for a voice for a moment."""

from __future__ import annotations

import numpy as np
import pytest

from agents.session.listening import KEPT_SAMPLES, PREROLL
from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.audio.wav import read_wav
from media.speech.activity.segmenter import SpeechEventKind, SpeechSegmenter
from media.speech.activity.silero import SileroModel, VoiceActivity
from media.speech.activity.voiced import VoicedTime
from media.speech.recognition.evidence import can_be_said
from media.speech.recognition.whisper import WhisperRecogniser
from tests.bench.word_errors import SPEECH

pytestmark = pytest.mark.models

LINE = np.random.default_rng(0).normal(0, 3e-4, 10 * SPEECH_RATE)
TIME = np.arange(3 * SPEECH_RATE) / SPEECH_RATE


def turns(model: SileroModel, sound: Samples, recogniser: WhisperRecogniser) -> list[tuple[str, bool]]:
    """What is recognised at each silence in or after `sound`, and whether it is believed."""
    line = (np.pad(sound, SPEECH_RATE) + LINE[: len(sound) + 2 * SPEECH_RATE]).astype(np.float32)
    activity, segmenter, voiced = VoiceActivity(model), SpeechSegmenter(), VoicedTime(KEPT_SAMPLES)
    found: list[tuple[str, bool]] = []
    begin = 0
    for window in activity.feed(AudioFrame(line, SPEECH_RATE, 0)):
        voiced.add(window)
        for event in segmenter.feed(window):
            if event.kind is SpeechEventKind.STARTED:
                begin = max(0, event.at - PREROLL)
            elif event.kind in (SpeechEventKind.POSSIBLE_SILENCE, SpeechEventKind.STOPPED):
                heard = recogniser.transcribe_now(line[begin : event.now], language="en")
                voice = voiced.total - voiced.before(begin)
                found.append((heard.text, can_be_said(heard.text, heard.average_log_probability, voice)))
    return found


def thumps(seed: int) -> Samples:
    random = np.random.default_rng(seed)
    sound = np.zeros(len(TIME))
    for _ in range(8):
        start = random.integers(0, len(sound) - 4000)
        fade = np.exp(-TIME[:4000] * random.uniform(10, 60))
        sound[start : start + 4000] += 0.5 * np.sin(2 * np.pi * random.uniform(60, 300) * TIME[:4000]) * fade
    return sound.astype(np.float32)


def engine(seed: int) -> Samples:
    """A sawtooth whose pitch wanders."""
    random = np.random.default_rng(seed)
    pitch = random.uniform(60, 150) * (1 + 0.05 * np.cumsum(random.normal(0, 0.01, len(TIME))))
    saw = 2 * ((np.cumsum(pitch) / SPEECH_RATE) % 1) - 1
    return (0.2 * np.convolve(saw, np.hanning(11) / np.hanning(11).sum(), "same")).astype(np.float32)


def test_thumps_and_engines_open_turns_and_their_words_are_not_believed(
    model: SileroModel, recogniser: WhisperRecogniser
) -> None:
    sounds = [make(seed) for make in (thumps, engine) for seed in range(24)]
    heard = [turn for sound in sounds for turn in turns(model, sound, recogniser) if turn[0]]
    assert len(heard) > 6  # or these sounds are no longer what the rule is for
    assert sum(believed for _, believed in heard) <= len(heard) // 5, heard


@pytest.mark.parametrize("loudness", [1.0, 0.1])
@pytest.mark.parametrize("name", ["stop.wav", "uh_huh.wav", "open_hours.wav", "phone_number.wav"])
def test_every_text_of_a_real_voice_is_believed(
    model: SileroModel, recogniser: WhisperRecogniser, name: str, loudness: float
) -> None:
    heard = turns(model, loudness * read_wav(SPEECH / name).samples, recogniser)
    assert heard
    assert all(believed for text, believed in heard if text), heard
