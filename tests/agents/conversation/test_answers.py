"""The agent's answers: waiting for them, bridging, failing, running dry, ending the call."""

from __future__ import annotations

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.model import State
from tests.agents.conversation.script import Script, asked, greeted, kinds

CONFIRMED = 12.29
"""When the turn of `asked` is confirmed and its answer played."""


def waiting(**options: object) -> Script:
    """A turn was just confirmed; its answer is up to the test. The clock stands at 12.3."""
    script = asked(**options)
    script.reply = Script.keep_silent
    script.run(12.3)
    script.expect(State.THINKING)
    return script


def answer_of(script: Script) -> int:
    """The answer that was played last."""
    return script.all(act.PlayAnswer)[-1].answer_id


def test_an_answer_is_heard_to_its_end_and_then_the_agent_listens() -> None:
    script = asked().run(13.0)
    answer = script.all(act.PlayAnswer)[0]
    script.run(14.5)
    assert script.all(act.CloseAnswer) == [act.CloseAnswer(answer.turn_id, answer.answer_id)]
    script.expect(State.LISTENING)
    assert script.all(act.DropAnswer)[-1:] != [act.DropAnswer(answer.turn_id, answer.answer_id)]


@pytest.mark.parametrize("completed_first", [True, False])
def test_an_answer_is_over_when_it_is_complete_and_was_heard(completed_first: bool) -> None:
    script = waiting()
    answer = answer_of(script)
    script.feed(ev.PlayoutStarted(answer))
    last: list[ev.Event] = [ev.AnswerCompleted(answer), ev.PlayoutDrained(answer)]
    first, second = last if completed_first else last[::-1]
    assert script.feed(first) == []
    assert script.state in (State.SPEAKING, State.THINKING)
    assert kinds(script.feed(second)) == [act.CloseAnswer]
    script.expect(State.LISTENING)


def test_an_answer_that_takes_long_is_bridged_once() -> None:
    script = waiting().run(20.0)
    assert script.times(act.SayFiller) == [pytest.approx(CONFIRMED + script.policy.hold_after)]
    assert script.all(act.SayFiller)[0].phrase is Phrase.HOLD
    assert script.all(act.SayFiller)[0].answer_id == answer_of(script)


def test_an_answer_that_comes_in_time_is_not_bridged() -> None:
    script = asked()
    script.sound_takes, script.sound_lasts = 2.4, 10.0
    script.run(20.0)
    assert script.all(act.SayFiller) == []


def test_the_agents_own_phrases_are_not_bridged() -> None:
    script = Script()
    script.reply = Script.keep_silent
    script.feed(ev.CallStarted())
    script.run(5.0)
    assert script.all(act.SayFiller) == []


def test_an_answer_that_takes_too_long_is_tried_again_then_apologised_for() -> None:
    script = waiting().run(CONFIRMED + 17.0)
    first, second = script.all(act.PlayAnswer)
    assert script.times(act.PlayAnswer)[1] == pytest.approx(CONFIRMED + script.policy.answer_timeout)
    assert first.turn_id == second.turn_id
    assert script.all(act.PrepareAnswer)[-1].text == script.confirmed[0]
    assert script.phrases == [Phrase.APOLOGY]
    assert script.times(act.SayPhrase) == [pytest.approx(CONFIRMED + 2 * script.policy.answer_timeout)]
    dropped = [answer.answer_id for answer in script.all(act.DropAnswer)]
    assert dropped[-2:] == [first.answer_id, second.answer_id]


def test_what_a_failed_answer_had_on_its_way_is_not_heard_before_its_replacement() -> None:
    script = waiting()
    actions = script.feed(ev.AnswerFailed(answer_of(script), "broken"))
    assert kinds(actions) == [act.DropAnswer, act.CutPlayout, act.PrepareAnswer, act.PlayAnswer]


