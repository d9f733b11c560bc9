from __future__ import annotations

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given
from hypothesis import strategies as st

from media.speech.log_mel import FFT, log_mel
from media.speech.turn_end.smart_turn import HEARD, turn_features


@pytest.mark.parametrize("bands", [80, 128])
@given(st.integers(FFT, 8_000), st.integers(0, 5))
def test_the_numbers_are_whispers(bands: int, length: int, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)
    # The reference drops its last frame, of which there is one more when the length is no whole number of hops.
    reference = FeatureExtractor(feature_size=bands)(samples, padding=0)
    ours = log_mel(samples, bands)
    assert ours.dtype == np.float32
    assert ours.shape == (bands, length // 160)
    assert np.abs(ours - reference[:, : ours.shape[1]]).max() < 1e-4


def test_silence_has_a_spectrogram_too() -> None:
    assert np.isfinite(log_mel(np.zeros(16_000, np.float32))).all()


def test_too_little_audio_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 400 samples, not 399"):
        log_mel(np.zeros(399, np.float32))


def test_the_turn_detector_reads_the_newest_eight_seconds() -> None:
    rng = np.random.default_rng(0)
    newest = rng.normal(0, 0.1, HEARD).astype(np.float32)
    older = np.concatenate([rng.normal(0, 0.5, 5_000).astype(np.float32), newest])
    assert turn_features(newest).shape == (80, 800)
    assert np.array_equal(turn_features(older), turn_features(newest))


def test_short_speech_stands_at_the_end_of_the_eight_seconds() -> None:
    features = turn_features(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32))
    assert features[:, :690].max() < features[:, 705:].min()


def test_how_loud_a_turn_is_does_not_matter() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    assert np.abs(turn_features(samples) - turn_features(samples * 0.2)).max() < 1e-3
