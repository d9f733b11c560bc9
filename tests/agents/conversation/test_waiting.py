"""The call around the turns: greeting, silence of both, keys, typed text, the button, its limit and its end."""

from __future__ import annotations

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.model import Deadline, State
from agents.conversation.waiting import MOST_DIGITS
from tests.agents.conversation.script import Script, asked, greeted, kinds
from tests.agents.conversation.states import LIVE, in_state

QUESTION = "What time do you close today?"
AGENT = (State.THINKING, State.SPEAKING, State.OVERLAP)


def test_a_call_begins_with_a_greeting() -> None:
    script = Script()
    assert kinds(script.feed(ev.CallStarted())) == [act.SayPhrase]
    assert script.phrases == [Phrase.GREETING]
    script.expect(State.THINKING)
    script.run(0.1)
    script.expect(State.SPEAKING)
    script.run(2.1)
    script.expect(State.LISTENING)


def test_a_silent_caller_is_prompted_twice_and_then_told_goodbye() -> None:
    script = greeted().run(60.0)
    assert script.phrases == [Phrase.REPROMPT, Phrase.REPROMPT, Phrase.GOODBYE]
    prompts = script.times(act.SayPhrase)
    wait = script.policy.idle_after
    assert prompts == [pytest.approx(at) for at in (10 + wait, 10 + 2 * wait + 2.05, 10 + 3 * wait + 4.1)]
    assert script.ended == "caller silent"
    assert script.conversation.next_deadline() is None


def test_a_caller_who_answers_is_prompted_anew_later() -> None:
    script = greeted()
    script.says(QUESTION, 27.0, 28.5)
    script.run(60.0)
    assert script.phrases[:3] == [Phrase.REPROMPT, Phrase.REPROMPT, Phrase.REPROMPT]


def test_a_prompt_waits_for_a_voice_that_is_just_beginning() -> None:
    script = greeted()
    script.says(QUESTION, 17.94, 19.5)
    script.run(20.5)
    assert script.phrases == []
    assert script.confirmed == [QUESTION]


def test_a_prompt_does_not_wait_for_ever_for_a_hint_that_is_never_settled() -> None:
    script = greeted()
    script.schedule(17.99, ev.SpeechHinted(17.95))
    script.run(21.0)
    assert script.times(act.SayPhrase) == [pytest.approx(17.95 + script.policy.overlap_timeout)]


def test_a_click_before_the_prompt_does_not_delay_it() -> None:
    script = greeted()
    script.clicks(17.85)
    script.run(18.01)
    assert script.phrases == [Phrase.REPROMPT]


def test_keys_pressed_in_a_row_are_one_message() -> None:
    script = greeted()
    for at, digit in ((11.0, "1"), (12.5, "2"), (14.0, "*")):
        script.schedule(at, ev.KeyPressed(digit))
    script.run(17.0)
    assert script.confirmed == ["[keys pressed: 12*]"]
    assert script.times(act.ConfirmTurn) == [pytest.approx(16.0)]
    script.expect(State.SPEAKING)


def test_hash_ends_the_keys_at_once_and_is_nothing_by_itself() -> None:
    script = greeted()
    assert script.feed(ev.KeyPressed("#")) == []
    script.feed(ev.KeyPressed("4"))
    script.feed(ev.KeyPressed("2"))
    assert act.ConfirmTurn in kinds(script.feed(ev.KeyPressed("#")))
    assert script.confirmed == ["[keys pressed: 42]"]
    script.run(14.0)
    assert len(script.confirmed) == 1


def test_keys_without_end_are_taken_in_bounded_messages() -> None:
    script = greeted()
    for _ in range(MOST_DIGITS + 1):
        script.feed(ev.KeyPressed("7"))
    assert script.confirmed == [f"[keys pressed: {'7' * MOST_DIGITS}]"]
    assert script.conversation.floor.digits == "7"


def test_a_caller_who_is_pressing_keys_is_not_prompted() -> None:
    script = greeted(digits_after=3)
    script.schedule(17.5, ev.KeyPressed("1"))
    script.run(20.6)
    assert script.phrases == []
    assert script.confirmed == ["[keys pressed: 1]"]


def test_keys_pressed_before_the_last_phrase_do_not_cut_it() -> None:
    script = greeted(longest_call=10)  # until 17.95
    script.schedule(17.5, ev.KeyPressed("1"))
    script.run(40.0)
    assert script.phrases == [Phrase.TIME_IS_UP]
    assert script.confirmed == []
    assert script.ended == "call limit"


@pytest.mark.parametrize("state", LIVE)
def test_keys_silence_the_agent_and_become_a_turn_in_every_state(state: State) -> None:
    script = in_state(state)
    first = script.feed(ev.KeyPressed("5"))
    assert (act.CutPlayout in kinds(first)) == (state in AGENT)
    script.run(script.now + script.policy.digits_after + 0.01)
    assert script.confirmed[-1].endswith("[keys pressed: 5]")
    assert script.all(act.PlayAnswer)[-1].turn_id == script.all(act.ConfirmTurn)[-1].turn_id


