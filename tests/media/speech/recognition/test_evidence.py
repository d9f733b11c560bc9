"""Which words are believed of how much voice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.speech.recognition.evidence import can_be_said

voices = st.floats(0.0, 60.0)
likelihoods = st.floats(-5.0, 0.0)


@pytest.mark.parametrize(
    ("text", "log_probability", "voice"),
    [
        ("Could I book a table for two people tomorrow evening?", -0.3, 1.88),
        ("Please send the confirmation to my email address.", -0.4, 1.68),
        ("Stop!", -1.03, 0.19),
        ("No", -0.73, 0.19),
        ("Thanks", -0.56, 0.22),
        ("1,4,10,114", -0.28, 0.6),
        ("Uh-huh.", -1.39, 0.26),
        ("B.", -0.8, 0.3),
        ("B, as in Bertha.", -0.8, 0.9),
        ("5-5-5.", -0.5, 1.2),
        ("No, no.", -0.7, 0.4),
    ],
)
def test_what_people_say_is_believed(text: str, log_probability: float, voice: float) -> None:
    assert can_be_said(text, log_probability, voice)


@pytest.mark.parametrize(
    ("text", "log_probability", "voice"),
    [
        ("I'm not sure if I can do it.", -1.17, 0.12),
        ("I'm not sure if I can get the car out of the way.", -1.14, 0.15),
        ("I'm not a fan of the music, I'm not a fan of the music", -1.04, 0.20),
        ("I'm not a bad guy.", -0.96, 0.10),
        ("B-B-B-B", -0.97, 0.50),
        ("B-b.", -0.97, 0.50),
        ("Oh", -1.06, 0.10),
        ("I", -1.87, 0.14),
        ("Hello", -0.3, 0.0),
    ],
)
def test_what_was_written_for_a_thump_or_a_chord_is_not(text: str, log_probability: float, voice: float) -> None:
    assert not can_be_said(text, log_probability, voice)


@given(text=st.text(max_size=200), log_probability=likelihoods, voice=voices, more=voices)
def test_more_voice_never_makes_words_less_believable(
    text: str, log_probability: float, voice: float, more: float
) -> None:
    assert can_be_said(text, log_probability, voice + more) or not can_be_said(text, log_probability, voice)


@given(text=st.text(max_size=200), voice=st.floats(9.0, 60.0), log_probability=likelihoods)
def test_after_a_long_voice_anything_that_fits_is_believed(text: str, voice: float, log_probability: float) -> None:
    assert can_be_said(f"So, {text}", log_probability, voice)
