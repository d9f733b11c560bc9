from __future__ import annotations

import numpy as np
import pytest

from media.audio.frames import SPEECH_RATE, Samples
from media.speech.recognition.unheard import unheard


def line(*runs: tuple[float, float], noise: float = 3e-4) -> Samples:
    """Runs of (seconds, amplitude) of a buzz on a line with some noise."""
    rng = np.random.default_rng(0)
    parts = [amplitude * np.sign(np.sin(np.arange(int(seconds * SPEECH_RATE)) / 9)) for seconds, amplitude in runs]
    buzz = np.concatenate(parts)
    return (buzz + rng.normal(0, noise, len(buzz))).astype(np.float32)


@pytest.mark.parametrize("noise", [3e-4, 0.01])
def test_speech_after_a_pause_that_ended_the_text_is_found(noise: float) -> None:
    samples = line((1.5, 0.1), (1.0, 0.0), (1.2, 0.1), (0.2, 0.0), noise=noise)
    found = unheard(samples, 1.6)
    assert found is not None
    assert abs(found / SPEECH_RATE - 2.3) < 0.05


@pytest.mark.parametrize("noise", [0.0, 3e-4, 0.01])
def test_silence_after_the_text_is_no_speech(noise: float) -> None:
    assert unheard(line((1.5, 0.1), (3.0, 0.0), noise=noise), 1.5) is None


def test_the_end_of_the_last_word_is_not_worth_a_second_look() -> None:
    assert unheard(line((2.0, 0.1), (0.3, 0.0)), 1.4) is None


def test_text_that_reaches_the_end_leaves_nothing() -> None:
    assert unheard(line((3.0, 0.1)), 3.0) is None


@pytest.mark.parametrize("length", [0, 1, 500])
def test_hardly_any_audio_leaves_nothing(length: int) -> None:
    assert unheard(np.zeros(length, np.float32), 0.0) is None