@pytest.mark.parametrize("state", LIVE)
def test_typed_text_takes_the_floor_in_every_state(state: State) -> None:
    script = in_state(state)
    actions = script.feed(ev.TextWritten("  my number is five "))
    assert act.ConfirmTurn in kinds(actions)
    assert script.confirmed[-1].endswith("my number is five")
    assert (act.CutPlayout in kinds(actions)) == (state in AGENT)
    assert script.state in (State.THINKING, State.OVERLAP)
    played = [action for action in actions if isinstance(action, act.PlayAnswer)]
    prepared = [action for action in actions if isinstance(action, act.PrepareAnswer)]
    assert [p.answer_id for p in played] == [p.answer_id for p in prepared]
    assert prepared[0].text == script.confirmed[-1]


def test_what_was_being_said_goes_before_what_is_typed() -> None:
    script = greeted()
    script.says("My number is", 10.5, 12.0)
    script.run(12.27)
    script.feed(ev.TextWritten("555-0142"))
    assert script.confirmed == ["My number is 555-0142"]
    assert script.discarded == ["typed over"]


def test_what_was_said_over_the_agent_is_no_part_of_what_is_typed() -> None:
    script = asked()
    script.sound_lasts = 10.0
    script.hear = lambda begins, until: QUESTION if until < 13.0 else "Okay."
    script.says("Okay, I see.", 14.0, 15.0)
    script.run(14.6)
    script.expect(State.OVERLAP)
    assert script.conversation.floor.open_turn.text == "Okay."
    script.feed(ev.TextWritten("555-0142"))
    assert script.confirmed[-1] == "555-0142"


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_message_is_none(text: str) -> None:
    script = greeted()
    assert script.feed(ev.TextWritten(text)) == []


def test_a_caller_who_types_while_speaking_is_heard_out_before_the_answer() -> None:
    script = greeted()
    script.says("Hold on, I am typing it now.", 10.5, 13.0)
    script.run(11.0)
    actions = script.feed(ev.TextWritten("555-0142"))
    assert kinds(actions)[-3:] == [act.PlayAnswer, act.PausePlayout, act.OpenTurn]
    script.expect(State.OVERLAP)


def test_a_voice_after_a_typed_message_teaches_nothing_about_pauses() -> None:
    script = greeted()
    script.sound_takes = 3.0
    script.feed(ev.TextWritten("555-0142"))
    script.says("That is my number.", 10.5, 12.0)
    script.run(13.0)
    assert script.confirmed == ["555-0142", "That is my number."]
    assert list(script.conversation.floor.pauses._pauses) == []


@pytest.mark.parametrize("state", AGENT)
def test_the_button_silences_the_agent(state: State) -> None:
    script = in_state(state)
    actions = script.feed(ev.InterruptPressed())
    assert kinds(actions)[:2] == [act.CutPlayout, act.DropAnswer]
    assert script.state in (State.LISTENING, State.HEARING)
    assert script.conversation.floor.answer is None


@pytest.mark.parametrize("state", [state for state in LIVE if state not in AGENT])
def test_the_button_does_nothing_while_the_agent_is_silent(state: State) -> None:
    script = in_state(state)
    assert script.feed(ev.InterruptPressed()) == []
    script.expect(state)


def test_a_caller_who_presses_the_button_while_speaking_is_heard_from_there_on() -> None:
    script = asked()
    script.sound_lasts = 10.0
    script.says("No, I mean the other place.", 14.0, 16.0)
    script.run(14.3)
    script.feed(ev.InterruptPressed())
    script.expect(State.HEARING)
    assert script.discarded == ["silenced"]
    assert script.all(act.OpenTurn)[-1].at == 14.3


def test_a_voice_that_goes_on_after_the_button_needs_no_new_announcement() -> None:
    script = asked()
    script.sound_lasts = 10.0
    script.line(
        (14.05, ev.SpeechHinted(14.0)),
        (14.12, ev.SpeechStarted(14.0)),
        (14.3, ev.SilenceHinted(14.24)),
        (14.36, ev.SpeechHinted(14.33)),
    )
    script.run(14.38)
    script.feed(ev.InterruptPressed())
    script.expect(State.LISTENING)
    script.run(14.5)
    script.expect(State.HEARING)
    assert script.all(act.OpenTurn)[-1].at == 14.33


@pytest.mark.parametrize("state", LIVE)
def test_the_longest_call_ends_in_every_state_with_a_last_phrase(state: State) -> None:
    script = in_state(state)
    limit = script.now + 0.01
    script.conversation.floor.deadlines.set(Deadline.CALL, limit)
    script.run(limit)
    assert script.phrases[-1] is Phrase.TIME_IS_UP
    assert (act.CutPlayout in kinds(script.since(limit))) == (state in AGENT)
    assert script.conversation.floor.turn is None
    script.run(limit + 30.0)
    assert script.ended == "call limit"


