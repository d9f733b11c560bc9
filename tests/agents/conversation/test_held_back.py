"""Answers held back, cut or left alone: nothing confirmed is lost, nothing unheard is forgotten."""

from __future__ import annotations

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.model import State
from tests.agents.conversation.script import Script, asked, greeted, kinds
from tests.agents.conversation.states import speaking

QUESTION = "What time do you close today?"


def test_a_caller_who_goes_on_after_an_early_end_says_two_turns_and_has_taught_a_pause() -> None:
    script = asked()
    script.sound_takes = 1.0
    script.says("For the kitchen, I mean.", 12.45, 13.6)
    script.run(16.0)
    assert script.confirmed == [QUESTION, "For the kitchen, I mean."]
    first, second = script.all(act.PlayAnswer)
    dropped = [answer.answer_id for answer in script.all(act.DropAnswer)]
    assert first.answer_id in dropped
    assert second.answer_id not in dropped
    assert list(script.conversation.floor.pauses._pauses) == [pytest.approx(0.45)]


def test_a_caller_who_speaks_up_after_waiting_long_has_taught_no_pause() -> None:
    script = asked()
    script.reply = Script.keep_silent
    script.says("Hello? Are you there?", 15.0, 16.0)
    script.run(17.0)
    assert script.confirmed == [QUESTION, "Hello? Are you there?"]
    assert list(script.conversation.floor.pauses._pauses) == []


def test_an_answer_held_back_for_a_sound_that_was_no_turn_is_given_after_all() -> None:
    script = asked()
    script.sound_takes = 1.0
    script.recognition_takes = 0.15
    script.run(12.4)
    script.recognition_takes = None  # so that the noise takes the floor by its length
    script.says("", 12.45, 13.7)
    script.run(13.6)
    script.expect(State.HEARING)
    assert [dropped.answer_id for dropped in script.all(act.DropAnswer)][-1] == script.all(act.PlayAnswer)[0].answer_id
    script.recognition_takes = 0.15
    script.run(17.0)
    assert script.confirmed == [QUESTION]
    assert script.discarded == ["no words"]
    first, again = script.all(act.PlayAnswer)
    assert again.turn_id == first.turn_id and again.answer_id != first.answer_id
    script.expect(State.SPEAKING)


def test_an_answer_that_was_heard_is_not_given_again() -> None:
    script = speaking()
    script.recognition_takes = None
    script.says("", 14.2, 15.4)
    script.run(15.3)
    script.recognition_takes = 0.15
    script.run(17.5)
    assert script.discarded == ["no words"]
    assert script.all(act.PlayAnswer) == []
    assert script.phrases == [Phrase.NOT_UNDERSTOOD]  # the agent was cut for it: it does not fall silent


def test_an_agent_that_was_cut_for_a_sound_without_words_does_not_fall_silent() -> None:
    script = speaking()
    script.recognition_takes = None
    script.says("", 14.2, 15.15)  # shorter than what is asked for again where nobody was cut
    script.run(15.12)
    script.expect(State.HEARING)
    script.recognition_takes = 0.15
    script.run(16.5)
    assert script.discarded == ["no words"]
    assert script.phrases == [Phrase.NOT_UNDERSTOOD]


def test_a_greeting_given_up_for_a_noise_is_not_answered_as_if_it_were_a_question() -> None:
    script = Script()
    script.sound_takes = 1.5
    script.recognition_takes = None
    script.feed(ev.CallStarted())
    script.says("", 0.2, 1.3)
    script.run(1.25)
    script.expect(State.HEARING)
    script.recognition_takes = 0.15
    script.run(3.0)
    assert script.all(act.PrepareAnswer) == []
    assert script.phrases == [Phrase.GREETING, Phrase.NOT_UNDERSTOOD]


def test_a_sound_that_goes_on_before_it_was_asked_for_is_asked_for_at_its_end() -> None:
    script = speaking(overlap_recognise_after=0.8)
    script.recognition_takes = 0.05
    script.hear = lambda begins, until: "Uh-huh."
    script.line(
        (14.05, ev.SpeechHinted(14.0)),
        (14.12, ev.SpeechStarted(14.0)),
        (14.27, ev.SilenceHinted(14.2)),
        (14.29, ev.SpeechHinted(14.27)),
        (14.57, ev.SilenceHinted(14.5)),
        (14.66, ev.SpeechStopped(14.5)),
    )
    script.run(15.0)
    assert script.times(act.Recognise) == [pytest.approx(14.6)]
    assert script.times(act.ResumePlayout) == [pytest.approx(14.65)]


