"""Turns without words, noise, and turns that do not end."""

from __future__ import annotations

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.model import State
from tests.agents.conversation.script import greeted, kinds

QUESTION = "What time do you close today?"


def test_a_sound_without_words_is_no_turn() -> None:
    script = greeted()
    script.says("", 10.5, 11.1)
    script.run(13.0)
    assert script.discarded == ["no words"]
    assert script.phrases == []
    script.expect(State.LISTENING)


@pytest.mark.parametrize("text", ["", " ", "...", "♪ ♪", "—"])
def test_a_transcript_without_a_word_in_it_is_none(text: str) -> None:
    script = greeted()
    script.hear = lambda begins, until: text
    script.says("", 10.5, 11.1)
    script.run(13.0)
    assert script.confirmed == []
    assert script.discarded == ["no words"]
    assert script.all(act.PrepareAnswer) == []


def test_after_a_longer_stretch_without_words_the_agent_says_that_it_did_not_catch_it() -> None:
    script = greeted()
    script.says("", 10.5, 12.0)
    script.run(15.0)
    assert script.discarded == ["no words"]
    assert script.phrases == [Phrase.NOT_UNDERSTOOD]
    assert script.times(act.SayPhrase) == [pytest.approx(12.0 + script.policy.unsure_silence)]


def test_a_turn_longer_than_the_longest_ends_at_its_first_pause_whatever_the_judges_say() -> None:
    script = greeted(longest_turn=5)
    script.words = 0.0
    script.recognition_takes = 0.05
    script.says("one two three four five six", 10.5, 16.5)
    assert script.run(18.0).silence == pytest.approx(script.policy.shortest_silence)


def test_a_turn_that_does_not_pause_is_taken_by_force_and_the_rest_of_the_breath_is_not_heard() -> None:
    script = greeted(longest_turn=3)
    script.says("one two three four five six", 10.5, 16.5)
    script.run(15.0)
    (turn,) = script.all(act.ConfirmTurn)
    assert turn.text == "one two three four"
    assert turn.ended_at == pytest.approx(14.5)
    script.expect(State.SPEAKING)  # over the voice that goes on
    assert script.all(act.PausePlayout) == []
    script.run(17.0)
    script.expect(State.LISTENING)
    assert not script.conversation.floor.deaf


def test_silence_after_a_forced_end_does_not_move_it() -> None:
    script = greeted(longest_turn=3, partial_interval=0)
    script.recognition_takes = 1.0
    script.says("one two three four", 10.5, 14.6)  # forced at 14.5, silent before the words are there
    script.run(15.6)
    (turn,) = script.all(act.ConfirmTurn)
    assert turn.ended_at == pytest.approx(14.5)
    assert script.times(act.ConfirmTurn) == [pytest.approx(15.5)]


def test_a_caller_who_begins_anew_while_a_forced_turn_waits_for_its_words_is_heard_out_first() -> None:
    script = greeted(longest_turn=3, partial_interval=0)
    script.recognition_takes = 1.2
    script.says("one two three four", 10.5, 14.6)
    script.says("wait stop", 15.2, 16.2)
    script.run(15.75)
    assert script.confirmed == ["one two three four"]
    script.expect(State.OVERLAP)
    confirmed = kinds(script.since(15.65))[2:]
    assert confirmed == [act.ConfirmTurn, act.PlayAnswer, act.PausePlayout, act.OpenTurn, act.Recognise]
    assert script.all(act.OpenTurn)[-1].at == 15.2


def test_a_forced_turn_ends_where_it_was_forced_whatever_is_heard_while_it_waits_for_its_words() -> None:
    script = greeted(longest_turn=3, partial_interval=0)
    script.recognition_takes = 1.5
    script.says("one two three four", 10.5, 14.6)
    script.says("five", 15.0, 15.4)
    script.run(16.05)
    (turn,) = script.all(act.ConfirmTurn)
    assert turn.ended_at == pytest.approx(14.5)
    assert script.times(act.ConfirmTurn) == [pytest.approx(16.0)]


