"""Words spread over the voice they were said in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.speech.recognition.spreading import spread_words


def test_words_take_their_share_of_the_voice_by_their_length() -> None:
    placed = spread_words("a bcd e", [(10.0, 12.0)])
    assert [(word.text, word.start, word.end) for word in placed] == [
        ("a", 10.0, 10.5),
        ("bcd", 10.5, 11.5),
        ("e", 11.5, 12.0),
    ]


def test_a_pause_is_between_words_and_in_none() -> None:
    placed = spread_words("one two", [(10.0, 11.0), (13.0, 14.0)])
    assert [(word.start, word.end) for word in placed] == [(10.0, 11.0), (13.0, 14.0)]


def test_a_hypothesis_tells_which_words_had_been_said_by_then() -> None:
    slow = spread_words("well I think so", [(0.0, 4.0)], [(3.0, "Well,")])
    even = spread_words("well I think so", [(0.0, 4.0)])
    assert slow[0].end == pytest.approx(2.5) and even[0].end == pytest.approx(1.25)
    assert slow[-1].end == even[-1].end == 4.0


@pytest.mark.parametrize(
    "hypotheses",
    [
        [(3.0, "something else")],
        [(9.0, "well I")],
        [(-1.0, "well I")],
        [(3.0, "well I think so")],
        [(3.0, "")],
    ],
)
def test_hypotheses_that_tell_nothing_change_nothing(hypotheses: list[tuple[float, str]]) -> None:
    assert spread_words("well I think so", [(0.0, 4.0)], hypotheses) == spread_words("well I think so", [(0.0, 4.0)])


@pytest.mark.parametrize(
    ("text", "stretches"), [("", [(0.0, 1.0)]), ("  ", [(0.0, 1.0)]), ("word", []), ("word", [(1.0, 1.0)])]
)
def test_without_words_or_voice_there_is_nothing_to_place(text: str, stretches: list[tuple[float, float]]) -> None:
    assert spread_words(text, stretches) == ()


TEXTS = st.lists(st.sampled_from(["I", "would", "like", "a", "table,", "please."]), min_size=1, max_size=12).map(
    " ".join
)


@st.composite
def voices(draw: st.DrawFn) -> list[tuple[float, float]]:
    at, stretches = draw(st.floats(0, 50)), []
    for _ in range(draw(st.integers(1, 4))):
        length, gap = draw(st.floats(0.05, 4)), draw(st.floats(0, 3))
        stretches.append((at, at + length))
        at += length + gap
    return stretches


@given(TEXTS, voices(), st.lists(st.tuples(st.floats(0, 80), TEXTS), max_size=5))
def test_words_keep_their_order_and_lie_in_the_voice(
    text: str, stretches: list[tuple[float, float]], hypotheses: list[tuple[float, str]]
) -> None:
    placed = spread_words(text, stretches, [*hypotheses, (stretches[0][0] + 0.5, " ".join(text.split()[:2]))])
    assert [word.text for word in placed] == text.split()
    times = [time for word in placed for time in (word.start, word.end)]
    assert all(begin <= end + 1e-9 for begin, end in pairwise(times))
    assert stretches[0][0] - 1e-9 <= times[0] and times[-1] <= stretches[-1][1] + 1e-9
    for time in times:
        assert any(begin - 1e-6 <= time <= end + 1e-6 for begin, end in stretches)
