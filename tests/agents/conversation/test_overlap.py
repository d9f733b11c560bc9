"""What words over the agent mean, and when two texts say the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.conversation.overlap import (
    MOST_BACKCHANNEL_WORDS,
    Overlap,
    judge_overlap,
    may_become_backchannel,
)
from agents.conversation.policy import BACKCHANNELS, TurnPolicy
from agents.conversation.words import normalise_words

POLICY = TurnPolicy.from_options({"backchannel_log_probability": -1.0, "backchannel_longest": 0.75})
SURE, UNSURE = -0.2, -1.4


def verdict(text: str, log_probability: float = SURE, voiced: float = 0.5) -> Overlap:
    return judge_overlap(POLICY, text, log_probability, voiced)


@pytest.mark.parametrize("text", ["Uh-huh.", "uh huh", "UH-HUH!", "Mm-hmm.", "Right.", "Okay...", "I see.", "Got it!"])
def test_a_backchannel_is_one_however_it_is_spelt(text: str) -> None:
    assert verdict(text) is Overlap.BACKCHANNEL


@pytest.mark.parametrize("text", ["Yeah, yeah, yeah.", "Okay, I see.", "Oh, right, okay.", "Uh-huh, uh-huh."])
def test_backchannels_in_a_row_are_one(text: str) -> None:
    assert verdict(text) is Overlap.BACKCHANNEL


@pytest.mark.parametrize("text", ["No.", "Stop!", "Wait", "Okay, but wait", "right now", "I see the menu", "hello?"])
def test_other_words_interrupt_however_few_they_are(text: str) -> None:
    assert verdict(text) is Overlap.INTERRUPTION


@pytest.mark.parametrize("text", ["", " ", "...", "♪", "—"])
def test_a_sound_without_words_is_nothing(text: str) -> None:
    assert verdict(text) is Overlap.NOTHING


def test_a_short_sound_without_confidence_is_no_interruption_and_a_long_one_is() -> None:
    assert verdict("Thank you.", UNSURE, 0.75) is Overlap.BACKCHANNEL
    assert verdict("Thank you.", UNSURE, 0.76) is Overlap.INTERRUPTION
    assert verdict("Thank you.", SURE, 0.3) is Overlap.INTERRUPTION
    assert verdict("Thank you.", POLICY.backchannel_log_probability, 0.3) is Overlap.INTERRUPTION


def test_nobody_listens_with_that_many_words() -> None:
    assert verdict("yeah " * MOST_BACKCHANNEL_WORDS) is Overlap.BACKCHANNEL
    assert verdict("yeah " * (MOST_BACKCHANNEL_WORDS + 1)) is Overlap.INTERRUPTION


def test_an_agents_own_backchannels_are_understood_however_they_are_written() -> None:
    policy = TurnPolicy.from_options({"backchannels": ["That's right!", "Ja-ja", "  ", "Hm-HM"]})
    for text in ("that's right", "Thats right.", "That’s right", "ja, ja", "hm hm"):
        assert judge_overlap(policy, text, SURE, 0.5) is Overlap.BACKCHANNEL
    assert judge_overlap(policy, "yeah", SURE, 0.5) is Overlap.INTERRUPTION
    assert "" not in policy.backchannels


def test_every_backchannel_of_the_list_is_found_in_it() -> None:
    assert {phrase for phrase in BACKCHANNELS if normalise_words(phrase) != phrase} == set()


@pytest.mark.parametrize("text", ["", "I", "okay, I", "all", "yeah", "mm", "Of", "Alri"])
def test_what_is_not_at_its_end_may_become_a_backchannel(text: str) -> None:
    assert may_become_backchannel(POLICY, text)


@pytest.mark.parametrize("text", ["stop", "okay but", "I need", "wait", "no"])
def test_what_no_backchannel_begins_with_will_not(text: str) -> None:
    assert not may_become_backchannel(POLICY, text)


@given(st.sampled_from(sorted(BACKCHANNELS)), st.integers(0, 20))
def test_every_beginning_of_a_backchannel_may_become_one(phrase: str, length: int) -> None:
    assert may_become_backchannel(POLICY, phrase[:length])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What time do you close?", "what time, do you close"),
        ("don't", "don’t"),
        ("Uh-huh", "uh huh"),
        ("A  b\n c", "a b c"),
        ("Straße", "STRASSE"),
        ("cafe\u0301", "Café"),
        ("“Yes,” she said…", "yes she said"),
    ],
)
def test_texts_that_say_the_same_words_are_equal(one: str, other: str) -> None:
    assert normalise_words(one) == normalise_words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("15", "15%"),
        ("$5", "5"),
        ("3.5", "3 5"),
        ("7:30", "730"),
        ("tom@example", "tom example"),
        ("कि", "की"),
        ("ที่", "ที"),
        ("resume", "résumé"),
        ("I am", "am I"),
    ],
)
def test_texts_that_say_other_words_are_not(one: str, other: str) -> None:
    assert normalise_words(one) != normalise_words(other)


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise_words(text)
    assert normalise_words(once) == once
    assert once == " ".join(once.split())


@given(st.lists(st.sampled_from(["what", "time", "do", "5", "you're"])), st.lists(st.sampled_from(",.!? …—")))
def test_punctuation_between_words_never_matters(words: list[str], marks: list[str]) -> None:
    spoken = "".join(f"{mark} {word}" for mark, word in zip(marks + [""] * len(words), words, strict=False))
    assert normalise_words(spoken) == normalise_words(" ".join(words))


@pytest.mark.parametrize("text", ["Stop!", "No, no.", "Hold on.", "Wait."])
def test_a_word_that_takes_the_floor_does_so_however_unsure_it_is(text: str) -> None:
    assert verdict(text, UNSURE, 0.3) is Overlap.INTERRUPTION


@pytest.mark.parametrize(
    "text", ["Hello?", "Hi.", "Yes?", "Yeah, hello?", "Speaking.", "Good morning!", "Hello, good evening.", "Pronto?"]
)
def test_what_one_says_on_picking_up_is_a_backchannel_only_while_the_call_is_being_answered(text: str) -> None:
    assert judge_overlap(POLICY, text, SURE, 0.8, answering=True) is Overlap.BACKCHANNEL
    if normalise_words(text) not in BACKCHANNELS:
        assert verdict(text) is Overlap.INTERRUPTION


@pytest.mark.parametrize("text", ["Who is this?", "Hello, no thank you.", "Stop.", "Yes, I want to order.", "Not now."])
def test_other_words_interrupt_an_opening_as_well(text: str) -> None:
    assert judge_overlap(POLICY, text, SURE, 0.8, answering=True) is Overlap.INTERRUPTION


def test_a_greeting_that_goes_on_may_become_one() -> None:
    assert may_become_backchannel(POLICY, "Hello, good", answering=True)
    assert not may_become_backchannel(POLICY, "Hello, good")
