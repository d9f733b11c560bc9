"""The caller makes a sound over the agent: pause, then go on or give way."""

from __future__ import annotations

from typing import Any

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.barge_in import LONGEST_GREETING
from agents.conversation.model import State
from tests.agents.conversation.script import Script, greeted, kinds
from tests.agents.conversation.states import speaking

QUESTION = "What time do you close today?"


def test_the_agent_pauses_at_the_first_hint_of_a_voice() -> None:
    script = speaking()
    assert kinds(script.feed(ev.SpeechHinted(13.95))) == [act.PausePlayout]
    script.expect(State.OVERLAP)


def test_a_false_alarm_lets_the_agent_go_on_and_leaves_no_turn_behind() -> None:
    script = speaking()
    script.feed(ev.SpeechHinted(13.95))
    script.run(14.06)
    assert kinds(script.feed(ev.SilenceHinted(13.98))) == [act.ResumePlayout]
    script.expect(State.SPEAKING)
    script.run(23.0)
    script.expect(State.LISTENING)


def test_a_hint_that_is_never_settled_does_not_keep_the_agent_silent() -> None:
    script = speaking()
    script.feed(ev.SpeechHinted(13.95))
    script.run(16.0)
    assert script.times(act.ResumePlayout) == [pytest.approx(14 + script.policy.overlap_timeout)]


@pytest.mark.parametrize("text", ["Uh-huh.", "right", "Yeah, okay, I see."])
def test_a_backchannel_lets_the_agent_go_on(text: str) -> None:
    script = speaking()
    script.says(text, 14.2, 14.6)
    script.run(15.2)
    assert script.discarded == ["backchannel"]
    assert script.all(act.DiscardTurn)[0].text == text
    # Hinted at 14.25; silent at 14.6; recognised 0.1 s later, which takes 0.15 s.
    assert script.times(act.PausePlayout) == [pytest.approx(14.25)]
    assert script.times(act.ResumePlayout) == [pytest.approx(14.85)]
    script.expect(State.SPEAKING)


def test_a_backchannel_that_was_understood_before_it_ended_needs_no_second_look() -> None:
    script = speaking()
    script.recognition_takes = 0.01
    script.hear = lambda begins, until: "Uh-huh."
    script.says("Uh-huh.", 14.2, 14.5)  # asked at 14.55, while silence is not hinted at before 14.57
    script.run(15.2)
    assert len(script.all(act.Recognise)) == 1
    assert script.discarded == ["backchannel"]
    assert script.times(act.ResumePlayout) == [pytest.approx(14.6)]


def test_a_detector_that_skips_an_announcement_does_no_harm() -> None:
    script = speaking()
    script.feed(ev.SpeechHinted(13.95))
    assert script.feed(ev.SpeechHinted(13.98)) == []
    assert kinds(script.feed(ev.SpeechStopped(13.99))) == [act.ResumePlayout]
    assert kinds(script.feed(ev.SpeechStarted(14.0))) == [act.PausePlayout, act.OpenTurn]


def test_noise_that_is_spoken_over_may_rise_and_fall() -> None:
    script = speaking()
    script.says("", 14.2, 17.0)
    script.line((15.57, ev.SilenceHinted(15.5)), (15.6, ev.SpeechHinted(15.58)))
    script.run(16.5)
    assert script.conversation.floor.deaf
    script.expect(State.SPEAKING)
    assert len(script.all(act.PausePlayout)) == 1


def test_a_cough_lets_the_agent_go_on() -> None:
    script = speaking()
    script.says("", 14.2, 14.5)
    script.run(15.2)
    assert script.discarded == ["nothing"]
    script.expect(State.SPEAKING)


def test_a_short_sound_recognised_without_confidence_is_no_interruption() -> None:
    script = speaking()
    script.log_probability = -1.5
    script.says("Thank you.", 14.2, 14.7)
    script.run(15.5)
    assert script.discarded == ["backchannel"]
    script.expect(State.SPEAKING)


def test_a_longer_one_is() -> None:
    script = speaking()
    script.log_probability = -1.5
    script.says("Thank you.", 14.2, 15.0)
    script.run(15.3)
    assert len(script.all(act.CutPlayout)) == 1
    assert script.discarded == []


def test_words_that_are_no_backchannel_interrupt_while_the_caller_still_speaks() -> None:
    script = speaking()
    script.says("Wait, stop, that is not what I meant.", 14.2, 16.2)
    script.run(14.8)
    # The words are first asked for 0.35 s after the voice began.
    assert script.times(act.Recognise) == [pytest.approx(14.55)]
    assert script.times(act.CutPlayout) == [pytest.approx(14.7)]
    script.expect(State.HEARING)
    script.run(17.0)
    assert script.confirmed == ["Wait, stop, that is not what I meant."]


