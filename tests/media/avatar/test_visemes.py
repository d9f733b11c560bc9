from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.avatar.face import MOUTH_SHAPES, MouthShape, mouth
from media.avatar.visemes import PhonemeTrack, SampledTrack, openness
from media.speech.protocols import SpokenPhoneme

MAMA = [("m", 0.10, 0.16), ("ɑː", 0.16, 0.34), ("m", 0.34, 0.40), ("ə", 0.40, 0.52)]


def track(*phonemes: tuple[str, float, float], frame: float = 0.04) -> PhonemeTrack:
    made = PhonemeTrack(frame=frame)
    for phoneme in phonemes:
        made.add(*phoneme)
    return made


def test_the_mouth_rests_before_and_after_speech() -> None:
    mama = track(*MAMA)
    assert openness(mama.mouth(-0.5)) < 0.01
    assert openness(mama.mouth(1.2)) < 0.01
    assert not PhonemeTrack().mouth(0.0).any()


def test_an_open_vowel_opens_the_mouth_and_a_close_one_less() -> None:
    assert openness(track(("ɑː", 0.1, 0.4)).mouth(0.25)) > 2 * openness(track(("iː", 0.1, 0.4)).mouth(0.25))


def test_rounding_begins_before_the_rounded_vowel() -> None:
    spoken = track(("t", 0.10, 0.20), ("uː", 0.20, 0.40))
    assert spoken.mouth(0.16)[MouthShape.ROUND] > 0.1


@given(
    start=st.floats(0.0, 0.04),
    length=st.floats(0.02, 0.12),
    sound=st.sampled_from("pbm"),
    before=st.sampled_from(["ɑ", "æ", "s", "o"]),
    after=st.sampled_from(["ɑ", "aɪ", "l", "ʃ"]),
    rate=st.sampled_from([25.0, 30.0, 12.5]),
)
def test_p_b_and_m_shut_the_lips_on_at_least_one_frame_whatever_stands_around(
    start: float, length: float, sound: str, before: str, after: str, rate: float
) -> None:
    first = 0.3 + start
    spoken = track(
        (before, 0.1, first),
        (sound, first, first + length),
        (after, first + length, first + length + 0.2),
        frame=1 / rate,
    )
    frames = (np.arange(int(1.0 * rate)) + 0.5) / rate
    near = [t for t in frames if first - 1 / rate <= t <= first + length + 1 / rate]
    assert min(openness(spoken.mouth(t)) for t in near) < 0.01


def test_a_short_gap_between_sounds_is_no_pause() -> None:
    joined = track(("ɑː", 0.1, 0.3), ("ɑː", 0.34, 0.5))
    parted = track(("ɑː", 0.1, 0.3), ("ɑː", 0.7, 0.9))
    assert openness(joined.mouth(0.32)) > 0.8 * openness(joined.mouth(0.2))
    assert openness(parted.mouth(0.5)) < 0.2


def test_a_track_that_grows_gives_what_a_whole_one_gives() -> None:
    whole, grown = track(*MAMA), PhonemeTrack()
    spoken = [SpokenPhoneme(p, round(a * 22050), round(b * 22050)) for p, a, b in MAMA]
    grown.extend(spoken[:2], 22050)
    early = grown.mouth(0.05)
    grown.extend(spoken[2:], 22050)
    assert np.allclose(grown.mouth(0.45), whole.mouth(0.45), atol=1e-3)
    assert np.allclose(early, whole.mouth(0.05), atol=1e-2)
    assert grown.end == pytest.approx(0.52, abs=1e-3)


def test_diphthongs_and_affricates_in_one_string_share_their_time() -> None:
    spoken = track(("aɪ", 0.1, 0.4))
    assert openness(spoken.mouth(0.16)) > openness(spoken.mouth(0.36))


def test_what_is_no_sound_is_ignored() -> None:
    assert track(("ˈ", 0.1, 0.2), ("_", 0.2, 0.3), ("", 0.3, 0.4)).end == 0.0


@given(st.lists(st.tuples(st.sampled_from("pɑiːsuvθ w"), st.floats(0.01, 0.3)), max_size=12), st.floats(-1, 4))
def test_any_track_gives_finite_weights_at_any_time(sounds: list[tuple[str, float]], at: float) -> None:
    spoken, position = PhonemeTrack(), 0.0
    for sound, length in sounds:
        spoken.add(sound, position, position + length)
        position += length
    weights = spoken.mouth(at)
    assert weights.shape == (MOUTH_SHAPES,)
    assert np.isfinite(weights).all()
    assert 0.0 <= spoken.emphasis(at) <= 1.0


def test_long_vowels_are_emphasised() -> None:
    spoken = track(("t", 0.0, 0.1), ("ɑː", 0.1, 0.35), ("t", 0.35, 0.4), ("ə", 1.4, 1.45))
    assert spoken.emphasis(0.22) > 0.9
    assert spoken.emphasis(1.42) < 0.01


def test_a_sampled_track_is_linear_between_steps_and_rests_outside() -> None:
    steps = np.stack([mouth(), mouth(jaw=0.4), mouth(jaw=0.8)])
    sampled = SampledTrack(steps, 100, emphasis=np.array([0, 0.5, 1], np.float32))
    assert sampled.mouth(0.015)[MouthShape.JAW] == pytest.approx(0.6)
    assert not sampled.mouth(5.0).any()
    assert not sampled.mouth(-1.0).any()
    assert sampled.emphasis(0.01) == 0.5
    assert sampled.emphasis(9.0) == 0.0
