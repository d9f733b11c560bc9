"""A second try and a second model."""

from __future__ import annotations

import asyncio

import pytest

from agents.llm.fallback import FallbackChat
from agents.llm.protocol import ChatError, Message, TextDelta
from tests.agents.llm.models import ScriptedModel

PASSING = ChatError("busy", retryable=True)
LASTING = ChatError("no such model", retryable=False)
QUESTION = [Message("user", "Hello")]


async def answer(chat: FallbackChat) -> list[str]:
    return [delta.text async for delta in chat.stream(QUESTION) if isinstance(delta, TextDelta)]


async def test_an_error_that_may_pass_is_tried_again_once() -> None:
    model = ScriptedModel([PASSING], ["Hello."])
    assert await answer(FallbackChat([model])) == ["Hello."]
    assert len(model.requests) == 2


async def test_after_two_errors_the_fallback_answers() -> None:
    first, second = ScriptedModel([PASSING]), ScriptedModel(["Hello from here."], name="second")
    assert await answer(FallbackChat([first, second])) == ["Hello from here."]
    assert len(first.requests) == 2


async def test_a_lasting_error_goes_to_the_fallback_at_once() -> None:
    first, second = ScriptedModel([LASTING]), ScriptedModel(["Hello."])
    assert await answer(FallbackChat([first, second])) == ["Hello."]
    assert len(first.requests) == 1


async def test_half_an_answer_is_never_begun_again() -> None:
    first, second = ScriptedModel(["We close at", PASSING]), ScriptedModel(["Hello."])
    heard = []
    with pytest.raises(ChatError, match="busy"):
        async for delta in FallbackChat([first, second]).stream(QUESTION):
            heard.append(delta)
    assert heard == [TextDelta("We close at")]
    assert (len(first.requests), len(second.requests)) == (1, 0)


async def test_when_all_fail_the_last_error_is_told() -> None:
    chat = FallbackChat([ScriptedModel([PASSING]), ScriptedModel([LASTING])])
    with pytest.raises(ChatError, match="no such model"):
        await answer(chat)


async def test_closing_the_stream_closes_the_models() -> None:
    model = ScriptedModel(["We", asyncio.Event()])
    stream = FallbackChat([model]).stream(QUESTION)
    await anext(stream)
    assert model.open == 1
    await stream.aclose()
    assert model.open == 0


async def test_warming_up_and_closing_reach_the_models() -> None:
    first, second = ScriptedModel(["x"]), ScriptedModel(["y"])
    chat = FallbackChat([first, second])
    await chat.warm_up(QUESTION)
    await chat.close()
    assert (first.warmed, second.warmed) == ([QUESTION], [])
    assert first.closed
    assert second.closed
    assert chat.name == "scripted"


def test_no_model_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        FallbackChat([])
