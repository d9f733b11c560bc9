"""A caller who asks the agent to wait: which words say so, and what happens until the caller is back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Phrase
from agents.conversation.holding import MOST_WORDS, asks_to_wait
from agents.conversation.model import State
from agents.conversation.policy import HOLD_REQUESTS, TurnPolicy
from tests.agents.conversation.script import Script, greeted

POLICY = TurnPolicy()


@pytest.mark.parametrize(
    "text",
    [
        "Hold on.",
        "Hang on a second.",
        "One moment, please.",
        "Just a minute.",
        "Wait a second!",
        "Wait.",
        "Let me check.",
        "Um, let me see.",
        "Okay, hold on one sec, please.",
        "Sorry, can you hold on for a moment?",
        "Just a second, let me get my calendar.",
        "Give me a moment. I'll be right back.",
        "Bear with me, I’m looking.",
        "Yeah, sure, hang on, let me ask my wife.",
    ],
)
def test_these_words_ask_the_agent_to_wait(text: str) -> None:
    assert asks_to_wait(POLICY, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Okay, sure.",
        "Sorry, please.",
        "Hold on, that is not what I said.",
        "Wait, no.",
        "Wait, what time did you say?",
        "Let me check with you what I ordered.",
        "Let me see if I understand you.",
        "How long do I have to wait?",
        "Give me a table for four.",
        "I will be back on Tuesday.",
        "One moment of your time is all I want.",
        "hold on " * (MOST_WORDS // 2 + 1),
    ],
)
def test_these_words_say_something_else(text: str) -> None:
    assert not asks_to_wait(POLICY, text)


@given(st.lists(st.sampled_from(sorted(HOLD_REQUESTS)), min_size=1, max_size=2), st.sampled_from(["", ".", "!", "…"]))
def test_every_request_is_one_in_any_spelling_and_none_is_with_a_question_behind_it(asks: list[str], sign: str) -> None:
    text = f"{sign} ".join(asks) + sign
    assert asks_to_wait(POLICY, text.upper())
    assert not asks_to_wait(POLICY, f"{text} what do you cost")


def test_an_agents_own_requests_are_understood() -> None:
    policy = TurnPolicy.from_options({"hold_requests": ["Un attimo!"]})
    assert asks_to_wait(policy, "un attimo")
    assert not asks_to_wait(policy, "hold on")


def waiting(**options: float) -> Script:
    """A caller has asked the agent to wait and been told that there is time; the clock stands at 15."""
    script = greeted(**options)
    script.says("Hold on a second, please.", 10.5, 11.5)
    script.run(15.0)
    script.expect(State.LISTENING)
    return script


def test_a_caller_who_asks_to_wait_is_acknowledged_at_once_and_not_answered_by_the_model() -> None:
    script = waiting()
    assert script.confirmed == ["Hold on a second, please."]
    assert script.phrases == [Phrase.WAIT]
    assert not script.all(act.PlayAnswer)
    assert script.times(act.SayPhrase)[0] < 12.5


def test_a_caller_who_asked_to_wait_is_left_alone_and_then_prompted_as_ever() -> None:
    script = waiting()
    script.run(10.5 + 115.0)
    assert script.phrases == [Phrase.WAIT]
    script.run(200.0)
    assert script.phrases == [Phrase.WAIT, Phrase.REPROMPT, Phrase.REPROMPT, Phrase.GOODBYE]
    prompted = script.times(act.SayPhrase)
    assert prompted[1] == pytest.approx(prompted[0] + script.policy.hold_longest)
    assert prompted[2] - prompted[1] < 12.0


def test_a_caller_who_is_back_is_answered_and_prompted_as_ever() -> None:
    script = waiting()
    script.says("So, the fourth of May it is.", 60.0, 61.5)
    script.run(90.0)
    assert script.confirmed[-1] == "So, the fourth of May it is."
    assert Phrase.REPROMPT in script.phrases


@pytest.mark.parametrize("text", ["", "Um.", "Hm, well.", "Let me see.", "Just a minute."])
def test_sounds_and_muttering_do_not_end_the_wait(text: str) -> None:
    script = waiting()
    for start in (20.0, 30.0, 40.0):
        script.says(text, start, start + 1.6)
    script.run(100.0)
    assert script.phrases == [Phrase.WAIT]
    assert len(script.confirmed) == 1
    assert not script.all(act.PlayAnswer)
    script.expect(State.LISTENING)


def test_music_without_words_does_not_end_the_wait() -> None:
    script = waiting()
    script.says("", 20.0, 70.0)
    script.run(100.0)
    assert script.phrases == [Phrase.WAIT]
    assert script.discarded == ["noise"]
    script.says("Hello? I am back now.", 101.0, 102.0)
    script.run(104.0)
    assert script.confirmed[-1] == "Hello? I am back now."


def test_words_that_were_hardly_heard_do_not_end_the_wait() -> None:
    script = waiting()
    script.log_probability = script.policy.backchannel_log_probability - 0.1
    script.says("Baby one more time", 20.0, 22.0)
    script.run(60.0)
    assert script.discarded == ["on hold"]
    assert script.phrases == [Phrase.WAIT]


def test_muttering_does_not_make_the_wait_longer_and_another_request_does() -> None:
    script = waiting()
    script.says("Um.", 100.0, 100.5)
    script.run(135.0)
    assert script.phrases == [Phrase.WAIT, Phrase.REPROMPT]
    script = waiting()
    script.says("One more minute. Hold on.", 99.0, 99.2)
    script.says("Hold on.", 100.0, 100.5)
    script.hear = lambda begins, until: "Hold on."
    script.run(200.0)
    assert script.phrases == [Phrase.WAIT]


@pytest.mark.parametrize("event", [ev.KeyPressed("1"), ev.TextWritten("I am back"), ev.TextWritten("um")])
def test_keys_and_typed_messages_end_the_wait(event: ev.Event) -> None:
    script = waiting()
    script.feed(event)
    script.run(19.0)
    assert script.all(act.PlayAnswer)
    script.run(40.0)
    assert Phrase.REPROMPT in script.phrases


def test_a_typed_request_to_wait_is_acknowledged_each_time() -> None:
    script = waiting()
    script.feed(ev.TextWritten("hold on"))
    script.run(60.0)
    assert script.phrases == [Phrase.WAIT, Phrase.WAIT]
    assert not script.all(act.PlayAnswer)


def test_an_answer_of_the_models_can_ask_for_the_wait() -> None:
    script = greeted()

    def take_your_time(script: Script, answer_id: int) -> None:
        script.sound(
            answer_id,
            (script.now, ev.PlayoutStarted(answer_id)),
            (script.now + 0.1, ev.AnswerCompleted(answer_id, hold=True)),
            (script.now + 1.0, ev.PlayoutDrained(answer_id)),
        )

    script.reply = take_your_time
    script.says("I have to look for my number.", 10.5, 12.0)
    script.run(120.0)
    assert script.phrases == []
    script.expect(State.LISTENING)
    script.reply = Script.speak
    script.run(150.0)
    assert Phrase.REPROMPT in script.phrases


def test_an_answer_that_only_waits_needs_no_words() -> None:
    script = greeted()
    script.reply = lambda script, answer_id: script.schedule(
        script.now, ev.AnswerCompleted(answer_id, spoken=False, hold=True)
    )
    script.says("I have to look for my number.", 10.5, 12.0)
    script.run(100.0)
    assert script.phrases == []
    assert len(script.all(act.CloseAnswer)) == 1


def test_a_request_to_wait_interrupts_the_agent() -> None:
    script = greeted()
    script.sound_lasts = 10.0
    script.says("What do you have today?", 10.5, 12.0)
    script.says("Wait, wait.", 15.0, 15.8)
    script.run(17.5)
    assert act.CutPlayout in [type(action) for action in script.since(15.0)]
    assert script.phrases == [Phrase.WAIT]
    script.run(100.0)
    assert script.phrases == [Phrase.WAIT]
