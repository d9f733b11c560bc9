"""A whole session in virtual time: the core, the driver, the dialogue and the playout together."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from agents.conversation.policy import TurnPolicy
from agents.llm.protocol import ChatError, ToolCall
from agents.tools.builtin import EndTheCall
from media.worker import WorkerFull
from tests.agents.llm.models import ScriptedModel
from tests.agents.session.stage import GREETING_ENDS, Stage, on_stage
from tests.virtual_time import run_virtual


def test_a_caller_is_greeted_and_answered() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("What time do you close?")
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["We close ", "at ten."]), play)
    assert stage.voice.spoken == ["Hello there.", "We close at ten."]
    (turn,) = stage.answers
    assert (turn.transcript, turn.answer, turn.heard) == (
        "What time do you close?",
        "We close at ten.",
        "We close at ten.",
    )
    assert not turn.interrupted
    assert stage.ledger.ends == ["left"]


def test_the_answer_is_under_way_before_the_turn_is_confirmed() -> None:
    async def play(stage: Stage) -> None:
        stage.melody.value = 0.5
        await stage.passes(GREETING_ENDS)
        stage.says("What time do you close?")
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["At ten."]), play)
    times = stage.answers[0].timeline
    assert times.answer_begun is not None and times.confirmed is not None and times.first_audio is not None
    assert times.answer_begun < times.first_audio < times.confirmed
    assert times.first_sound == times.confirmed


def silences(stage: Stage, since: float) -> list[float]:
    """Seconds between the frames of speech that were heard, where they did not follow each other."""
    times = [at for at, _ in stage.line.heard if at >= since]
    return [round(b - a, 2) for a, b in pairwise(times) if b - a > 0.03]


def test_on_a_busy_machine_speech_begins_when_it_will_not_break_off() -> None:
    began = 0.0

    async def play(stage: Stage) -> None:
        nonlocal began
        await stage.passes(GREETING_ENDS)
        stage.voice.takes = (
            0.12,
            0.35,
            0.3,
            0.1,
        )  # a stretch sounds for 0.2 s: begun at once, it would break off twice
        began = stage.says("What time do you close?")
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["We close at ten, and on Sundays at eight."]), play)
    assert silences(stage, began) == []
    assert stage.answers[0].heard == "We close at ten, and on Sundays at eight."


def test_speech_begins_with_its_first_stretch_where_the_next_comes_soon() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.voice.takes = (0.0, 0.1, 0.1, 0.1)
        stage.words.value = stage.melody.value = 0.99
        stage.says("What time do you close?")
        await stage.answered(1)

    model = ScriptedModel(["We close at ten, and on Sundays at eight."])
    stage = on_stage(model, play, policy=TurnPolicy(partial_interval=0.0, shortest_silence=0.02))
    times = stage.answers[0].timeline
    assert times.first_audio is not None and times.first_sound is not None
    assert times.first_sound == max(times.first_audio, times.confirmed or 0.0)


def test_a_pause_with_unfinished_words_does_not_end_the_turn() -> None:
    model = ScriptedModel(["For four, then."])

    async def play(stage: Stage) -> None:
        stage.words.value = 0.0
        await stage.passes(GREETING_ENDS)
        end = stage.says("I would like a table for")
        stage.says("I would like a table for four people.", at=end + 0.9)
        await stage.passes(2.5)
        stage.words.value = 0.9
        await stage.answered(1)

    stage = on_stage(model, play)
    assert [turn.transcript for turn in stage.answers] == ["I would like a table for four people."]
    assert stage.answers[0].heard == "For four, then."


def test_an_interruption_cuts_the_answer_and_history_keeps_the_words_that_were_heard() -> None:
    model = ScriptedModel(["We have fish, meat and a great many vegetables."], ["Only fish, then."])

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("What do you have?")
        await stage.until(lambda: "We have fish, meat and a great many vegetables." in stage.voice.spoken)
        await stage.passes(1.3)
        stage.says("Just fish please.", 1.2)
        await stage.answered(2)

    stage = on_stage(model, play)
    first, second = stage.answers
    assert first.interrupted
    assert first.heard
    assert first.answer.startswith(first.heard) and first.heard != first.answer
    assert second.heard == "Only fish, then."
    told = [message.content for message in model.requests[-1]]
    assert any(first.heard in text and "vegetables" not in text for text in told)


def test_the_agent_is_silent_soon_after_the_caller_begins_to_speak() -> None:
    began: list[float] = []

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Tell me everything.")
        await stage.until(lambda: len(stage.line.heard) > 80)
        began.append(stage.now)
        stage.says("Stop right there.", 1.5)
        await stage.answered(2)

    stage = on_stage(ScriptedModel(["It is a very long story that goes on and on. And on."], ["Fine."]), play)
    over = [at for at, _ in stage.line.heard if began[0] < at < began[0] + 1.5]
    assert max(over, default=began[0]) - began[0] < 0.12
    assert stage.answers[0].interrupted


def test_a_backchannel_lets_the_answer_go_on_without_losing_a_sample() -> None:
    long = "We have fish and meat and a great many vegetables."

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("What do you have?")
        await stage.until(lambda: len(stage.line.heard) > 80)
        stage.says("Uh-huh.", 0.4)
        await stage.answered(1)

    stage = on_stage(ScriptedModel([long]), play, phrases={})
    (turn,) = stage.answers
    assert turn.heard == long
    assert not turn.interrupted
    faded = 5 * 8  # samples of the ramp after the pause
    samples = stage.spoken_samples()
    expected = round(len(long) * 0.05 * 8000)
    assert abs(len(samples) - expected) <= 1
    assert (samples[1:] <= samples[:-1]).sum() <= faded


def test_a_model_that_fails_is_asked_again_and_then_apologised_for() -> None:
    model = ScriptedModel([ChatError("broken", retryable=False)])

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Are you there?")
        await stage.until(lambda: "I am sorry." in stage.voice.spoken)
        await stage.passes(3.0)

    stage = on_stage(model, play)
    assert len(model.requests) >= 2
    assert stage.answers[0].error is not None


def test_a_model_that_never_works_ends_in_a_polite_goodbye() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Are you there?")
        await stage.until(lambda: "I am sorry." in stage.voice.spoken)
        await stage.passes(2.0)
        stage.says("Hello?")
        await stage.until(lambda: stage.line.hung_up is not None)

    stage = on_stage(ScriptedModel([ChatError("broken", retryable=False)]), play)
    assert stage.voice.spoken[-1] == "Goodbye."
    assert stage.ledger.ends == ["answers failed"]


def test_a_slow_model_is_bridged_by_a_phrase() -> None:
    slow = asyncio.Event()

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Look it up.")
        await stage.until(lambda: "One moment." in stage.voice.spoken)
        slow.set()
        await stage.answered(1)

    stage = on_stage(ScriptedModel([slow, "Here it is."]), play)
    assert stage.answers[0].heard.endswith("Here it is.")
    assert stage.answers[0].timeline.first_sound is not None


def test_a_broken_voice_does_not_leave_a_dead_line() -> None:
    async def play(stage: Stage) -> None:
        stage.voice.error = RuntimeError("no voice")
        await stage.passes(1.0)
        stage.says("Hello?")
        await stage.until(lambda: stage.line.hung_up is not None)

    stage = on_stage(ScriptedModel(["Hi."]), play)
    assert stage.ledger.ends == ["voice failed"]


@pytest.mark.parametrize("error", [WorkerFull("recognition"), RuntimeError("broken")])
def test_a_recogniser_that_fails_is_spoken_about(error: Exception) -> None:
    async def play(stage: Stage) -> None:
        stage.recogniser.error = error
        await stage.passes(GREETING_ENDS)
        stage.says("Hello?")
        await stage.until(lambda: "Say again?" in stage.voice.spoken)

    on_stage(ScriptedModel(["Hi."]), play)


@pytest.mark.parametrize("judge", ["words", "melody"])
def test_a_judge_that_fails_only_makes_the_turn_end_later(judge: str) -> None:
    async def play(stage: Stage) -> None:
        getattr(stage, judge).error = RuntimeError("broken")
        await stage.passes(GREETING_ENDS)
        stage.says("Hello?")
        await stage.answered(1)

    assert on_stage(ScriptedModel(["Hi."]), play).answers[0].heard == "Hi."


def test_a_silent_caller_is_prompted_twice_and_then_taken_leave_of() -> None:
    async def play(stage: Stage) -> None:
        await stage.until(lambda: stage.line.hung_up is not None)

    stage = on_stage(ScriptedModel(["never"]), play)
    assert stage.voice.spoken == ["Hello there.", "Still there?", "Still there?", "Goodbye."]
    assert stage.ledger.ends == ["caller silent"]


def test_a_typed_message_is_answered() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.session.write("What time do you close?")
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["At ten."]), play)
    assert (stage.answers[0].transcript, stage.answers[0].heard) == ("What time do you close?", "At ten.")


def test_the_agent_hangs_up_after_its_last_words_were_heard() -> None:
    model = ScriptedModel(["Goodbye then. ", ToolCall("1", "end_call", '{"reason": "done"}')])

    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("That is all.")
        await stage.until(lambda: stage.line.hung_up is not None)

    stage = on_stage(model, play, tools={"end_call": EndTheCall()})
    assert stage.answers[0].heard == "Goodbye then."
    assert len(stage.ledger.ends) == 1


def test_a_caller_who_leaves_in_the_middle_of_an_answer_leaves_nothing_running() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("Tell me everything.")
        await stage.until(lambda: len(stage.line.heard) > 60)

    stage = on_stage(ScriptedModel(["A very long story, to be told at length."]), play)
    assert stage.ledger.ends == ["left"]
    assert stage.answers[0].heard in stage.answers[0].answer


def test_a_cancelled_session_keeps_its_record() -> None:
    async def main() -> Stage:
        stage = Stage(ScriptedModel(["Yes."]))
        call = asyncio.ensure_future(stage.session.run())
        await asyncio.sleep(0.5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return stage

    stage = run_virtual(main)
    assert stage.ledger.ends == ["cancelled"]


def test_calls_after_the_end_change_nothing() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(0.5)

    stage = on_stage(ScriptedModel(["Yes."]), play)
    stage.session.heard(100)
    stage.session.press("1")
    stage.session.write("hello")
    stage.session.caller_left("again")
    assert stage.ledger.ends == ["left"]


def test_events_tell_what_happens_in_order() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("What time do you close?")
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["At ten."]), play)
    kinds = [kind for kind, _ in stage.line.events]
    words = [data["text"] for kind, data in stage.line.events if kind == "word"]
    assert words == ["Hello", "there.", "At", "ten."]
    assert [data["text"] for kind, data in stage.line.events if kind == "saying"] == ["Hello there.", "At ten."]
    spans = [(data["start"], data["end"]) for kind, data in stage.line.events if kind == "word"]
    assert spans == [(0, 5), (6, 12), (0, 2), (3, 7)]
    assert kinds.index("saying") < kinds.index("word")
    assert kinds.index("saying") < kinds.index("latency") < kinds.index("answer", kinds.index("transcript"))
    states = [data["state"] for kind, data in stage.line.events if kind == "state"]
    assert states[0] == "thinking"
    assert "speaking" in states


def test_events_tell_when_the_caller_speaks_and_pauses() -> None:
    async def play(stage: Stage) -> None:
        await stage.passes(GREETING_ENDS)
        stage.says("What time do you close?")
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["At ten."]), play)
    events = [(kind, data) for kind, data in stage.line.events if kind in ("caller", "state")]
    assert [data["speaking"] for kind, data in events if kind == "caller"] == [True, False]
    paused = events.index(("caller", {"speaking": False}))
    thinks = [number for number, (_, data) in enumerate(events) if data.get("state") == "thinking"]
    assert paused < thinks[-1]


def test_partial_hypotheses_are_asked_for_only_while_the_recogniser_is_idle() -> None:
    async def play(stage: Stage) -> None:
        stage.recogniser.busy = True
        await stage.passes(GREETING_ENDS)
        stage.says("What time do you close today, if I may ask?", 3.0)
        await stage.answered(1)

    stage = on_stage(ScriptedModel(["At ten."]), play, policy=TurnPolicy())
    assert stage.recogniser.requests == 1
