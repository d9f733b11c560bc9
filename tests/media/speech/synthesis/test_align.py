"""Which phonemes belong to which word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.speech.synthesis.g2p.align import LINK, split_words


@pytest.mark.parametrize(
    ("clause", "alone", "expected"),
    [
        ("həlˈoʊ wˈɜːld", ["həlˈoʊ", "wˈɜːld"], ["həlˈoʊ", "wˈɜːld"]),
        # words with weak forms
        ("tə ɐ fɚ", ["tuː", "ˈeɪ", "fɔːɹ"], ["tə", "ɐ", "fɚ"]),
        # words that espeak joins
        ("stˈeɪt ʌvðɪ ˈɑːɹt", ["stˈeɪt", "ʌv", "ðə", "ˈɑːɹt"], ["stˈeɪt", "ʌv" + LINK, "ðɪ", "ˈɑːɹt"]),
        ("aɪɐm ɡˌoʊɪŋ", ["ˈaɪ", "æm", "ɡˈoʊɪŋ"], ["aɪ" + LINK, "ɐm", "ɡˌoʊɪŋ"]),
        ("təbi ɪnðə", ["tuː", "biː", "ɪn", "ðə"], ["tə" + LINK, "bi", "ɪn" + LINK, "ðə"]),
        # words that espeak says as two
        ("wɪððɪ ˈaɪ fˈoʊn ʌvðə", ["wɪð", "ðə", "ˈaɪ fˈoʊn", "ʌv", "ðə"], None),
        ("", ["", ""], ["", ""]),
        ("ˈɛs", ["", "ˈɛs"], None),
    ],
)
def test_phonemes_are_shared_among_the_words(clause: str, alone: list[str], expected: list[str] | None) -> None:
    parts = split_words(clause, alone)
    assert "".join(parts).replace(LINK, "") == clause.replace(" ", "")
    assert len(parts) == len(alone)
    if expected is not None:
        assert parts == expected


def test_a_word_said_as_two_gets_both() -> None:
    parts = split_words("wɪððɪ ˈaɪ fˈoʊn ʌvðə", ["wɪð", "ðə", "ˈaɪ fˈoʊn", "ʌv", "ðə"])
    assert parts == ["wɪð" + LINK, "ðɪ", "ˈaɪfˈoʊn", "ʌv" + LINK, "ðə"]


PHONEMES = st.text("ðəaɪstˈːmnkʊ", max_size=8)


@given(st.lists(PHONEMES, max_size=8).map(" ".join), st.lists(PHONEMES, min_size=1, max_size=8))
def test_nothing_is_lost_or_invented(clause: str, alone: list[str]) -> None:
    parts = split_words(clause, alone)
    assert len(parts) == len(alone)
    assert "".join(parts).replace(LINK, "") == clause.replace(" ", "")
