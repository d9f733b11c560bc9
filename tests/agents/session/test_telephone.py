"""A session on the telephone: ended from outside, opting people out, waiting, transferring, timing its words."""

from __future__ import annotations

import pytest

from agents.llm.protocol import ToolCall
from agents.tools.builtin import DoNotCall, TransferTheCall, WaitForTheCaller
from tests.agents.llm.models import ScriptedModel
from tests.agents.session.stage import GREETING_ENDS, Stage, on_stage


def test_a_call_is_finished_with_last_words_in_place_of_the_answer() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Tell me everything.")
        await stage.until(lambda: len(stage.line.heard) > 80)
        stage.session.finish("We have to stop here. ", "no credits")
        stage.session.finish("Again.", "again")
        stage.says("No, wait!", 1.0)
        await stage.until(lambda: stage.line.hung_up is not None)

    stage = on_stage(ScriptedModel(["It is a very long story that goes on and on. And on."]), play)
    assert stage.line.hung_up == "no credits"
    assert stage.ledger.ends == ["no credits"]
    told, last = stage.ledger.turns[-2:]
    assert told.interrupted and told.transcript == "Tell me everything."
    assert (last.answer, last.heard, last.interrupted) == ("We have to stop here.", "We have to stop here.", False)


def test_a_call_that_is_finished_before_it_begins_says_its_last_words_only() -> None:
    async def play(stage: Stage) -> None:
        await stage.until(lambda: stage.line.hung_up is not None)

    def main(stage: Stage) -> None:
        stage.session.finish("Not today.", "refused")
        stage.session.finish("Again.", "again")

    stage = on_stage(ScriptedModel([]), play, before=main)
    assert stage.line.hung_up == "refused"
    assert [turn.heard for turn in stage.ledger.turns] == ["Not today."]


def test_a_call_that_is_over_is_not_finished_again() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.session.caller_left("left")
        stage.session.finish("Goodbye.", "asked to")

    assert on_stage(ScriptedModel([]), play).ledger.ends == ["left"]


OPT_OUT = "You will not be called again."


@pytest.mark.parametrize("outbound", [True, False])
def test_plain_words_suffice_not_to_be_called_again(outbound: bool) -> None:
    model = ScriptedModel(["But we have a wonderful offer for you."])

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Take me off your list.")
        await stage.until(lambda: len(stage.ledger.turns) >= 2)
        await stage.passes(3.0)

    stage = on_stage(model, play, outbound=outbound, opt_out=OPT_OUT)
    assert (("opt_out", {}) in stage.line.events) is outbound
    assert stage.line.hung_up == ("opted out" if outbound else "left")
    if outbound:
        assert [turn.heard for turn in stage.ledger.turns] == ["Hello there.", "", OPT_OUT]
        assert stage.answers[0].transcript == "Take me off your list."


def test_the_model_can_note_that_somebody_is_not_to_be_called_again() -> None:
    model = ScriptedModel([ToolCall("1", "do_not_call", "{}")])

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("I think I would rather not hear from you people.", 2.0)
        await stage.until(lambda: stage.line.hung_up is not None)

    stage = on_stage(model, play, tools={"do_not_call": DoNotCall()}, opt_out=OPT_OUT)
    assert [event for event, _ in stage.line.events].count("opt_out") == 1
    assert stage.line.hung_up == "opted out"
    assert stage.ledger.turns[-1].heard == OPT_OUT


def test_the_model_can_wait_for_the_caller() -> None:
    model = ScriptedModel(["Take your time.", ToolCall("1", "wait", "{}")])

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("I have to look for my card.")
        await stage.answered(1)
        await stage.passes(100.0)
        assert "Still there?" not in stage.voice.spoken
        await stage.passes(30.0)

    stage = on_stage(model, play, tools={"wait": WaitForTheCaller()})
    assert stage.answers[0].heard == "Take your time."
    assert "Still there?" in stage.voice.spoken