def test_a_sound_that_proves_to_be_longer_is_asked_for_again() -> None:
    script = speaking(overlap_recognise_after=0.8)
    script.recognition_takes = 0.3
    answers = iter(["Uh", "Uh, no"])
    script.hear = lambda begins, until: next(answers)
    script.line(
        (14.05, ev.SpeechHinted(14.0)),
        (14.12, ev.SpeechStarted(14.0)),
        (14.27, ev.SilenceHinted(14.2)),
        (14.5, ev.SpeechStopped(14.4)),
    )
    script.run(15.5)
    assert script.times(act.Recognise) == [pytest.approx(14.3), pytest.approx(14.5)]
    assert script.confirmed == ["Uh, no"]


def test_a_sound_before_the_answer_is_heard_only_delays_it() -> None:
    script = asked()
    script.sound_takes = 0.3
    script.clicks(12.4)
    script.run(13.0)
    assert script.times(act.PausePlayout) == [pytest.approx(12.45)]
    assert script.times(act.ResumePlayout) == [pytest.approx(12.514)]
    script.expect(State.SPEAKING)
    assert len(script.all(act.PlayAnswer)) == 1


def test_noise_on_the_line_does_not_prolong_the_wait_for_an_answer_for_ever() -> None:
    script = asked(answer_retries=0)
    script.reply = lambda script, answer_id: None
    for number in range(100):
        script.clicks(13.0 + number * 0.5)
    script.run(30.0)
    paused = 0.064 * len([at for at in script.times(act.PausePlayout) if at < script.times(act.SayPhrase)[0]])
    waited = script.times(act.SayPhrase)[0] - script.times(act.PlayAnswer)[0]
    assert waited == pytest.approx(script.policy.answer_timeout + paused)
    assert script.phrases[0] is Phrase.APOLOGY
    assert len(script.all(act.SayFiller)) == 1


def test_an_answer_that_ends_while_the_agent_is_paused_is_over_when_the_overlap_is() -> None:
    script = asked()
    script.sound_lasts = 2.0  # ends at 14.34
    script.run(14.0)
    (played,) = script.all(act.PlayAnswer)
    script.feed(ev.SpeechHinted(13.95))
    script.feed(ev.PlayoutDrained(played.answer_id))  # it was on its way
    script.expect(State.OVERLAP)
    script.run(14.06)
    script.feed(ev.SilenceHinted(13.98))
    script.expect(State.LISTENING)


def test_an_answer_that_runs_dry_while_the_agent_is_paused_is_waited_for_afterwards() -> None:
    script = asked()
    script.reply = Script.keep_silent
    script.run(14.0)
    (played,) = script.all(act.PlayAnswer)
    script.feed(ev.SpeechHinted(13.95))
    script.feed(ev.PlayoutStarted(played.answer_id))  # it was on its way when the agent was paused
    script.feed(ev.PlayoutDrained(played.answer_id))
    assert kinds(script.feed(ev.SilenceHinted(13.98))) == [act.ResumePlayout]
    script.expect(State.THINKING)
    script.run(13.99 + script.policy.hold_after)
    assert script.all(act.SayFiller) == []
    script.run(14.01 + script.policy.hold_after)
    assert len(script.all(act.SayFiller)) == 1


def test_an_answer_that_fails_while_the_agent_is_paused_is_heard_to_where_it_broke() -> None:
    script = asked()
    script.reply = lambda script, answer_id: script.sound(answer_id, (script.now + 0.1, ev.PlayoutStarted(answer_id)))
    script.run(14.0)
    (played,) = script.all(act.PlayAnswer)
    script.feed(ev.SpeechHinted(13.95))
    assert script.feed(ev.AnswerFailed(played.answer_id, "broke off")) == []
    script.feed(ev.SilenceHinted(13.98))
    script.expect(State.SPEAKING)
    script.feed(ev.PlayoutDrained(played.answer_id))
    assert script.phrases == [Phrase.APOLOGY]


