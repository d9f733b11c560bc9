"""Card numbers are taken out of what was said, and other numbers are left."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.session.services import TurnRecord
from media.speech.protocols import TimedWord
from server.redaction import REDACTED, passes_luhn, redact, redact_turn, redact_words

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
VISA = "4242 4242 4242 4242"


@pytest.mark.parametrize(
    "card",
    [
        "4242424242424242",
        VISA,
        "4242-4242-4242-4242",
        "4242, 4242, 4242, 4242",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "4-2-4-2-4-2-4-2-4-2-4-2-4-2-4-2",
        "3782 822463 10005",
        "5555 5555 5555 4444",
        "6011 1111 1111 1117",
        "3056 9309 0259 04",
        "4222222222222",
        "6304 0000 0000 0000 000",
        "four two four two four two four two four two four two four two four two",
        "Four two four two, um, four two four two, four two four two, four two four two",
        "forty two forty-two forty two forty-two forty two forty two forty two forty two",
        "double five double five double five double five double five double five double four double four",
        "triple five five triple five five triple five five double 4 4 4",
        "four 2 four 2 4242 4242 42 42",
        "vier zwei vier zwei vier zwei vier zwei vier zwei vier zwei vier zwei vier zwei",
    ],
)
def test_a_card_number_goes_however_it_is_said(card: str) -> None:
    assert redact(card) == REDACTED
    assert redact(f"My card is {card}. Thank you.") == f"My card is {REDACTED}. Thank you."
    assert redact(f"[keys pressed: {card}]") == f"[keys pressed: {REDACTED}]"


@pytest.mark.parametrize("rest", [" 12 27 123", ", 12/27, 123", " twelve twenty seven one two three"])
def test_what_is_said_behind_the_number_in_the_same_breath_goes_with_it(rest: str) -> None:
    assert redact(f"It is {VISA}{rest}, Ada Lovelace") == f"It is {REDACTED}, Ada Lovelace"


def test_digits_before_the_number_do_not_hide_it() -> None:
    assert "4242" not in redact(f"Order 17 9 {VISA}")
    digits = " ".join("179" + VISA.replace(" ", ""))
    assert not re.search(r"4 2 4 2", redact(digits))


def test_two_numbers_in_one_text_both_go() -> None:
    assert redact(f"{VISA} or, no, 5555 5555 5555 4444") == f"{REDACTED} or, no, {REDACTED}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Call me at +1 415 555 0142.",
        "My number is 0039 06 1234 5678.",
        "four one five five five five oh one four two",
        "On the 12th of May 2026 at 19:30, or 13.05.2026 at 20:00.",
        "4242 4242 4242 4241",
        "The order is 1234567890123456.",
        "Order one two three four five six seven eight nine oh one two three four five six",
        "It costs 4,200 and 42 cents; in 2024 it was 4,100.",
        "two tables for four at six and one for five at seven",
        "IBAN DE89 3704 0044 0532 0130 01",
        "4242 4242 and then, later, 4242 4242",
        "+4915112345678",
        "plus four nine one five one one two three four five six seven eight",
        "0000 0000 0000 0000",
    ],
)
def test_other_numbers_are_left(text: str) -> None:
    assert redact(text) == text


def with_check_digit(digits: str) -> str:
    return next(f"{digits}{last}" for last in "0123456789" if passes_luhn(f"{digits}{last}"))


cards = st.from_regex(r"[1-9][0-9]{11,17}", fullmatch=True).map(with_check_digit)


@given(cards, st.lists(st.sampled_from(["", " ", "-", ", ", " - "]), min_size=19, max_size=19), st.booleans())
def test_every_number_that_passes_the_check_goes_in_any_grouping(card: str, gaps: list[str], spoken: bool) -> None:
    signs = [NAMES[int(digit)] for digit in card] if spoken else list(card)
    gaps = [gap or " " for gap in gaps] if spoken else gaps
    said = "".join(f"{sign}{gap}" for sign, gap in zip(signs, gaps, strict=False)).rstrip(" -,")
    assert redact(f"Here: {said}. Done") == f"Here: {REDACTED}. Done"


@given(st.text(alphabet="0123456789", min_size=13, max_size=19))
def test_a_number_that_fails_the_check_is_left(digits: str) -> None:
    assume(not passes_luhn(digits))
    assert redact(f"Order {digits}, please") == f"Order {digits}, please"


@given(st.text(max_size=200))
def test_a_text_without_thirteen_digits_is_left_and_nothing_is_redacted_twice(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(st.lists(st.sampled_from(["we", "are", "four", "2", "1977,", "open", "at", "noon", "+39", "06"]), max_size=6))
def test_few_digits_are_left(words: list[str]) -> None:
    text = " ".join(words)
    assume(sum(map(str.isdigit, text)) + text.count("four") < 13)
    assert redact(text) == text


def test_words_that_say_the_number_become_one_that_lasts_as_long() -> None:
    said = ["It", "is", *("four two " * 8).split(), "okay?"]
    words = [TimedWord(word, float(place), place + 0.5) for place, word in enumerate(said)]
    assert redact_words(words) == (
        TimedWord("It", 0.0, 0.5),
        TimedWord("is", 1.0, 1.5),
        TimedWord(REDACTED, 2.0, 17.5),
        TimedWord("okay?", 18.0, 18.5),
    )
    assert redact_words(words[:10]) == tuple(words[:10])
    assert redact_words([TimedWord("4242424242424242.", 0.0, 4.0)]) == (TimedWord(REDACTED, 0.0, 4.0),)


def test_a_turn_keeps_everything_but_the_number() -> None:
    word = TimedWord("4242424242424242", 1.0, 2.0)
    record = TurnRecord(3, f"It is {VISA}", f"{VISA}, right?", f"{VISA}", model="m", prompt_tokens=5)
    record.caller_words = record.agent_words = (word,)
    redacted = redact_turn(record)
    assert (redacted.transcript, redacted.answer, redacted.heard) == (
        f"It is {REDACTED}",
        f"{REDACTED}, right?",
        REDACTED,
    )
    assert redacted.caller_words == redacted.agent_words == (TimedWord(REDACTED, 1.0, 2.0),)
    assert (redacted.turn_id, redacted.model, redacted.prompt_tokens) == (3, "m", 5)
    assert redacted.timeline is record.timeline
    assert record.transcript == f"It is {VISA}"