TRANSFER = {"target": "+39051123456", "name": "kitchen", "warm": True, "summary": "A table."}


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_call_is_transferred_when_everything_was_heard_and_not_when_the_caller_objects(interrupted: bool) -> None:
    arguments = '{"to": "kitchen", "warm": true, "summary": "A table."}'
    model = ScriptedModel(
        ["I will put you through to the kitchen now.", ToolCall("1", "transfer", arguments)], ["Fine, then not."]
    )

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Can I speak to the cook?")
        await stage.until(lambda: "I will put you through to the kitchen now." in stage.voice.spoken)
        await stage.passes(0.5)
        assert "transfer" not in [event for event, _ in stage.line.events]
        if interrupted:
            stage.says("No, do not do that, please.", 1.2)
            await stage.answered(2)
        else:
            await stage.until(lambda: stage.line.hung_up is not None)

    stage = on_stage(model, play, tools={"transfer": TransferTheCall({"kitchen": "+39051123456"})})
    told = [data for event, data in stage.line.events if event == "transfer"]
    assert told == ([] if interrupted else [TRANSFER])
    assert stage.line.hung_up == ("left" if interrupted else "transfer to +39051123456")


def test_the_stages_are_told_when_the_answer_begins_to_sound_and_once() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("What do you have?")
        await stage.until(lambda: any(event == "latency" for event, _ in stage.line.events))
        assert stage.line.playout is not None and stage.line.playout.waiting > 0
        stage.says("Uh-huh.", 0.4)
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["We have fish and meat and a great many vegetables."]), play)
    (latency,) = [data for event, data in stage.line.events if event == "latency"]
    assert latency["turn"] == stage.answers[0].turn_id
    assert {"transcript", "confirmed", "first_token", "first_audio", "first_sound"} <= latency.keys()


def test_words_of_both_sides_have_the_times_at_which_they_were_said_and_heard() -> None:
    asked: list[float] = []

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        asked.append(stage.now)
        asked.append(stage.says("What time do you close?", 1.5))
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["We close ", "at ten."]), play)
    greeting, turn = stage.ledger.turns
    assert [word.text for word in greeting.agent_words] == ["Hello", "there."]
    assert greeting.caller_words == ()
    caller = turn.caller_words
    assert " ".join(word.text for word in caller) == turn.transcript
    assert asked[0] - 0.1 <= caller[0].start < asked[0] + 0.2
    assert asked[1] - 0.2 < caller[-1].end <= asked[1] + 0.1
    agent = turn.agent_words
    assert [word.text for word in agent] == ["We", "close", "at", "ten."]
    heard = [at for at, _ in stage.line.heard if at > asked[1]]
    assert agent[0].start == pytest.approx(heard[0], abs=0.05)
    assert agent[-1].end == pytest.approx(heard[-1], abs=0.05)


def test_only_words_that_were_heard_have_times() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("What do you have?")
        await stage.until(lambda: "We have fish, meat and a great many vegetables." in stage.voice.spoken)
        await stage.passes(1.3)
        stage.says("Just fish please.", 1.2)
        await stage.answered(2)

    model = ScriptedModel(["We have fish, meat and a great many vegetables."], ["Only fish, then."])
    first, second = on_stage(model, play).answers
    assert first.interrupted
    assert " ".join(word.text for word in first.agent_words) == first.heard
    assert first.agent_words[-1].end <= second.caller_words[-1].end
    assert second.agent_words[0].start > second.caller_words[-1].end


def test_a_typed_message_has_no_times() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.session.write("A table for two")
        await stage.answered(1)

    (turn,) = on_stage(ScriptedModel(["Gladly."]), play).answers
    assert turn.caller_words == ()
    assert [word.text for word in turn.agent_words] == ["Gladly."]


def test_keys_silence_the_agent_and_are_one_turn() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Tell me everything.")
        await stage.until(lambda: len(stage.line.heard) > 80)
        for digit in "4217":
            stage.session.press(digit)
            await stage.passes(0.5)
        assert stage.line.heard[-1][0] < stage.now - 1.8
        stage.session.press("#")
        await stage.answered(2)

    model = ScriptedModel(["It is a very long story that goes on and on. And on."], ["Thank you."])
    first, second = on_stage(model, play).answers
    assert first.interrupted
    assert (second.transcript, second.heard, second.caller_words) == ("[keys pressed: 4217]", "Thank you.", ())
