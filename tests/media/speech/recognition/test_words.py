from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.speech.protocols import RecognisedWord
from media.speech.recognition.words import place_words


def test_words_begin_where_attention_first_reaches_them() -> None:
    path = [(0, 0), (0, 10), (1, 20), (1, 30), (2, 40), (3, 60)]
    words = place_words([" Good", " evening"], [1, 2], path, [0.9, 0.75, 0.25], seconds=2.0)
    assert words == (
        RecognisedWord("Good", 0.0, 0.4, 0.9),
        RecognisedWord("evening", 0.4, 1.2, 0.5),
    )


def test_punctuation_belongs_to_the_word_before() -> None:
    path = [(0, 0), (1, 50), (2, 60)]
    words = place_words([" Yes", "!"], [1, 1], path, [0.9, 0.1], seconds=2.0)
    assert words == (RecognisedWord("Yes!", 0.0, 1.0, 0.9),)


def test_words_past_the_path_end_with_the_audio() -> None:
    words = place_words([" a", " b"], [1, 1], [(0, 0), (1, 10)], [0.5, 0.5], seconds=1.0)
    assert [(word.start, word.end) for word in words] == [(0.0, 0.2), (0.2, 1.0)]


def test_no_words_have_no_times() -> None:
    assert place_words([], [], [], [], seconds=1.0) == ()


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=4), st.integers(1, 3)), max_size=8),
    st.lists(st.tuples(st.integers(0, 25), st.integers(0, 200)), max_size=40),
)
def test_times_are_in_order_and_within_the_audio(parts: list[tuple[str, int]], path: list[tuple[int, int]]) -> None:
    words = place_words([text for text, _ in parts], [size for _, size in parts], path, [0.5] * 30, seconds=3.0)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(0 <= time <= 3 for time in times)