def test_an_answer_that_fails_unheard_while_the_agent_is_paused_is_tried_again_afterwards() -> None:
    script = asked()
    script.reply = Script.keep_silent
    script.run(13.0)
    (played,) = script.all(act.PlayAnswer)
    script.feed(ev.SpeechHinted(12.95))
    assert script.feed(ev.AnswerFailed(played.answer_id, "broken")) == []
    actions = script.feed(ev.SilenceHinted(12.98))
    assert kinds(actions)[0] is act.ResumePlayout
    assert kinds(actions)[-2:] == [act.PrepareAnswer, act.PlayAnswer]


def test_an_agent_that_may_not_be_interrupted_speaks_on() -> None:
    script = speaking(barge_in=False)
    script.says("Wait, stop.", 14.5, 15.5)
    script.run(16.0)
    assert script.log == []
    script.expect(State.SPEAKING)


def test_a_caller_who_still_speaks_when_such_an_agent_is_done_is_heard() -> None:
    script = speaking(barge_in=False)
    script.says("And what about tomorrow?", 22.0, 24.0)  # the answer ends at 22.34
    script.run(23.0)
    script.expect(State.HEARING)
    assert script.all(act.OpenTurn)[0].at == pytest.approx(22.34, abs=0.05)


def test_a_caller_who_had_not_finished_is_heard_out_even_by_an_agent_that_may_not_be_interrupted() -> None:
    script = asked(barge_in=False)
    script.sound_takes = 1.0
    script.says("For the kitchen, I mean.", 12.45, 13.6)
    script.run(16.0)
    assert script.confirmed == [QUESTION, "For the kitchen, I mean."]
    assert script.times(act.PausePlayout) == [pytest.approx(12.5)]


def test_a_greeting_can_be_interrupted_before_it_sounds() -> None:
    script = Script()
    script.sound_takes = 1.0
    script.feed(ev.CallStarted())
    script.says("Hello there, I need help.", 0.2, 1.4)
    script.run(2.5)
    assert script.confirmed == ["Hello there, I need help."]
    assert list(script.conversation.floor.pauses._pauses) == []


def test_the_last_phrase_is_not_interrupted() -> None:
    script = greeted(most_reprompts=0)
    script.sound_lasts = 5.0
    script.run(18.5)
    assert script.phrases == [Phrase.GOODBYE]
    script.says("No, wait!", 19.0, 20.0)
    script.run(30.0)
    assert script.all(act.PausePlayout) == []
    assert script.ended == "caller silent"


def test_an_interruption_counts_as_a_good_answer_after_a_failed_one() -> None:
    script = asked(answer_retries=0)
    script.reply = fail_first
    script.says("And tomorrow?", 18.0, 19.0)
    script.says("Wait, stop, that is enough.", 20.5, 22.0)
    script.run(23.0)
    assert script.phrases == [Phrase.APOLOGY]
    assert script.conversation.floor.failures == 0


def test_an_apology_that_is_interrupted_does_not_end_the_row_of_failures() -> None:
    script = asked(answer_retries=0)
    script.sound_lasts = 4.0
    script.reply = Script.break_down
    script.says("Wait, I said tomorrow.", 13.0, 14.5)
    script.run(20.0)
    assert script.phrases == [Phrase.APOLOGY, Phrase.GOODBYE]


def test_an_answer_that_broke_and_is_interrupted_does_not_either() -> None:
    script = asked()
    script.reply = lambda script, answer_id: script.sound(answer_id, (script.now + 0.1, ev.PlayoutStarted(answer_id)))
    script.conversation.floor.failures = 1
    script.run(14.0)
    script.feed(ev.AnswerFailed(script.all(act.PlayAnswer)[0].answer_id, "broke off"))
    script.says("Wait, stop.", 14.0, 15.5)
    script.run(15.2)
    script.expect(State.HEARING)
    assert script.conversation.floor.failures == 1


def fail_first(script: Script, answer_id: int) -> None:
    """The first answer fails, everything later is spoken."""
    first = script.all(act.PlayAnswer)[0].answer_id
    if answer_id == first:
        script.schedule(script.now + 0.1, ev.AnswerFailed(answer_id, "broken"))
    else:
        script.speak(answer_id)