def test_a_backchannel_that_goes_on_to_be_more_is_an_interruption() -> None:
    script = speaking()
    words = iter(["Yeah", "Yeah but I need", "Yeah but I need it today."])
    script.hear = lambda begins, until: next(words)
    script.says("Yeah but I need it today.", 14.2, 15.0)
    script.run(16.0)
    assert script.times(act.CutPlayout) == [pytest.approx(14.95)]
    assert script.confirmed == ["Yeah but I need it today."]


@pytest.mark.parametrize("partial", ["Thank you", "okay okay okay"])
def test_a_voice_that_goes_on_is_an_interruption_whatever_its_words(partial: str) -> None:
    script = speaking()
    script.log_probability = -1.5
    script.hear = lambda begins, until: partial
    script.says(QUESTION, 14.2, 16.2)
    script.run(15.5)
    assert script.times(act.CutPlayout) == [pytest.approx(14.2 + script.policy.interruption_after)]
    script.expect(State.HEARING)


def test_a_recognition_that_fails_over_the_agent_is_asked_for_again_while_the_voice_lasts() -> None:
    script = speaking()
    answers = iter([None, "Wait, stop, that"])
    script.recognition_takes = 0.05
    script.hear = lambda begins, until: next(answers, None)
    script.says("Wait, stop, that is not what I meant.", 14.2, 16.2)
    script.run(14.9)
    # Asked at 14.55, failed at 14.6, asked again 0.1 s later.
    assert script.times(act.CutPlayout) == [pytest.approx(14.75)]
    assert [judge.text for judge in script.all(act.JudgeWords)] == ["Wait, stop, that"]


@pytest.mark.parametrize("recogniser", ["slow", "broken"])
def test_a_voice_that_goes_on_interrupts_even_if_nobody_knows_its_words(recogniser: str) -> None:
    script = speaking()
    script.hear = lambda begins, until: None
    script.recognition_takes = None if recogniser == "slow" else 0.01
    script.says(QUESTION, 14.2, 16.2)
    script.run(15.5)
    assert script.times(act.CutPlayout) == [pytest.approx(14.2 + script.policy.interruption_after)]


def test_a_voice_without_words_is_spoken_over_until_it_stops() -> None:
    script = speaking()
    script.says("", 14.2, 18.0)
    script.run(15.2)
    assert script.discarded == ["noise"]
    assert script.times(act.ResumePlayout) == [pytest.approx(14.2 + script.policy.interruption_after)]
    assert script.conversation.floor.deaf
    script.run(18.2)
    assert not script.conversation.floor.deaf
    assert len(script.all(act.PausePlayout)) == 1
    script.says("Wait, stop.", 19.0, 19.6)
    script.run(19.65)
    assert len(script.all(act.PausePlayout)) == 2
    script.expect(State.HEARING)


def test_a_sound_that_is_recognised_too_late_is_judged_by_its_length() -> None:
    for lasts, verdict in ((0.4, State.SPEAKING), (0.8, State.WEIGHING)):
        script = speaking()
        script.recognition_takes = None
        script.says(QUESTION, 14.2, 14.2 + lasts)
        script.run(14.2 + lasts + 0.1 + script.policy.overlap_timeout - 0.01)
        script.expect(State.OVERLAP)
        script.run(script.now + 0.02)
        script.expect(verdict)


@pytest.mark.parametrize("lasts", [0.4, 0.8])
def test_a_sound_whose_recognition_fails_is_judged_by_its_length_at_once(lasts: float) -> None:
    script = speaking(overlap_recognise_after=0.89)  # no words are asked for in between
    answers = iter([None, QUESTION])
    script.hear = lambda begins, until: next(answers)
    script.says(QUESTION, 14.2, 14.2 + lasts)
    script.run(17.0)
    if lasts < 0.75:
        assert script.discarded == ["not recognised"]
        assert script.times(act.ResumePlayout) == [pytest.approx(14.2 + lasts + 0.25)]
        script.expect(State.SPEAKING)
    else:  # the words are asked for again: the caller has the floor and has said something
        assert script.confirmed == [QUESTION]


def test_words_that_come_after_the_time_out_are_stale() -> None:
    script = speaking()
    script.recognition_takes = 2.0
    script.says("Wait, stop.", 14.2, 14.7)
    script.run(18.0)
    assert script.discarded == ["not recognised"]
    script.expect(State.SPEAKING)


def test_only_what_was_voiced_counts_towards_an_interruption_by_length() -> None:
    script = speaking()
    script.recognition_takes = None
    script.says("", 14.2, 14.6)  # 0.4 s, then a pause, then the rest of the 0.9 s
    script.schedule(14.95, ev.SpeechHinted(14.9))
    script.schedule(15.02, ev.SpeechStarted(14.9))
    script.run(15.4)
    script.expect(State.OVERLAP)
    script.run(15.5)
    assert script.times(act.CutPlayout) == [pytest.approx(14.95 + 0.5)]


