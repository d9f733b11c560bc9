from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.frames import Samples
from media.avatar.audio_visemes.features import BANDS, LogMel
from media.avatar.audio_visemes.network import (
    CONTEXT,
    FIGURES,
    WEIGHTS,
    AudioVisemes,
    AudioVisemeStream,
    packaged_network,
)
from media.avatar.errors import NetworkInvalid
from media.avatar.face import MouthShape
from media.avatar.visemes import openness


def voiced(seconds: float, *, first: float, second: float, pitch: float = 120.0) -> Samples:
    """A vowel of two formants."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    sound = np.zeros_like(t)
    for harmonic in range(1, 40):
        frequency = harmonic * pitch
        loud = sum(1 / (1 + ((frequency - formant) / 90) ** 2) for formant in (first, second))
        sound += loud * np.sin(2 * np.pi * frequency * t)
    return np.asarray(0.1 * sound / np.abs(sound).max(), np.float32)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3000), max_size=8))
def test_features_do_not_depend_on_how_the_sound_is_cut(cuts: list[int]) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 9000).astype(np.float32)
    whole = LogMel()
    expected = np.concatenate([whole.feed(sound), whole.finish()])
    mel, parts, position = LogMel(), [], 0
    for cut in [*cuts, 9000]:
        parts.append(mel.feed(sound[position : position + cut]))
        position += cut
    found = np.concatenate([*parts, mel.finish()])
    assert found.shape == expected.shape == (9000 // 160 + 1, BANDS)
    assert np.allclose(found, expected, atol=1e-4)


def test_the_packaged_weights_are_those_of_the_figures_and_small() -> None:
    figures = json.loads(FIGURES.read_text("utf-8"))
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == figures["sha256"]
    assert WEIGHTS.stat().st_size <= 1_000_000
    assert figures["unseen_sentences"]["openness_r"] > 0.5


def test_a_stream_gives_what_the_whole_recording_gives() -> None:
    network = packaged_network()
    sound = np.concatenate(
        [voiced(0.4, first=750, second=1200), np.zeros(4000, np.float32), voiced(0.3, first=300, second=2300)]
    )
    whole = AudioVisemeStream(network)
    expected = np.concatenate([whole.feed(sound), whole.finish()])
    stream = AudioVisemeStream(network)
    parts = [stream.feed(sound[k : k + 777]) for k in range(0, len(sound), 777)]
    found = np.concatenate([*parts, stream.finish()])
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-3)
    assert len(expected) == len(sound) // 160 + 1


def test_silence_and_faint_noise_leave_the_mouth_shut() -> None:
    noise = np.random.default_rng(1).normal(0, 3e-5, 16_000).astype(np.float32)
    for sound in (np.zeros(16_000, np.float32), noise):
        track = packaged_network().track(sound)
        assert max(openness(track.mouth(k / 100)) for k in range(100)) < 0.15  # hardly to be seen


def test_an_open_vowel_opens_the_mouth_further_than_a_close_one() -> None:
    def jaw(first: float, second: float) -> float:
        sound = np.concatenate(
            [np.zeros(3200, np.float32), voiced(0.5, first=first, second=second), np.zeros(3200, np.float32)]
        )
        return float(packaged_network().track(sound).mouth(0.45)[MouthShape.JAW])

    assert jaw(750, 1250) > jaw(290, 2300) + 0.1


def test_a_file_that_is_no_such_network_is_refused(tmp_path: object) -> None:
    with pytest.raises(NetworkInvalid, match="cannot be loaded"):
        AudioVisemes(FIGURES)


def test_the_network_needs_its_context_and_no_more() -> None:
    features = np.zeros((CONTEXT + 3, BANDS), np.float32)
    assert packaged_network().infer(features).shape == (3, 10)