def test_what_a_dropped_answer_still_tells_is_stale() -> None:
    script = waiting()
    first = answer_of(script)
    script.feed(ev.AnswerFailed(first, "broken"))
    for event in (ev.PlayoutStarted(first), ev.AnswerCompleted(first), ev.AnswerFailed(first, "again")):
        assert script.feed(event) == []
    assert script.feed(ev.PlayoutDrained(first)) == []
    script.expect(State.THINKING)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_failed_answer_is_tried_again_as_often_as_the_policy_says(retries: int) -> None:
    script = asked(answer_retries=retries)
    script.reply = lambda script, answer_id: (
        script.schedule(script.now + 0.1, ev.AnswerFailed(answer_id, "broken"))
        if script.phrases == []
        else script.speak(answer_id)
    )
    script.run(16.0)
    assert len(script.all(act.PlayAnswer)) == 1 + retries
    assert script.phrases == [Phrase.APOLOGY]
    script.expect(State.LISTENING)


def test_an_answer_that_breaks_off_is_heard_to_where_it_broke_and_not_begun_again() -> None:
    script = waiting()
    answer = answer_of(script)
    script.feed(ev.PlayoutStarted(answer))
    assert script.feed(ev.AnswerFailed(answer, "half an answer")) == []
    actions = script.feed(ev.PlayoutDrained(answer))
    assert kinds(actions) == [act.DropAnswer, act.SayPhrase]
    assert script.phrases == [Phrase.APOLOGY]


def test_an_answer_that_fails_after_all_of_it_was_heard_is_apologised_for_at_once() -> None:
    script = waiting()
    answer = answer_of(script)
    script.feed(ev.PlayoutStarted(answer))
    script.feed(ev.PlayoutDrained(answer))
    script.expect(State.THINKING)
    script.feed(ev.AnswerFailed(answer, "half an answer"))
    assert script.phrases == [Phrase.APOLOGY]


def test_an_answer_that_runs_dry_is_waited_for_but_not_for_ever() -> None:
    script = waiting()
    answer = answer_of(script)
    script.feed(ev.PlayoutStarted(answer))
    script.run(14.0)
    script.feed(ev.PlayoutDrained(answer))
    script.expect(State.THINKING)
    script.run(30.0)
    assert script.times(act.SayFiller) == [pytest.approx(14.0 + script.policy.hold_after)]
    assert script.phrases[0] is Phrase.APOLOGY
    assert script.times(act.SayPhrase)[0] == pytest.approx(14.0 + script.policy.answer_timeout)


def test_an_answer_is_bridged_only_once_even_if_it_runs_dry_later() -> None:
    script = waiting()
    answer = answer_of(script)
    script.run(15.0)
    script.feed(ev.PlayoutStarted(answer))
    script.feed(ev.PlayoutDrained(answer))
    script.run(18.0)
    assert len(script.all(act.SayFiller)) == 1


def test_an_answer_that_goes_on_after_it_ran_dry_is_heard_to_its_end() -> None:
    script = waiting()
    answer = answer_of(script)
    script.feed(ev.PlayoutStarted(answer))
    script.feed(ev.PlayoutDrained(answer))
    script.feed(ev.PlayoutStarted(answer))
    script.expect(State.SPEAKING)
    script.run(40.0)
    assert script.phrases == []
    assert script.feed(ev.AnswerCompleted(answer)) == []
    assert kinds(script.feed(ev.PlayoutDrained(answer))) == [act.CloseAnswer]


def test_an_answer_without_a_sound_is_a_failed_one() -> None:
    script = waiting()
    actions = script.feed(ev.AnswerCompleted(answer_of(script), spoken=False))
    assert kinds(actions) == [act.DropAnswer, act.PrepareAnswer, act.PlayAnswer]
    script.feed(ev.AnswerCompleted(answer_of(script), spoken=False))
    assert script.phrases == [Phrase.APOLOGY]


def test_failures_in_a_row_end_in_a_goodbye() -> None:
    script = asked(answer_retries=0)
    script.reply = Script.break_down
    script.says("Could you try that again?", 18.0, 19.5)
    script.run(40.0)
    assert script.phrases == [Phrase.APOLOGY, Phrase.GOODBYE]
    assert script.ended == "answers failed"


def test_an_answer_that_was_heard_ends_the_row_of_failures() -> None:
    script = asked(answer_retries=0)
    script.reply = lambda script, answer_id: (
        script.speak(answer_id) if len(script.all(act.PlayAnswer)) == 2 else script.break_down(answer_id)
    )
    script.says("Could you try that again?", 18.0, 19.5)
    script.says("And tomorrow?", 24.0, 25.0)
    script.run(28.0)
    assert script.phrases == [Phrase.APOLOGY, Phrase.APOLOGY]
    assert script.ended is None