def test_a_mere_hint_while_a_forced_turn_waits_for_its_words_is_no_voice() -> None:
    script = greeted(longest_turn=3, partial_interval=0)
    script.recognition_takes = 1.2
    script.says("one two three four", 10.5, 14.6)
    script.schedule(15.55, ev.SpeechHinted(15.5))
    script.run(15.75)
    assert kinds(script.since(15.65))[2:] == [act.ConfirmTurn, act.PlayAnswer, act.PausePlayout]
    assert kinds(script.feed(ev.SilenceHinted(15.6))) == [act.ResumePlayout]


def test_a_forced_turn_does_not_wait_for_ever_for_words_while_the_voice_goes_on() -> None:
    script = greeted(longest_turn=3, partial_interval=0, wordless_after=30)
    script.recognition_takes = None
    script.says("one two three four five six", 10.5, 30.0)
    script.run(18.0)
    assert script.times(act.DiscardTurn) == [pytest.approx(14.5 + script.policy.recognition_timeout)]
    assert script.phrases == [Phrase.NOT_UNDERSTOOD]


def test_the_longest_turn_passes_in_a_pause_and_is_enforced_when_the_caller_goes_on() -> None:
    script = greeted(longest_turn=3)
    script.words = 0.0
    script.says("one two three", 10.5, 13.4)
    script.says("four five", 14.7, 16.0)  # the longest turn ends at 14.5
    script.run(15.2)
    assert script.confirmed == ["one two three"]


def test_a_voice_without_words_is_noise_and_ignored_until_it_stops() -> None:
    script = greeted()
    script.says("", 10.5, 20.0)
    script.run(16.6)
    assert script.discarded == ["noise"]
    script.expect(State.LISTENING)
    script.run(20.5)
    assert not script.conversation.floor.deaf
    script.says(QUESTION, 21.0, 22.5)
    script.run(24.0)
    assert script.confirmed == [QUESTION]


def test_noise_does_not_keep_the_call_alive() -> None:
    script = greeted()
    script.says("", 10.5, 300.0)
    script.run(120.0)
    assert script.ended == "caller silent"
    assert script.phrases == [Phrase.REPROMPT, Phrase.REPROMPT, Phrase.GOODBYE]


def test_noise_is_listened_to_again_once_the_agent_has_had_its_say() -> None:
    script = greeted()
    script.says("", 10.5, 40.0)
    script.run(24.5)
    assert script.phrases == [Phrase.REPROMPT]
    script.run(27.0)
    script.expect(State.HEARING)
    script.hear = lambda begins, until: "Yes, I am here."
    script.run(40.5)
    assert script.confirmed == ["Yes, I am here."]


def test_nobody_calls_a_voice_noise_without_having_listened() -> None:
    script = greeted(partial_interval=0)
    script.says(QUESTION, 10.5, 19.0)
    script.run(20.5)
    assert script.confirmed == [QUESTION]
    assert [round(at, 2) for at in script.times(act.Recognise)][:1] == [16.5]


def test_noise_is_called_noise_once_somebody_has_listened() -> None:
    script = greeted(partial_interval=0)
    script.says("", 10.5, 22.0)
    script.run(20.0)
    assert script.times(act.DiscardTurn) == [pytest.approx(19.5)]
    assert script.discarded == ["noise"]


def test_a_voice_that_goes_on_after_its_turn_was_given_up_opens_a_new_one() -> None:
    script = greeted()
    script.hear = lambda begins, until: ""
    script.line(
        (10.55, ev.SpeechHinted(10.5)),
        (10.62, ev.SpeechStarted(10.5)),
        (11.07, ev.SilenceHinted(11.0)),  # never certain
        (12.0, ev.SpeechHinted(11.97)),
    )
    script.run(11.9)
    script.expect(State.LISTENING)
    script.run(12.2)
    script.expect(State.HEARING)
    assert script.all(act.OpenTurn)[-1].at == 11.97


def test_noise_that_stops_just_as_it_is_called_noise_leaves_nobody_deaf() -> None:
    script = greeted()
    script.says("", 10.5, 16.4)  # silence is hinted at 16.47, wordless at 16.5, silence is certain at 16.56
    script.run(16.49)
    script.expect(State.HEARING)
    script.run(18.0)
    assert not script.conversation.floor.deaf
    assert script.discarded == ["no words"]
