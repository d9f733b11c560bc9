"""The mouth of what is played out."""

from __future__ import annotations

import numpy as np

from media.audio.frames import Samples
from media.audio.playout import Playout
from media.avatar.audio_visemes.network import packaged_network
from media.avatar.visemes import PhonemeTrack, openness
from media.speech.protocols import SpeechChunk, SpokenPhoneme
from server.faces.mouth import Ears, PlayoutMouth

RATE = 24_000
SOUNDS = (("h", 0.10), ("ə", 0.08), ("l", 0.07), ("oʊ", 0.22), ("m", 0.09), ("ɑː", 0.25), ("p", 0.08), ("s", 0.15))


def spoken(samples: Samples | None = None, *, silent: float = 0.1, rate: int = RATE) -> SpeechChunk:
    """The sounds, after a little silence."""
    at, phonemes = silent, []
    for sound, seconds in SOUNDS:
        phonemes.append(SpokenPhoneme(sound, round(at * rate), round((at + seconds) * rate)))
        at += seconds
    quiet = np.zeros(round(at * rate), np.float32)
    return SpeechChunk(quiet if samples is None else samples, rate, 0, (), tuple(phonemes), final=True)


def reference(offset: float = 0.0, silent: float = 0.1) -> PhonemeTrack:
    track, at = PhonemeTrack(), offset + silent
    for sound, seconds in SOUNDS:
        track.add(sound, at, at + seconds)
        at += seconds
    return track


def ears() -> Ears:
    return Ears(packaged_network)


def test_the_mouth_is_that_of_the_phonemes() -> None:
    playout = Playout(RATE)
    playout.append(1, "hello", spoken())
    mouth, track = PlayoutMouth(playout, ears(), 0, frame=0.04), reference()
    for at in np.arange(0.0, 1.2, 0.01):
        assert np.allclose(mouth.mouth(at), track.mouth(at), atol=1e-3)
        assert abs(mouth.emphasis(at) - track.emphasis(at)) < 1e-3


def test_the_mouth_is_the_same_while_speech_is_heard_and_let_go() -> None:
    playout = Playout(RATE)
    for turn in range(4):
        playout.append(turn, "hello", spoken())
    mouth, length = PlayoutMouth(playout, ears(), 0, frame=0.04), playout.end // 4
    for at in np.arange(0.02, 4 * length / RATE, 0.04):
        while playout.end - playout.waiting < at * RATE:
            playout.take(480)
        playout.heard(int((at - 0.08) * RATE))
        before = int(at * RATE) // length * length / RATE
        if 0.45 < at - before < 0.9:  # away from the neighbours
            assert np.allclose(mouth.mouth(at), reference(before).mouth(at), atol=2e-3)


def test_speech_of_another_time_leaves_nothing_on_the_lips() -> None:
    playout = Playout(RATE)
    playout.append(1, "hello", spoken())
    playout.take(int(0.8 * RATE))
    playout.pause(int(0.8 * RATE))  # in the middle of a vowel
    playout.cut()
    begins = playout.end / RATE
    playout.append(2, "hello", spoken(silent=0.3))
    mouth = PlayoutMouth(playout, ears(), playout.end - playout.waiting, frame=0.04)
    assert openness(mouth.mouth(begins)) < 0.02
    assert np.allclose(mouth.mouth(begins + 0.9), reference(begins, 0.3).mouth(begins + 0.9), atol=1e-3)


def voice(seconds: float) -> Samples:
    """A buzz with formants, loud and quiet in turn: enough of a voice for the network to open the mouth."""
    t = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 30))
    loud = (np.sin(2 * np.pi * 1.5 * t - np.pi / 2) > 0).astype(float)
    return np.asarray(0.2 * buzz * loud, np.float32)


def test_a_voice_without_phonemes_is_followed_by_its_sound() -> None:
    playout = Playout(RATE)
    samples = voice(3.0)
    playout.append(1, "hm", SpeechChunk(samples, RATE, 0, (), (), final=True))
    heard = PlayoutMouth(playout, ears(), 0, frame=0.04)
    whole = packaged_network().track(
        np.interp(np.arange(48_000) / 16_000, np.arange(72_000) / RATE, samples).astype(np.float32)
    )
    times = np.arange(0.02, 2.8, 0.04)
    live = np.array([openness(heard.mouth(float(at))) for at in times])
    at_once = np.array([openness(whole.mouth(float(at))) for at in times])
    assert live.max() > 0.2
    assert np.corrcoef(live, at_once)[0, 1] > 0.95


def test_a_voice_without_phonemes_that_is_cut_closes_the_mouth_smoothly_and_the_next_one_is_heard_anew() -> None:
    playout = Playout(RATE)
    playout.append(1, "hm", SpeechChunk(voice(3.0), RATE, 0, (), (), final=True))
    listening = ears()
    mouth = PlayoutMouth(playout, listening, 0, frame=0.04)
    for at in np.arange(0.02, 0.5, 0.04):
        mouth.mouth(float(at))
    playout.take(RATE // 2)
    playout.pause(RATE // 2)
    playout.cut()
    before, after = openness(mouth.mouth(0.499)), openness(mouth.mouth(0.505))
    assert before > 0.1
    assert abs(before - after) < 0.1
    playout.append(2, "hm", SpeechChunk(np.zeros(RATE, np.float32), RATE, 0, (), (), final=True))
    anew = PlayoutMouth(playout, listening, RATE // 2, frame=0.04)
    assert openness(anew.mouth(0.9)) < 0.02
