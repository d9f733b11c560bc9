"""How long a silence ends a turn: monotone in what the judges say, bounded by the policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.conversation.endpointing import REMEMBERED_PAUSES, SHORTEST_PAUSE, CallerPauses, required_silence
from agents.conversation.policy import TurnPolicy

POLICY = TurnPolicy()
PROBABILITIES = st.floats(0, 1)
PAUSES = st.lists(st.floats(0, 10), max_size=20)


def remembered(*pauses: float) -> CallerPauses:
    caller = CallerPauses()
    for pause in pauses:
        caller.add(pause)
    return caller


@given(PROBABILITIES, PROBABILITIES, PROBABILITIES, PAUSES)
def test_the_more_finished_a_turn_sounds_the_shorter_the_silence(
    one: float, other: float, words: float, pauses: list[float]
) -> None:
    less, more = sorted((one, other))
    caller = remembered(*pauses)
    assert required_silence(POLICY, more, words, caller) <= required_silence(POLICY, less, words, caller)


@given(PROBABILITIES, PROBABILITIES, PROBABILITIES, PAUSES)
def test_the_more_finished_a_turn_reads_the_shorter_the_silence(
    one: float, other: float, prosody: float, pauses: list[float]
) -> None:
    less, more = sorted((one, other))
    caller = remembered(*pauses)
    assert required_silence(POLICY, prosody, more, caller) <= required_silence(POLICY, prosody, less, caller)


@given(st.none() | PROBABILITIES, st.none() | PROBABILITIES, PAUSES, st.lists(st.floats(0, 5), min_size=4, max_size=4))
def test_the_silence_is_never_longer_than_the_longest_nor_shorter_than_the_shortest(
    prosody: float | None, words: float | None, pauses: list[float], silences: list[float]
) -> None:
    names = ("shortest_silence", "unsure_silence", "doubtful_silence", "longest_silence")
    policy = TurnPolicy.from_options(dict(zip(names, silences, strict=True)))  # in whatever order
    silence = required_silence(policy, prosody, words, remembered(*pauses))
    assert min(policy.shortest_silence, policy.longest_silence) <= silence <= policy.longest_silence


@given(st.none() | PROBABILITIES)
def test_plainly_unfinished_words_get_the_longest_silence_whatever_the_tone(prosody: float | None) -> None:
    assert required_silence(POLICY, prosody, 0.0, CallerPauses()) == POLICY.longest_silence


def test_a_finished_turn_gets_the_shortest_silence_whatever_the_callers_habits() -> None:
    assert required_silence(POLICY, 1.0, 1.0, remembered(1.0, 1.0, 1.0)) == POLICY.shortest_silence


def test_a_judge_that_has_not_spoken_never_makes_the_silence_shorter_than_its_best_verdict() -> None:
    for known in (0.0, 0.1, 0.4, 1.0):
        best = required_silence(POLICY, 1.0, known, CallerPauses())
        assert required_silence(POLICY, None, known, CallerPauses()) >= best
        best = required_silence(POLICY, known, 1.0, CallerPauses())
        assert required_silence(POLICY, known, None, CallerPauses()) >= best


def test_a_habit_asks_for_its_margin_more_where_a_judge_doubts() -> None:
    assert required_silence(POLICY, 0.5, 0.4, remembered(1.0, 1.0, 1.0)) == 1.0 + POLICY.pause_margin
    assert required_silence(POLICY, 0.5, 0.4, remembered(0.3, 0.3, 0.3)) == POLICY.unsure_silence


def test_two_pauses_are_no_habit() -> None:
    assert remembered(1.0, 1.0).typical() == 0.0
    assert remembered(1.0, 1.0, 1.0).typical() == 1.0


def test_gaps_between_sounds_are_no_pauses() -> None:
    assert remembered(*[SHORTEST_PAUSE - 0.01] * 9).typical() == 0.0
    assert remembered(*[SHORTEST_PAUSE] * 3).typical() == SHORTEST_PAUSE


def test_old_pauses_are_forgotten() -> None:
    assert remembered(*[2.0] * 9, *[0.5] * REMEMBERED_PAUSES).typical() == 0.5


@given(st.lists(st.floats(SHORTEST_PAUSE, 10), min_size=3, max_size=REMEMBERED_PAUSES))
def test_the_habit_is_the_upper_quartile_of_the_pauses(pauses: list[float]) -> None:
    habit = remembered(*pauses).typical()
    assert habit in pauses
    assert sum(pause <= habit for pause in pauses) >= 3 * len(pauses) / 4


def test_one_long_pause_among_many_is_no_habit() -> None:
    assert remembered(0.4, 0.4, 0.4, 0.4, 3.0, 0.4, 0.4, 0.4).typical() == pytest.approx(0.4)