def test_the_call_limit_is_counted_from_the_beginning() -> None:
    script = greeted(longest_call=20)
    script.run(60.0)
    assert script.phrases[-1] is Phrase.TIME_IS_UP
    assert script.times(act.SayPhrase)[-1] == pytest.approx(27.95)


def test_what_the_caller_does_during_the_last_phrase_changes_nothing() -> None:
    script = greeted(longest_call=3)
    script.sound_lasts = 5.0
    script.run(11.0)
    assert script.phrases == [Phrase.TIME_IS_UP]
    for event in (ev.KeyPressed("1"), ev.TextWritten("wait"), ev.InterruptPressed(), ev.SpeechHinted(11.0)):
        assert script.feed(event) == []
    script.run(17.0)
    assert script.ended == "call limit"


@pytest.mark.parametrize("state", LIVE)
def test_last_words_are_said_to_their_end_from_every_state(state: State) -> None:
    script = in_state(state)
    script.reply, script.sound_lasts = Script.speak, 4.0
    had_turn = script.conversation.floor.turn is not None
    began = script.now
    actions = script.feed(ev.FinishAsked("We have to stop here.", "no credits"))
    assert script.phrases[-1] is Phrase.LAST_WORDS
    assert script.all(act.SayPhrase)[-1].text == "We have to stop here."
    assert (act.CutPlayout in kinds(actions)) == (state in AGENT)
    assert (act.DiscardTurn in kinds(actions)) == had_turn
    script.says("No, wait, I am not done at all.", began + 0.5, began + 2.5)
    script.schedule(began + 1.0, ev.KeyPressed("1"))
    script.schedule(began + 1.5, ev.TextWritten("wait"))
    script.schedule(began + 2.0, ev.InterruptPressed())
    script.run(began + 4.0)
    assert script.ended is None
    script.run(began + 4.2)
    assert script.ended == "no credits"
    assert not any(isinstance(action, act.PausePlayout | act.OpenTurn) for action in script.since(began + 0.01))


@pytest.mark.parametrize("state", LIVE)
def test_a_call_is_finished_once(state: State) -> None:
    script = in_state(state)
    script.reply, script.sound_lasts = Script.speak, 2.0
    script.feed(ev.FinishAsked("One.", "first"))
    assert script.feed(ev.FinishAsked("Two.", "second")) == []
    script.run(script.now + 5.0)
    assert [action.text for action in script.all(act.SayPhrase)][-1] == "One."
    assert script.ended == "first"


def test_a_call_that_says_goodbye_is_not_finished_again() -> None:
    script = greeted(longest_call=3)
    script.sound_lasts = 5.0
    script.run(11.0)
    assert script.feed(ev.FinishAsked("Bye.", "asked to")) == []
    script.run(17.0)
    assert script.ended == "call limit"


@pytest.mark.parametrize("state", LIVE)
def test_last_words_that_nobody_hears_end_the_call_all_the_same(state: State) -> None:
    script = in_state(state, closing_timeout=5)
    script.reply = Script.keep_silent
    asked_at = script.now
    script.feed(ev.FinishAsked("Goodbye.", "asked to"))
    script.run(asked_at + 5.1)
    assert script.ended == "asked to"
    assert script.times(act.EndCall)[0] <= asked_at + 5.0 + 1e-9


def test_last_words_are_the_end_whatever_was_owed() -> None:
    script = in_state(State.OVERLAP)
    script.feed(ev.FinishAsked("", "asked to"))
    answer = script.conversation.floor.current_answer
    script.feed(ev.AnswerCompleted(answer.id, spoken=False))
    assert script.ended == "asked to"


@pytest.mark.parametrize("state", [State.NEW, *LIVE])
def test_a_caller_who_leaves_ends_the_call_in_every_state(state: State) -> None:
    script = in_state(state)
    turn, answer = script.conversation.floor.turn, script.conversation.floor.answer
    actions = script.feed(ev.CallerLeft("hung up"))
    assert kinds(actions)[-1] is act.EndCall
    assert script.ended == "hung up"
    assert (act.DiscardTurn in kinds(actions)) == (turn is not None)
    assert (act.DropAnswer in kinds(actions)) == (answer is not None)
    script.expect(State.ENDED)
    assert script.conversation.next_deadline() is None


def test_nothing_happens_after_the_end() -> None:
    script = in_state(State.ENDED)
    for event in (ev.CallStarted(), ev.SpeechStarted(20.0), ev.TextWritten("hello"), ev.CallerLeft("again")):
        assert script.feed(event) == []
    assert script.conversation.tick(1e9) == []


def test_the_last_action_names_the_turn_the_call_ended_in() -> None:
    script = asked().run(13.0)
    turn = script.all(act.ConfirmTurn)[0].turn_id
    assert script.feed(ev.CallerLeft("hung up"))[-1] == act.EndCall(turn, "hung up")
