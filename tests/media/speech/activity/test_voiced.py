"""How much voice there has been since a moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.frames import SPEECH_RATE
from media.speech.activity.voiced import VoicedTime
from media.speech.activity.windows import WINDOW, ActivityWindow

KEPT = 40
SECONDS = WINDOW / SPEECH_RATE
probabilities = st.lists(st.floats(0.0, 1.0), max_size=100)


def heard(likely: list[float]) -> VoicedTime:
    voiced = VoicedTime(KEPT * WINDOW)
    for number, probability in enumerate(likely):
        voiced.add(ActivityWindow(number * WINDOW, probability, (0.0,) * 4))
    return voiced


@given(likely=probabilities)
def test_the_voice_is_as_long_as_its_windows_are_likely(likely: list[float]) -> None:
    assert heard(likely).total == pytest.approx(SECONDS * sum(likely))


@given(likely=probabilities, start=st.integers(-1000, 110 * WINDOW))
def test_what_was_before_a_moment_is_what_the_windows_before_it_had(likely: list[float], start: int) -> None:
    first = max(-(-start // WINDOW), len(likely) - KEPT, 0)
    assert heard(likely).before(start) == pytest.approx(SECONDS * sum(likely[:first]))
