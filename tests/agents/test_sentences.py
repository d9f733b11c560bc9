"""The splitter of a token stream into pieces to speak."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sentences import HARD_CHARACTERS, SentenceSplitter, speakable


def split(*tokens: str) -> list[str]:
    splitter = SentenceSplitter()
    pieces = [piece for token in tokens for piece in splitter.feed(token)]
    return pieces + splitter.finish()


def stripped(text: str) -> list[str]:
    return [piece.strip() for piece in split(text)]


def test_the_first_clause_is_out_with_the_space_after_its_comma() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("Booking 4821 is on my screen,") == []
    assert splitter.feed(" ") == ["Booking 4821 is on my screen,"]


def test_the_first_clause_is_out_with_the_token_after_its_comma() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("Booking 4821 is on my screen,") == []
    assert splitter.feed(" and") == ["Booking 4821 is on my screen,"]


def test_a_short_first_sentence_is_spoken_at_once() -> None:
    assert stripped("Sure! We have a table by the window, and one outside.")[0] == "Sure!"


def test_a_short_first_clause_waits_for_more() -> None:
    assert stripped("Yes, we do have one of those, if you like.")[0] == "Yes, we do have one of those,"


def test_later_pieces_are_whole_sentences() -> None:
    text = (
        "We are open from eleven in the morning. On Sundays, which are quiet, we close at nine in the evening. "
        "Is there anything else, perhaps, that I can do?"
    )
    assert stripped(text) == [
        "We are open from eleven in the morning.",
        "On Sundays, which are quiet, we close at nine in the evening.",
        "Is there anything else, perhaps, that I can do?",
    ]


def test_a_long_clause_without_a_comma_ends_before_a_conjunction() -> None:
    text = "We are open from eleven in the morning until ten at night and we serve lunch until three"
    assert stripped(text) == [
        "We are open from eleven in the morning until ten at night",
        "and we serve lunch until three",
    ]


def test_a_very_long_sentence_is_cut_at_a_clause() -> None:
    clause = "this is one of the many clauses that it has, "
    pieces = split("We begin with a sentence of middling length. " + "And " + clause * 12 + "at last.")
    assert len(pieces) > 3
    assert all(piece.strip().endswith((",", ".")) for piece in pieces)
    assert all(len(piece) < 260 for piece in pieces)


@pytest.mark.parametrize(
    "whole",
    [
        "It costs 3.50 euros in all.",
        "The train leaves at 10:30 sharp today.",
        "That makes 1,250,000 people in the town.",
        "You can call 555, 0142 at any time.",
        "Please ask Dr. Miller about it today.",
        "Come at 7 p.m. tomorrow if you like.",
        "We are at St. Mary's near Mt. Etna now.",
        "Write to anna.miller@example.com today please.",
        "See https://example.com/a,b?c=d.e for the menu.",
        "It is on [our menu, as you know. Really](https://example.com/menu) today.",
        "There are cheaper ones, e.g. the house wine.",
        "The J. Smith table is yours.",
        "We serve dinner (soup, pasta. And fish) all day.",
        "It is between 10 - 12 euros a head.",
    ],
)
def test_what_belongs_together_is_not_cut(whole: str) -> None:
    cuts = stripped(whole + " Then we go on and on.")
    joined = whole.partition(", e.g.")[0] + "," if ", e.g." in whole else whole
    assert cuts[0] == joined


def test_an_abbreviation_before_a_capital_ends_the_sentence() -> None:
    assert stripped("We close at 10 p.m. See you then!") == ["We close at 10 p.m.", "See you then!"]


def test_quotes_and_brackets_close_with_their_sentence() -> None:
    assert stripped('She said "we are open today." (And we are.) Come!') == [
        'She said "we are open today."',
        "(And we are.)",
        "Come!",
    ]


def test_an_ellipsis_before_a_small_letter_is_no_sentence_end() -> None:
    assert stripped("Hm... let me see. One moment...")[0] == "Hm... let me see."


def test_a_numbered_list_is_cut_at_its_lines() -> None:
    assert stripped("1. Pasta with basil\n2. Pizza\n- Wine") == ["1. Pasta with basil", "2. Pizza", "- Wine"]


def test_chinese_needs_no_spaces() -> None:
    assert split("您好。请问您要几点的位子？好") == ["您好。", "请问您要几点的位子？", "好"]


def test_a_word_without_end_is_given_out_whole_and_soon() -> None:
    began = time.process_time()
    assert split("a" * 20_000) == ["a" * 20_000]
    assert time.process_time() - began < 5


def test_an_open_bracket_does_not_hold_the_text_back_for_ever() -> None:
    assert len(split("(" + "word and more " * 100)[0]) <= HARD_CHARACTERS + 20


def test_nothing_gives_nothing() -> None:
    assert split() == split("") == []
    assert not speakable(" —* ")
    assert speakable(" é ")


FRAGMENTS = st.sampled_from(
    (
        "Yes",
        "no",
        " ",
        "  ",
        "\n",
        ",",
        ".",
        "...",
        "…",
        "?",
        "!",
        ";",
        ":",
        "—",
        " - ",
        "Dr.",
        "p.m.",
        "3",
        "1,000",
        "(",
    )
) | st.sampled_from(
    (")", "[x](http://a.b/c, d)", '"', "'", "*", "and", " but ", "the table by the window", "。", "，", "é")
)
TEXTS = st.lists(FRAGMENTS, max_size=60).map("".join) | st.text(max_size=80)


@given(TEXTS)
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(split(text)) == text
    assert all(split(text))


@given(TEXTS, st.data())
def test_token_boundaries_make_no_difference(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    bounds = [0, *cuts, len(text)]
    tokens = [text[a:b] for a, b in itertools.pairwise(bounds)]
    assert split(*tokens) == split(text) == split(*text)
