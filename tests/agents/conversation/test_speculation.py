"""Answers begun before the turn is over: kept for the same words, dropped for others, and bounded."""

from __future__ import annotations

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.model import State
from tests.agents.conversation.script import Script, asked, greeted, kinds

QUESTION = "What time do you close today?"


def hypotheses(script: Script, *texts: str | None) -> None:
    """Let the recogniser give these, one after another."""
    answers = iter(texts)
    script.hear = lambda begins, until: next(answers, None)


def test_an_answer_is_begun_at_the_provisional_end_and_played_when_the_turn_is_confirmed() -> None:
    script = asked(partial_interval=0)
    script.prosody_takes = 0.4
    script.run(12.3)
    (prepared,) = script.all(act.PrepareAnswer)
    assert prepared.text == QUESTION
    script.expect(State.WEIGHING)
    script.run(13.0)
    (played,) = script.all(act.PlayAnswer)
    assert (played.turn_id, played.answer_id) == (prepared.turn_id, prepared.answer_id)
    assert script.all(act.DropAnswer) == []


def test_an_answer_is_kept_when_a_later_hypothesis_says_the_same_words_with_other_punctuation() -> None:
    script = asked()
    hypotheses(script, "what time do you close today", "What time, do you close today?", QUESTION)
    script.run(13.0)
    assert len(script.all(act.PrepareAnswer)) == 1
    assert script.all(act.DropAnswer) == []
    assert script.confirmed == [QUESTION]
    assert len(script.all(act.PlayAnswer)) == 1


def test_an_answer_is_dropped_when_a_later_hypothesis_says_other_words() -> None:
    script = asked()
    hypotheses(script, "What time", "What time do you", QUESTION)
    script.run(13.0)
    prepared, dropped = script.all(act.PrepareAnswer), script.all(act.DropAnswer)
    assert [answer.text for answer in prepared] == ["What time", "What time do you", QUESTION]
    assert [answer.answer_id for answer in dropped] == [answer.answer_id for answer in prepared[:2]]
    assert script.all(act.PlayAnswer)[0].answer_id == prepared[2].answer_id


def test_a_number_read_differently_is_another_word() -> None:
    script = asked()
    hypotheses(script, "Give me 15", "Give me 15%", "Give me 15%.")
    script.run(13.0)
    assert [answer.text for answer in script.all(act.PrepareAnswer)] == ["Give me 15", "Give me 15%"]


def test_a_caller_who_goes_on_keeps_the_answer_for_the_words_so_far_until_others_come() -> None:
    script = greeted()
    script.words = 0.4
    script.prosody = 0.3
    script.says("Do you have a table", 10.5, 11.5)
    script.says("for two", 12.0, 12.6)
    script.run(12.1)
    first = script.all(act.PrepareAnswer)[-1]
    assert first.text == "Do you have a table"
    assert first.answer_id not in [answer.answer_id for answer in script.all(act.DropAnswer)]
    script.run(14.0)
    assert script.all(act.PrepareAnswer)[-1].text == "Do you have a table for two"
    assert script.confirmed == ["Do you have a table for two"]


def test_words_that_read_finished_are_answered_while_the_caller_still_speaks() -> None:
    script = greeted()
    hypotheses(script, QUESTION, None)
    script.says(QUESTION, 10.5, 11.9)
    script.run(11.5)
    script.expect(State.HEARING)
    assert [answer.text for answer in script.all(act.PrepareAnswer)] == [QUESTION]


@pytest.mark.parametrize("words", [0.0, 0.2])
def test_words_that_may_go_on_are_not_answered_while_the_caller_still_speaks(words: float) -> None:
    script = asked()
    script.words = words
    script.run(12.05)
    assert script.all(act.JudgeWords) != []
    assert script.all(act.PrepareAnswer) == []


def test_at_the_provisional_end_the_words_are_answered_however_they_read() -> None:
    script = asked(partial_interval=0)
    script.words = 0.0
    script.run(12.3)
    assert [answer.text for answer in script.all(act.PrepareAnswer)] == [QUESTION]


def test_at_the_provisional_end_words_of_only_a_part_are_not_answered() -> None:
    script = asked()
    script.words = 0.2
    script.recognition_takes = 1.1  # the partial hypothesis asked for at 11.07 comes at 12.17
    script.run(12.6)
    script.expect(State.WEIGHING)
    assert script.all(act.JudgeWords)[-1].text == "What time"
    assert script.all(act.PrepareAnswer) == []


def test_answers_are_begun_ahead_only_so_often_in_one_turn() -> None:
    script = greeted(most_speculations=2)
    script.says("one two three four five six seven eight", 10.5, 14.5)
    script.run(16.0)
    prepared = [answer.text for answer in script.all(act.PrepareAnswer)]
    assert len(prepared) == 3  # two ahead, and the one for the confirmed words
    assert prepared[-1] == script.confirmed[0]
    script.expect(State.SPEAKING)


def test_speculation_can_be_turned_off() -> None:
    script = asked(most_speculations=0).run(13.0)
    log = [kind for kind in kinds([action for _, action in script.log]) if "Answer" in kind.__name__]
    assert log == [act.PrepareAnswer, act.PlayAnswer]
    confirmed, prepared = script.times(act.ConfirmTurn), script.times(act.PrepareAnswer)
    assert confirmed == prepared


def test_a_speculation_that_fails_costs_nothing() -> None:
    script = asked(partial_interval=0)
    script.prosody_takes = 0.4
    script.run(12.3)
    (first,) = script.all(act.PrepareAnswer)
    assert kinds(script.feed(ev.AnswerFailed(first.answer_id, "no model"))) == [act.DropAnswer]
    script.run(13.0)
    first, second = script.all(act.PrepareAnswer)
    assert second.text == first.text
    assert script.all(act.PlayAnswer)[0].answer_id == second.answer_id
    assert script.phrases == []


def test_nothing_is_kept_of_a_turn_that_turns_out_to_have_no_words() -> None:
    script = asked()
    hypotheses(script, "Thank you.", "", "")
    script.run(14.0)
    assert script.confirmed == []
    assert [d.answer_id for d in script.all(act.DropAnswer)] == [p.answer_id for p in script.all(act.PrepareAnswer)]
    assert script.all(act.PlayAnswer) == []


def test_the_answer_that_is_played_was_prepared_for_the_words_that_are_confirmed() -> None:
    script = asked()
    hypotheses(script, "What time", QUESTION, None, None, None)
    script.recognition_takes = 0.4
    script.run(17.0)
    assert script.confirmed == [QUESTION]
    (played,) = script.all(act.PlayAnswer)
    prepared = next(answer for answer in script.all(act.PrepareAnswer) if answer.answer_id == played.answer_id)
    assert prepared.text == QUESTION
