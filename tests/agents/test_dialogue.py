"""The dialogue: what is said, what is done, and what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from agents.dialogue import (
    TOOL_ROUNDS,
    Dialogue,
    DialogueError,
    Done,
    EndCall,
    Filler,
    Piece,
    Say,
    SendDigits,
)
from agents.history import INTERRUPTED
from agents.knowledge import Knowledge
from agents.llm.protocol import ChatError, Delta, Message, ToolCall, ToolSpec, Usage
from agents.tools.builtin import EndTheCall, SendTheDigits
from agents.tools.tool import Outcome, ToolError
from media.language.embeddings import Vectors
from media.worker import WorkerFull
from tests.agents.llm.models import ScriptedModel
from tests.virtual_time import run_virtual

FOUR = Outcome("four guests")


@dataclass
class FakeTool:
    """A tool that takes its time and tells what happened to it."""

    name: str = "look"
    safe: bool = True
    seconds: float = 0.0
    timeout: float = 10.0
    outcome: Outcome | Exception = FOUR
    ran: list[Mapping[str, Any]] = field(default_factory=list)
    cancelled: int = 0

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, "Looks.", {"type": "object", "properties": {"id": {"type": "integer"}}})

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        self.ran.append(arguments)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def call(name: str = "look", arguments: str = "{}", number: int = 1) -> ToolCall:
    return ToolCall(f"c{number}", name, arguments)


def dialogue(model: ScriptedModel, *tools: Any, **options: Any) -> Dialogue:
    named = {tool.spec.name: tool for tool in tools}
    return Dialogue(model, system_prompt="Be brief.", tools=named, **options)


def confirmed() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def answer(
    talk: Dialogue, text: str = "Hello", turn: int = 1, committed: asyncio.Event | None = None
) -> list[Piece]:
    stream = talk.answer(text, turn_id=turn, committed=committed or confirmed())
    return [piece async for piece in stream]


def spoken(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Say))


def told(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages if message.role != "system"]


async def test_the_first_clause_comes_before_the_model_has_finished() -> None:
    rest = asyncio.Event()
    talk = dialogue(ScriptedModel(["Booking 4821 is on my", " screen, ", rest, "and we close at ten.", Usage(9, 12)]))
    async with aclosing(talk.answer("Hello", turn_id=1, committed=confirmed())) as pieces:
        assert await anext(pieces) == Say("Booking 4821 is on my screen,")
        rest.set()
        assert [piece async for piece in pieces] == [Say(" and we close at ten."), Done(Usage(9, 12), (), "scripted")]


async def test_nothing_is_remembered_before_the_turn_is_committed() -> None:
    model = ScriptedModel(["Yes."])
    talk = dialogue(model)
    await answer(talk, "A table for", 1)
    await answer(talk, "A table for four people", 1)
    assert told(model.requests[1]) == [("user", "A table for four people")]
    talk.commit(1, "A table for four people")
    talk.heard(1, "Yes.", interrupted=False)
    await answer(talk, "Tonight", 2)
    assert told(model.requests[2]) == [
        ("user", "A table for four people"),
        ("assistant", "Yes."),
        ("user", "Tonight"),
    ]


async def test_history_keeps_what_was_heard_and_that_it_was_interrupted() -> None:
    model = ScriptedModel(["We are open from eleven until ten."])
    talk = dialogue(model)
    talk.said(0, "Good day!")
    talk.heard(0, "Good day!", interrupted=False)
    await answer(talk, "When?", 1)
    talk.commit(1, "When?")
    talk.heard(1, "We are open", interrupted=True)
    await answer(talk, "On Sunday?", 2)
    assert told(model.requests[1]) == [
        ("assistant", "Good day!"),
        ("user", "When?"),
        ("assistant", f"We are open {INTERRUPTED}"),
        ("user", "On Sunday?"),
    ]


async def test_an_answer_nobody_heard_leaves_both_texts_as_one() -> None:
    model = ScriptedModel(["Gladly."])
    talk = dialogue(model)
    await answer(talk, "A table for", 1)
    talk.commit(1, "A table for")
    talk.heard(1, "", interrupted=True)
    await answer(talk, "four people", 2)
    assert told(model.requests[1]) == [("user", "A table for\nfour people")]


async def test_words_that_come_late_do_not_change_what_was_heard() -> None:
    rest = asyncio.Event()
    model = ScriptedModel(["We are open. ", rest, "Every day."], ["Yes."])
    talk = dialogue(model)
    async with aclosing(talk.answer("When?", turn_id=1, committed=confirmed())) as pieces:
        await anext(pieces)
        talk.commit(1, "When?")
        talk.heard(1, "We are", interrupted=True)
        rest.set()
        assert isinstance(await anext(pieces), Say)
    await answer(talk, "What?", 2)
    assert told(model.requests[1])[1] == ("assistant", f"We are {INTERRUPTED}")


async def test_a_failed_answer_is_tried_again_without_its_first_try() -> None:
    model = ScriptedModel([ChatError("busy", retryable=True)], ["At ten."])
    talk = dialogue(model)
    talk.commit(1, "When?")
    with pytest.raises(DialogueError, match="busy"):
        await answer(talk, "When?", 1)
    await answer(talk, "When?", 1)
    assert told(model.requests[1]) == [("user", "When?")]


async def test_half_an_answer_is_given_out_before_the_error() -> None:
    talk = dialogue(ScriptedModel(["We close at ten. And", ChatError("broke off", retryable=True)]))
    heard: list[Piece] = []
    with pytest.raises(DialogueError, match="broke off"):
        async for piece in talk.answer("When?", turn_id=1, committed=confirmed()):
            heard.append(piece)
    assert spoken(heard) == "We close at ten."


async def test_an_answer_without_words_is_an_error() -> None:
    with pytest.raises(DialogueError, match="nothing to say"):
        await answer(dialogue(ScriptedModel(["🙂 *"])))


async def test_the_mark_of_an_interruption_is_never_spoken() -> None:
    assert spoken(await answer(dialogue(ScriptedModel([f"We close at ten {INTERRUPTED}"])))) == "We close at ten "


async def test_a_tools_result_goes_back_to_the_model() -> None:
    tool = FakeTool()
    model = ScriptedModel(["Let me see. ", call(arguments='{"id": 7}'), Usage(5, 2)], ["Four guests.", Usage(8, 3)])
    talk = dialogue(model, tool)
    pieces = await answer(talk, "How many?", 1)
    assert pieces[:2] == [Say("Let me see."), Say("Four guests.")]
    assert pieces[-1] == Done(Usage(13, 5), ("look",), "scripted")
    assert tool.ran == [{"id": 7}]
    assert model.requests[1][-2:] == [
        Message("assistant", "Let me see. ", (call(arguments='{"id": 7}'),)),
        Message("tool", "four guests", tool_call_id="c1"),
    ]
    talk.commit(1, "How many?")
    talk.heard(1, "Let me see. Four guests.", interrupted=False)
    await answer(talk, "Thanks", 2)
    assert [message.role for message in model.requests[2]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert model.requests[2][4].content == "Let me see. Four guests."


@pytest.mark.parametrize(
    ("requested", "outcome", "result"),
    [
        (call(), ToolError("the service is down"), "Error: the service is down"),
        (call(), RuntimeError("a bug"), "Error: it failed"),
        (call("fly"), Outcome("x"), "Error: there is no tool fly; there are: look"),
        (call(arguments="{"), Outcome("x"), "Error: the arguments are not JSON"),
        (call(arguments='{"id": "x"}'), Outcome("x"), "Error: wrong arguments: id"),
    ],
)
async def test_a_tool_that_fails_is_told_to_the_model(requested: ToolCall, outcome: Any, result: str) -> None:
    model = ScriptedModel([requested], ["I am sorry."])
    await answer(dialogue(model, FakeTool(outcome=outcome)))
    assert model.requests[1][-1].content.startswith(result)


def test_a_slow_tool_is_given_up() -> None:
    async def main() -> None:
        model = ScriptedModel([call()], ["I am sorry."])
        tool = FakeTool(seconds=60, timeout=3)
        await answer(dialogue(model, tool))
        assert model.requests[1][-1].content == "Error: it did not answer in time"
        assert tool.cancelled == 1

    run_virtual(main)


def test_tools_of_one_round_run_side_by_side() -> None:
    async def main() -> None:
        model = ScriptedModel([call("one"), call("two", number=2)], ["Done."])
        tools = [FakeTool("one", seconds=5, outcome=Outcome("1")), FakeTool("two", seconds=4, outcome=Outcome("2"))]
        began = asyncio.get_running_loop().time()
        await answer(dialogue(model, *tools))
        assert asyncio.get_running_loop().time() - began == pytest.approx(5)
        assert [message.content for message in model.requests[1][-2:]] == ["1", "2"]

    run_virtual(main)


def test_a_long_wait_is_covered_once_and_never_with_the_same_words() -> None:
    async def main() -> None:
        model = ScriptedModel([call()], ["One."], [call()], ["Two."])
        talk = dialogue(model, FakeTool(seconds=5), fillers=["One moment.", "Just a second."])
        assert (await answer(talk))[:2] == [Filler("One moment."), Say("One.")]
        assert (await answer(talk, turn=2))[:2] == [Filler("Just a second."), Say("Two.")]

    run_virtual(main)


@pytest.mark.parametrize(("script", "seconds"), [([call()], 0.9), (["Let me see.", call()], 5)])
def test_a_short_wait_or_one_that_was_announced_needs_no_filler(script: list[str | Delta], seconds: float) -> None:
    async def main() -> None:
        talk = dialogue(ScriptedModel(script, ["One."]), FakeTool(seconds=seconds), fillers=["One moment."])
        assert not any(isinstance(piece, Filler) for piece in await answer(talk))

    run_virtual(main)


def test_a_tool_with_effects_waits_for_the_turn_and_a_safe_one_does_not() -> None:
    async def main() -> None:
        safe, unsafe = FakeTool("safe"), FakeTool("unsafe", safe=False)
        model = ScriptedModel([call("safe"), call("unsafe", number=2)], ["Done."])
        committed = asyncio.Event()
        talk = dialogue(model, safe, unsafe, fillers=["One moment."])
        task = asyncio.ensure_future(answer(talk, committed=committed))
        await asyncio.sleep(30)
        assert (len(safe.ran), len(unsafe.ran)) == (1, 0)
        committed.set()
        assert (await task)[:-1] == [Say("Done.")]
        assert len(unsafe.ran) == 1

    run_virtual(main)


def test_a_discarded_answer_runs_no_tool_with_effects() -> None:
    async def main() -> None:
        tool = FakeTool(safe=False)
        talk = dialogue(ScriptedModel([call()]), tool)
        task = asyncio.ensure_future(answer(talk, committed=asyncio.Event()))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert tool.ran == []
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main)


def test_closing_an_answer_cancels_its_tools_and_its_model() -> None:
    async def main() -> None:
        tool = FakeTool(seconds=60)
        talk = dialogue(ScriptedModel(["Let me see.", call()]), tool)
        task = asyncio.ensure_future(answer(talk))
        await asyncio.sleep(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert tool.cancelled == 1
        model = ScriptedModel(["We close at ten. ", asyncio.Event()])
        stream = dialogue(model).answer("Hi", turn_id=1, committed=confirmed())
        await anext(stream)
        await stream.aclose()
        assert model.open == 0

    run_virtual(main)


async def test_a_model_that_only_calls_tools_has_to_answer_in_the_end() -> None:
    model = ScriptedModel(*[[call()]] * TOOL_ROUNDS, ["Enough."])
    assert spoken(await answer(dialogue(model, FakeTool()))) == "Enough."
    assert model.offered == [["look"]] * TOOL_ROUNDS + [[]]


async def test_the_call_ends_after_the_models_goodbye() -> None:
    pieces = await answer(dialogue(ScriptedModel(["Goodbye!", call("end_call", '{"reason": "done"}')]), EndTheCall()))
    assert pieces == [Say("Goodbye!"), EndCall("done"), Done(None, ("end_call",), "scripted")]


async def test_a_model_that_hangs_up_without_a_word_says_goodbye() -> None:
    talk = dialogue(ScriptedModel([call("end_call")]), EndTheCall(), goodbyes=["Thank you, goodbye!"])
    assert (await answer(talk))[:2] == [Say("Thank you, goodbye!"), EndCall("agent")]


async def test_digits_are_sent_and_the_answer_goes_on() -> None:
    talk = dialogue(ScriptedModel([call("send_digits", '{"digits": "1#"}')], ["Pressed."]), SendTheDigits())
    assert (await answer(talk))[:2] == [SendDigits("1#"), Say("Pressed.")]


def test_the_first_token_is_timed_on_the_loops_clock() -> None:
    async def main() -> None:
        talk = dialogue(ScriptedModel(["Hello."]))
        now = asyncio.get_running_loop().time()
        assert talk.first_token_at(1) is None
        await answer(talk)
        assert talk.first_token_at(1) == now
        assert talk.first_token_at(2) is None

    run_virtual(main)


async def test_warming_up_shows_the_model_how_the_conversation_begins() -> None:
    model = ScriptedModel(["x"])
    await dialogue(model).warm_up()
    assert model.warmed == [[Message("system", "Be brief.")]]


class Similarity:
    """An `Embedder` that gives every text the same vector, or fails."""

    name = "fixed"

    def __init__(self, *vector: float, error: Exception | None = None) -> None:
        self._vector, self._error = vector, error

    async def embed(self, texts: Sequence[str], *, deadline: float) -> Vectors:
        if self._error is not None:
            raise self._error
        return np.array([self._vector] * len(texts), np.float32)


def knowing(embedder: Similarity) -> Knowledge:
    """Knows when the house closes (first axis) and that dogs are welcome (second)."""
    return Knowledge(
        embedder, [("When do you close?", "We close at ten.")], ["Dogs are welcome."], np.eye(2, dtype=np.float32)
    )


async def test_facts_are_told_with_the_callers_words_and_not_remembered() -> None:
    model = ScriptedModel(["Yes."])
    talk = dialogue(model, knowledge=knowing(Similarity(0.5, 0.8)))
    await answer(talk, "May I bring my dog?", 1)
    text = model.requests[0][-1].content
    assert text.index("Dogs are welcome.") < text.index("We close at ten.") < text.index("May I bring my dog?")
    talk.commit(1, "May I bring my dog?")
    await answer(talk, "Good", 2)
    assert told(model.requests[1])[0] == ("user", "May I bring my dog?")


async def test_a_strong_match_is_answered_without_the_model() -> None:
    model = ScriptedModel(["x"])
    talk = dialogue(model, knowledge=knowing(Similarity(0.9, 0.1)), direct_answers=True)
    assert await answer(talk) == [Say("We close at ten."), Done(source="knowledge")]
    assert model.requests == []
    assert talk.first_token_at(1) is not None


async def test_a_weak_match_is_not_guessed_at() -> None:
    model = ScriptedModel(["x"])
    knowledge = knowing(Similarity(0.5, 0.1))
    talk = dialogue(model, knowledge=knowledge, direct_answers=True, unknown=["I do not know."])
    assert spoken(await answer(talk)) == "I do not know."
    far = dialogue(model, knowledge=knowing(Similarity(0.3, 0.1)), direct_answers=True, unknown=["I do not know."])
    assert spoken(await answer(far)) == "x"


async def test_a_tiny_model_is_shown_known_questions_as_examples() -> None:
    model = ScriptedModel(["x"])
    await answer(dialogue(model, knowledge=knowing(Similarity(0.5, 0.6)), examples=True), "Late?")
    assert told(model.requests[0]) == [
        ("user", "When do you close?"),
        ("assistant", "We close at ten."),
        ("user", "Late?"),
    ]


async def test_without_embeddings_the_model_answers_alone() -> None:
    model = ScriptedModel(["Hello."])
    talk = dialogue(model, knowledge=knowing(Similarity(error=WorkerFull("embeddings"))), direct_answers=True)
    assert spoken(await answer(talk)) == "Hello."
