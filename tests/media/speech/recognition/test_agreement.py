from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.speech.recognition.agreement import LocalAgreement, normalise_word


def test_nothing_is_stable_after_one_hypothesis() -> None:
    assert LocalAgreement().update("I would like") == ""


def test_what_two_hypotheses_agree_on_is_stable() -> None:
    agreement = LocalAgreement()
    agreement.update("I would like a cable")
    assert agreement.update("I would like a table for two") == "I would like a"


def test_case_and_punctuation_do_not_matter() -> None:
    agreement = LocalAgreement()
    agreement.update("Hi there.")
    assert agreement.update("hi there, what time") == "hi there,"


def test_what_is_stable_stays() -> None:
    agreement = LocalAgreement()
    agreement.update("book a table")
    agreement.update("book a table for")
    agreement.update("look at")
    assert agreement.stable == "book a table"
    assert agreement.update("look at table for two") == "book a table"


def test_a_new_utterance_begins_with_nothing() -> None:
    agreement = LocalAgreement()
    agreement.update("yes")
    agreement.update("yes")
    agreement.reset()
    assert agreement.stable == ""
    assert agreement.update("yes") == ""


def test_words_are_compared_without_case_and_marks() -> None:
    assert normalise_word("«Wait!»") == "wait"
    assert normalise_word("don’t") == normalise_word("Don't,") == "don't"
    assert normalise_word("—") == ""


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "D.", "d"]), max_size=6).map(" ".join), max_size=12))
def test_stable_words_only_grow(texts: list[str]) -> None:
    agreement = LocalAgreement()
    before = ""
    for text in texts:
        stable = agreement.update(text)
        assert stable.startswith(before)
        before = stable
