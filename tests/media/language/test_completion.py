"""What the completion judge decides by itself, and what it asks the model."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.language.completion import SURELY_INCOMPLETE, PunctuationJudge, bare


class Expects:
    """A `NextToken` that expects the same tokens whatever comes."""

    def __init__(self, tokens: dict[str, float]) -> None:
        self.tokens = tokens
        self.prompts: list[str] = []

    async def next_token(self, prompt: str, *, deadline: float, count: int = 60) -> dict[str, float]:
        self.prompts.append(prompt)
        return self.tokens

    async def prime(self, prompt: str) -> None:
        self.primed = prompt


async def judged(text: str, tokens: dict[str, float] | None = None) -> float:
    return await PunctuationJudge(Expects(tokens or {".": 0.3})).probability(text, deadline=0)


async def test_all_ways_to_end_a_sentence_count() -> None:
    tokens = {".": 0.3, "?": 0.2, '."': 0.1, "!\n": 0.1, "\n": 0.1, ",": 0.1, "...": 0.05, " and": 0.05}
    assert await judged("I see", tokens) == pytest.approx(0.8)


async def test_the_punctuation_of_the_recogniser_is_not_believed() -> None:
    endings = ["", ".", "?", "...", " -", "…"]
    expecting = Expects({".": 0.3})
    judge = PunctuationJudge(expecting)
    assert {await judge.probability(f"My name is{end}", deadline=0) for end in endings} == {0.3}
    assert len(set(expecting.prompts)) == 1


async def test_no_words_are_no_turn() -> None:
    assert await judged("") == await judged(" ... ") == 0.0


@pytest.mark.parametrize(
    "text",
    ["I would like to book a table for, um", "Yes, uh...", "Well, let me think.", "It is, er, hmm,", "Um."],
)
async def test_a_hesitation_is_not_the_end(text: str) -> None:
    assert await judged(text, {".": 0.9}) <= SURELY_INCOMPLETE


@pytest.mark.parametrize("text", ["Uh-huh.", "Mm-hmm", "uh huh"])
async def test_a_backchannel_is_no_hesitation(text: str) -> None:
    assert await judged(text, {".": 0.9}) == 0.9


@pytest.mark.parametrize("text", ["I want this and", "Because my", "Is it the", "Tell me whether"])
async def test_words_that_end_no_turn_need_no_model(text: str) -> None:
    expecting = Expects({".": 0.9})
    assert await PunctuationJudge(expecting).probability(text, deadline=0) <= SURELY_INCOMPLETE
    assert expecting.prompts == []


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("You can reach me on five five five", 0.0, 0.1),
        ("You can reach me on five five five zero one", 0.0, 0.1),
        ("You can reach me on five five five, zero one four two", 0.5, 1.0),
        ("You can reach me on 555-0142.", 0.5, 1.0),
        ("My number is double five five, zero one four two", 0.5, 1.0),
        ("My order number is four eight two one", 0.3, 0.3),
        ("Four", 0.35, 0.35),
        ("Tomorrow at four", 0.3, 0.3),
        ("That is 9.50", 0.3, 0.3),
        ("At 10:30", 0.3, 0.3),
    ],
)
async def test_numbers_given_in_parts_are_whole_when_they_are_long_enough(text: str, low: float, high: float) -> None:
    assert low <= await judged(text) <= high


async def test_fillers_inside_a_turn_are_left_out() -> None:
    expecting = Expects({".": 0.5})
    await PunctuationJudge(expecting).probability("I want, um, two uh tables", deadline=0)
    assert expecting.prompts[0].endswith("\nI want two tables")


async def test_of_a_very_long_turn_the_last_sentences_are_read() -> None:
    expecting = Expects({".": 0.5})
    await PunctuationJudge(expecting).probability("word " * 5000 + "word. And this is the end", deadline=0)
    assert expecting.prompts[0].endswith("\nAnd this is the end")


@given(
    st.text(max_size=300) | st.lists(st.sampled_from(["um", "uh", ",", " ", "five", "double", "2", "-"])).map("".join)
)
async def test_any_text_has_a_probability(text: str) -> None:
    assert 0.0 <= await judged(text, {".": 0.3, "?": 0.6}) <= 1.0


async def test_a_transcript_made_to_be_slow_is_judged_in_time() -> None:
    began = time.process_time()
    for text in ("um " * 20_000, "um, " * 200 + "x", "five " * 20_000, "let me think " * 10_000, "-" * 100_000):
        await judged(text)
    assert time.process_time() - began < 5


def test_bare_text_has_no_end_punctuation() -> None:
    assert bare(' "My name is Anna Miller." ') == '"My name is Anna Miller'


async def test_the_model_is_primed_with_what_precedes_every_turn() -> None:
    expecting = Expects({".": 0.5})
    judge = PunctuationJudge(expecting)
    await judge.warm_up()
    await judge.probability("Two people", deadline=0)
    assert expecting.prompts == [f"{expecting.primed}Two people"]