def test_a_false_alarm_after_a_sound_does_not_lose_what_was_said() -> None:
    script = speaking()
    script.recognition_takes = 0.6
    script.says("Wait, stop.", 14.2, 14.7)
    script.clicks(15.2)
    script.run(15.5)
    assert len(script.all(act.CutPlayout)) == 1
    script.run(17.0)
    assert script.confirmed == ["Wait, stop."]


def test_a_crackling_line_does_not_hold_the_agent_for_longer() -> None:
    script = speaking()
    script.recognition_takes = None
    script.says("", 14.2, 14.5)
    for number in range(20):
        script.clicks(14.8 + number * 0.2)
    script.run(16.4)
    assert script.times(act.ResumePlayout)[0] <= 14.6 + script.policy.overlap_timeout + 0.3


def test_a_voice_that_comes_back_before_its_silence_is_certain_needs_no_new_announcement() -> None:
    """The detector says `SpeechHinted` and nothing else when a voice goes on after a hint of silence."""
    script = greeted()
    script.line(
        (10.55, ev.SpeechHinted(10.5)),
        (10.62, ev.SpeechStarted(10.5)),
        (12.07, ev.SilenceHinted(12.0)),  # confirmed at 12.29, silence never being certain
        (12.4, ev.SpeechHinted(12.35)),
        (14.07, ev.SilenceHinted(14.0)),
        (14.16, ev.SpeechStopped(14.0)),
    )
    answers = iter(["And then", "And then", "And then I left.", "And then I left.", "And then I left."])
    script.hear = lambda begins, until: QUESTION if until < 12.4 else next(answers)
    script.run(12.35)
    assert script.confirmed == [QUESTION]
    script.run(15.0)
    assert script.confirmed == [QUESTION, "And then I left."]
    assert script.all(act.OpenTurn)[-1].at == 12.35


def test_a_last_syllable_after_the_end_only_pauses_the_agent() -> None:
    script = greeted()
    script.line(
        (10.55, ev.SpeechHinted(10.5)),
        (10.62, ev.SpeechStarted(10.5)),
        (12.07, ev.SilenceHinted(12.0)),
        (12.4, ev.SpeechHinted(12.35)),
        (12.45, ev.SilenceHinted(12.38)),
        (12.55, ev.SpeechStopped(12.38)),
    )
    script.hear = lambda begins, until: QUESTION
    script.run(13.0)
    assert len(script.all(act.OpenTurn)) == 1
    assert script.times(act.ResumePlayout) == [pytest.approx(12.45)]
    script.expect(State.SPEAKING)


def opening(**options: Any) -> Script:
    """We called; the opening is heard from 0.05 on, for six seconds."""
    script = Script(**options)
    script.sound_lasts = 6.0
    script.feed(ev.CallStarted())
    return script


@pytest.mark.parametrize(
    ("text", "seconds"), [("Hello?", 0.5), ("Hi, good morning.", 1.4), ("Hello? How can I help you?", 2.2)]
)
def test_the_opening_of_a_call_we_placed_goes_on_over_a_greeting(text: str, seconds: float) -> None:
    script = opening(outbound=True)
    script.says(text, 0.4, 0.4 + seconds)
    script.run(9.5)
    assert script.confirmed == []
    assert script.discarded == ["backchannel"]
    assert len(script.all(act.ResumePlayout)) == 1
    assert len(script.all(act.CloseAnswer)) == 1
    script.expect(State.LISTENING)


def test_the_same_greeting_interrupts_an_agent_that_was_called() -> None:
    script = opening()
    script.says("Hello?", 0.4, 0.9)
    script.run(4.0)
    assert script.confirmed == ["Hello?"]


def test_a_greeting_after_the_opening_is_a_turn() -> None:
    script = opening(outbound=True)
    script.says("Hello?", 7.0, 7.5)
    script.run(9.0)
    assert script.confirmed == ["Hello?"]


def test_a_greeting_over_a_later_answer_is_an_interruption() -> None:
    script = opening(outbound=True)
    script.says("What is it about?", 7.0, 8.0)
    script.says("Hello? Hello?", 10.0, 10.8)
    script.run(13.0)
    assert script.confirmed == ["What is it about?", "Hello? Hello?"]


def test_who_says_more_than_a_greeting_interrupts_the_opening() -> None:
    script = opening(outbound=True)
    script.says("Hello, who is this and what do you want?", 0.4, 2.4)
    script.run(5.0)
    assert script.confirmed == ["Hello, who is this and what do you want?"]


def test_a_greeting_without_end_is_an_interruption() -> None:
    script = opening(outbound=True)
    script.hear = lambda begins, until: "Hello, hello"
    script.says("Hello, hello", 0.4, 6.0)
    script.run(3.2)
    assert script.state is State.HEARING
    assert script.times(act.CutPlayout)[0] == pytest.approx(0.4 + LONGEST_GREETING, abs=0.15)