@pytest.mark.parametrize("failure", ["time-out", "failed", "no sound"])
def test_an_apology_that_fails_ends_the_call(failure: str) -> None:
    script = waiting(answer_retries=0)
    script.feed(ev.AnswerFailed(answer_of(script), "broken"))
    apology = script.all(act.SayPhrase)[0].answer_id
    if failure == "time-out":
        script.run(21.0)
        assert script.ended == "voice failed"
    elif failure == "failed":
        script.feed(ev.AnswerFailed(apology, "broken"))
        assert script.ended == "voice failed"
    else:  # an agent without words for it
        script.feed(ev.AnswerCompleted(apology, spoken=False))
        script.expect(State.LISTENING)


@pytest.mark.parametrize("failure", ["time-out", "failed", "no sound"])
def test_a_greeting_that_fails_leaves_the_agent_listening(failure: str) -> None:
    script = Script()
    script.reply = Script.keep_silent
    greeting = script.feed(ev.CallStarted())[0]
    assert isinstance(greeting, act.SayPhrase) and greeting.phrase is Phrase.GREETING
    if failure == "time-out":
        script.run(8.5)
    elif failure == "failed":
        script.feed(ev.AnswerFailed(greeting.answer_id, "broken"))
    else:
        script.feed(ev.AnswerCompleted(greeting.answer_id, spoken=False))
    script.expect(State.LISTENING)
    assert script.phrases == [Phrase.GREETING]
    script.run(17.0)
    assert script.phrases == [Phrase.GREETING, Phrase.REPROMPT]


@pytest.mark.parametrize("failure", ["time-out", "failed", "no sound"])
def test_a_goodbye_that_fails_ends_the_call(failure: str) -> None:
    script = greeted(most_reprompts=0)
    script.reply = Script.keep_silent
    script.run(18.5)
    (goodbye,) = script.all(act.SayPhrase)
    assert goodbye.phrase is Phrase.GOODBYE
    if failure == "time-out":
        script.run(27.0)
    elif failure == "failed":
        script.feed(ev.AnswerFailed(goodbye.answer_id, "broken"))
    else:
        script.feed(ev.AnswerCompleted(goodbye.answer_id, spoken=False))
    assert script.ended == "caller silent"


def test_a_goodbye_that_is_never_heard_to_its_end_ends_the_call() -> None:
    script = greeted(most_reprompts=0)
    script.reply = lambda script, answer_id: script.sound(answer_id, (script.now, ev.PlayoutStarted(answer_id)))
    script.run(18.1)
    script.run(60.0)
    assert script.ended == "caller silent"
    assert script.times(act.EndCall) == [pytest.approx(script.times(act.SayPhrase)[0] + 20.0)]


def test_the_agent_hangs_up_after_the_answer_that_says_so() -> None:
    script = waiting()
    answer = answer_of(script)
    script.feed(ev.PlayoutStarted(answer))
    assert script.feed(ev.AnswerCompleted(answer, end_call="the caller is done")) == []
    assert kinds(script.feed(ev.PlayoutDrained(answer))) == [act.CloseAnswer, act.EndCall]
    assert script.ended == "the caller is done"


def test_an_answer_that_only_hangs_up_needs_no_sound() -> None:
    script = waiting()
    actions = script.feed(ev.AnswerCompleted(answer_of(script), spoken=False, end_call="the caller is done"))
    assert kinds(actions) == [act.CloseAnswer, act.EndCall]


def test_a_caller_who_interrupts_the_last_answer_keeps_the_line() -> None:
    script = waiting()
    answer = answer_of(script)
    script.feed(ev.PlayoutStarted(answer))
    script.feed(ev.AnswerCompleted(answer, end_call="the caller is done"))
    script.reply = Script.speak
    script.says("Wait, one more thing.", 12.5, 13.5)
    script.run(15.0)
    assert script.ended is None
    assert script.confirmed[-1] == "Wait, one more thing."
