from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.speech.recognition.decoding import (
    SPARE_TOKENS,
    Reading,
    Segment,
    is_loop,
    is_speech,
    read_segments,
    split_segments,
    token_budget,
)

EOT, STAMP = 1_000, 2_000


def stamp(seconds: float) -> int:
    return STAMP + round(seconds / 0.02)


def read(*parts: int | float | list[int], seconds: float, broken_off: bool = False, language: str = "en") -> Reading:
    """Read a decoder's output written as stamps in seconds and lists of text tokens."""
    tokens: list[int] = []
    for part in parts:
        tokens.extend(part if isinstance(part, list) else [stamp(part)])
    segments = split_segments(tokens, STAMP, EOT)
    return read_segments(segments, seconds, language, broken_off=broken_off)


ORDER = list(range(1, 9))


def test_segments_lie_between_stamps() -> None:
    tokens = [stamp(0), 1, 2, stamp(1.5), stamp(1.5), 3, EOT + 5, 4]
    assert split_segments(tokens, STAMP, EOT) == [Segment(0.0, 1.5, (1, 2)), Segment(1.5, None, (3, 4))]


def test_plain_speech_is_kept_whole() -> None:
    assert read(0, ORDER, 1.4, 1.8, [20, 21, 22], 2.5, seconds=2.6) == Reading((*ORDER, 20, 21, 22), 2.5, False, True)


def test_what_begins_after_the_speech_was_never_said() -> None:
    reading = read(0, ORDER, 2.56, 2.56, [1, 2, 3, 4], 3.56, seconds=2.57)
    assert reading == Reading(tuple(ORDER), 2.56, cut=True, finished=True)


def test_an_end_stamp_past_the_speech_ends_it() -> None:
    assert read(0, ORDER, 3.0, 3.0, [9], seconds=2.57).tokens == tuple(ORDER)


def test_a_sentence_begun_again_in_too_little_time_is_dropped() -> None:
    assert read(0, ORDER, 2.8, 2.8, [20, 21, 22, 23, 24], 3.8, 3.8, ORDER, seconds=4.09).tokens == (
        *ORDER,
        20,
        21,
        22,
        23,
        24,
    )


def test_a_repetition_the_speaker_had_time_for_is_kept() -> None:
    assert read(0, [5, 6], 1.0, 1.0, [5, 6], 2.0, seconds=2.0).tokens == (5, 6, 5, 6)


def test_more_tokens_than_anyone_can_say_are_dropped() -> None:
    assert read(0, [1, 2], 2.4, 2.4, list(range(30, 50)), seconds=2.7).tokens == (1, 2)


def test_a_word_spun_over_and_over_is_said_once() -> None:
    reading = read(0, [7, 8] * 9, seconds=0.9, broken_off=True)
    assert reading == Reading((7, 8), 0.9, cut=True, finished=True)


def test_a_word_spun_at_the_end_is_said_once() -> None:
    assert read(0, [6, 7, *[8, 9] * 12], seconds=2.0, broken_off=True).tokens == (6, 7, 8, 9)


def test_no_no_no_is_what_it_is() -> None:
    assert read(0, [7, 7, 7, 7], 1.2, seconds=1.2).tokens == (7, 7, 7, 7)


def test_a_decoder_that_ran_out_of_tokens_is_not_finished() -> None:
    assert not read(0, ORDER, seconds=2.0, broken_off=True).finished
    assert read(0, ORDER, seconds=2.0).finished


def test_nothing_is_read_of_nothing() -> None:
    assert read(seconds=1.0) == Reading((), 0.0, False, True)


def test_other_languages_may_use_more_tokens() -> None:
    many = list(range(100, 120))
    assert read(0, ORDER, 1.0, 1.0, many, 2.5, seconds=2.6, language="hi").tokens == (*ORDER, *many)
    assert token_budget(2.0, "hi") > token_budget(2.0, "en") > 2 * 6


@given(
    st.lists(st.one_of(st.integers(1, 9), st.integers(STAMP, STAMP + 200)), max_size=60),
    st.floats(0.1, 5.0),
    st.booleans(),
)
def test_what_is_kept_is_a_beginning_of_what_was_written(tokens: list[int], seconds: float, broken_off: bool) -> None:
    text = tuple(token for token in tokens if token < EOT)
    reading = read_segments(split_segments(tokens, STAMP, EOT), seconds, "en", broken_off=broken_off)
    assert reading.tokens == text[: len(reading.tokens)]
    assert not text or reading.tokens
    assert 0 <= reading.end <= seconds


def test_a_budget_grows_with_the_speech() -> None:
    assert token_budget(0.0, "en") == SPARE_TOKENS
    assert token_budget(3.0, "en") == 18 + SPARE_TOKENS


def test_loops_are_told_from_speech() -> None:
    assert is_loop("I'm going to go. " * 8, 48, 6.0, "en")
    assert not is_loop("I said the blue one, please. " * 8, 64, 20.0, "en")
    assert not is_loop("Could I book a table for two people tomorrow evening, by the window if any?", 18, 3.0, "en")
    assert not is_loop("No, no, no, no!", 8, 1.2, "en")


def test_speech_is_told_from_what_is_made_up_for_noise() -> None:
    assert is_speech(0.05, -0.4, 9, cut=False)
    assert is_speech(0.6, -1.2, 1, cut=False)
    assert is_speech(0.89, -0.6, 8, cut=False)
    assert is_speech(0.77, -0.33, 10, cut=True)
    assert not is_speech(0.9, -1.7, 1, cut=False)
    assert not is_speech(0.7, -1.8, 9, cut=False)
    assert not is_speech(0.85, -0.6, 3, cut=True)
