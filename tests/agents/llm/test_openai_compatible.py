"""The client of OpenAI-compatible endpoints, against a real server that behaves well and badly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

import pytest
from starlette.responses import Response

from agents.llm.openai_compatible import ChatTimeouts, OpenAiCompatibleChat
from agents.llm.protocol import ChatError, Delta, Message, TextDelta, ToolCall, ToolSpec, Usage
from tests.peers.chat_endpoint import DONE, ChatEndpoint, Events, chunk, fails, page, says, streams

QUESTION = [Message("system", "Be brief."), Message("user", "When do you close?")]
PATIENT = ChatTimeouts(connect=5, first_token=20, between_tokens=20, total=30)
KEY = "sk-very-secret-key"


def client(endpoint: ChatEndpoint, timeouts: ChatTimeouts = PATIENT) -> OpenAiCompatibleChat:
    return OpenAiCompatibleChat(endpoint.url, "m", api_key=KEY, timeouts=timeouts, temperature=0.3)


async def ask(chat: OpenAiCompatibleChat, tools: Sequence[ToolSpec] = ()) -> list[Delta]:
    return [delta async for delta in chat.stream(QUESTION, tools=tools)]


async def refused(*plan: Response | Callable[[], Events], timeouts: ChatTimeouts = PATIENT) -> ChatError:
    """The error of one question."""
    async with ChatEndpoint(*plan) as endpoint:
        chat = client(endpoint, timeouts)
        try:
            with pytest.raises(ChatError) as caught:
                await ask(chat)
        finally:
            await chat.close()
    return caught.value


async def test_text_streams_with_its_usage_last() -> None:
    async with ChatEndpoint(says("At", " ten.")) as endpoint:
        chat = client(endpoint)
        assert await ask(chat) == [TextDelta("At"), TextDelta(" ten."), Usage(7, 2)]
        await chat.close()
    request = endpoint.requests[0]
    assert request["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "When do you close?"},
    ]
    assert (request["model"], request["temperature"], request["stream"]) == ("m", 0.3, True)
    assert "tools" not in request


async def test_a_tool_call_is_put_together_from_its_parts() -> None:
    def part(**function: str) -> str:
        return chunk({"tool_calls": [{"index": 0, "function": function}]})

    events = [
        chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "find"}}]}),
        part(arguments='{"na'),
        part(arguments='me": "Anna"}'),
        chunk({}, "tool_calls"),
        DONE,
    ]
    tool = ToolSpec("find", "Finds a guest.", {"type": "object", "properties": {"name": {"type": "string"}}})
    async with ChatEndpoint(streams(*events)) as endpoint:
        chat = client(endpoint)
        assert await ask(chat, [tool]) == [ToolCall("call_1", "find", '{"name": "Anna"}')]
        await chat.close()
    function = {"name": "find", "description": "Finds a guest.", "parameters": tool.parameters}
    assert endpoint.requests[0]["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize("numbers", [(0, 1), (0, 0)])
async def test_two_calls_stay_apart_even_under_one_number(numbers: tuple[int, int]) -> None:
    def call(index: int, name: str) -> str:
        function = {"name": name, "arguments": "{}"}
        return chunk({"tool_calls": [{"index": index, "id": f"id_{name}", "function": function}]})

    events = [call(numbers[0], "one"), call(numbers[1], "two"), chunk({}, "tool_calls"), DONE]
    async with ChatEndpoint(streams(*events)) as endpoint:
        chat = client(endpoint)
        assert await ask(chat) == [ToolCall("id_one", "one", "{}"), ToolCall("id_two", "two", "{}")]
        await chat.close()


async def test_calls_and_results_are_told_as_the_api_wants_them() -> None:
    messages = [
        Message("user", "Hello"),
        Message("assistant", "", (ToolCall("c1", "now", "{}"),)),
        Message("tool", "ten", tool_call_id="c1"),
    ]
    async with ChatEndpoint(says("It is ten.")) as endpoint:
        chat = client(endpoint)
        assert TextDelta("It is ten.") in [delta async for delta in chat.stream(messages)]
        await chat.close()
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    assert endpoint.requests[0]["messages"][1:] == [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "ten", "tool_call_id": "c1"},
    ]


async def test_reasoning_is_not_part_of_the_answer() -> None:
    async with ChatEndpoint(says("<thi", "nk>The user", " asks</think>", "\nAt ten.")) as endpoint:
        chat = client(endpoint)
        assert (await ask(chat))[0] == TextDelta("At ten.")
        await chat.close()


async def test_a_silent_endpoint_is_given_up() -> None:
    endpoint: ChatEndpoint

    async def silent() -> Events:
        await endpoint.stall()
        yield DONE

    async with ChatEndpoint(silent) as endpoint:
        chat = client(endpoint, ChatTimeouts(first_token=0.05))
        with pytest.raises(ChatError, match=r"stopped sending|did not answer") as caught:
            await ask(chat)
        assert caught.value.retryable
        await chat.close()


async def test_an_endpoint_that_falls_silent_is_given_up() -> None:
    endpoint: ChatEndpoint

    async def falters() -> Events:
        yield chunk({"content": "We close"})
        await endpoint.stall()

    async with ChatEndpoint(falters) as endpoint:
        chat = client(endpoint, ChatTimeouts(first_token=20, between_tokens=0.05))
        heard = []
        with pytest.raises(ChatError, match="stopped sending"):
            async for delta in chat.stream(QUESTION):
                heard.append(delta)
        assert heard == [TextDelta("We close")]
        await chat.close()


async def test_an_answer_without_end_is_cut_off_by_the_total_time() -> None:
    async def endless() -> Events:
        while True:
            yield chunk({"content": "and "})
            await asyncio.sleep(0)

    error = await refused(endless, timeouts=ChatTimeouts(first_token=20, between_tokens=20, total=2))
    assert "took too long" in str(error)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (streams(chunk({"role": "assistant"}), chunk({}, "stop"), DONE), "empty answer"),
        (streams(chunk({"content": "  "}), chunk({}, "stop"), DONE), "empty answer"),
        (streams(chunk({"content": "We cl"})), "broke off"),
        (streams(chunk({"content": "We cl"}), DONE), "broke off"),
        (streams(), "broke off"),
        (streams("data: {not json\n\n"), "cannot be read"),
        (streams(b"data: \xff\xfe\n\n"), "cannot be read"),
        (streams('data: ["a", "list"]\n\n'), "no chat completion|cannot be read"),
        (streams('data: {"error": {"message": "out of memory"}}\n\n'), "out of memory"),
        (page("<html>Welcome to nginx</html>"), "broke off"),
        (fails(500, "oops"), "HTTP 500: .*oops"),
        (fails(503, "loading"), "HTTP 503"),
        (fails(429, "slow down", **{"retry-after": "1"}), "HTTP 429"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error_worth_another_try(
    plan: Response | Callable[[], Events], reason: str
) -> None:
    error = await refused(plan)
    assert error.retryable
    assert re.search(reason, str(error))


async def test_a_connection_that_is_cut_is_an_error_worth_another_try() -> None:
    async def cut() -> Events:
        yield chunk({"content": "We"})
        raise RuntimeError("the endpoint dies")

    error = await refused(cut)
    assert error.retryable


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_not_tried_again_and_not_repeated(status: int) -> None:
    error = await refused(fails(status, f"Incorrect API key provided: {KEY}"))
    assert not error.retryable
    assert KEY not in str(error)
    assert "VISAVIS_LLM__API_KEY" in str(error)


async def test_a_key_in_any_other_complaint_is_blotted_out() -> None:
    error = await refused(fails(400, f"bad request with {KEY}"))
    assert not error.retryable
    assert KEY not in str(error)


async def test_an_endpoint_that_does_not_know_usage_is_asked_without_from_then_on() -> None:
    async with ChatEndpoint(fails(400, "Unknown field: stream_options"), says("Ten.")) as endpoint:
        chat = client(endpoint)
        assert (await ask(chat))[0] == TextDelta("Ten.")
        await ask(chat)
        await chat.close()
    assert ["stream_options" in request for request in endpoint.requests] == [True, False, False]


async def test_a_model_that_wants_max_completion_tokens_gets_it() -> None:
    plan = fails(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."), says("Ten.")
    async with ChatEndpoint(*plan) as endpoint:
        chat = client(endpoint)
        await ask(chat)
        await ask(chat)
        await chat.close()
    assert ["max_tokens" in request for request in endpoint.requests] == [True, False, False]
    assert endpoint.requests[-1]["max_completion_tokens"] == 300


async def test_nobody_listening_is_an_error_worth_another_try() -> None:
    async with ChatEndpoint(says("x")) as endpoint:
        url = endpoint.url
    chat = OpenAiCompatibleChat(url, "m")
    with pytest.raises(ChatError, match="cannot be reached") as caught:
        await ask(chat)
    assert caught.value.retryable
    await chat.warm_up()
    await chat.close()


async def test_closing_the_stream_ends_the_request() -> None:
    endpoint: ChatEndpoint

    async def slow() -> Events:
        yield chunk({"content": "We"})
        await endpoint.stall()

    async with ChatEndpoint(slow) as endpoint:
        chat = client(endpoint)
        stream = chat.stream(QUESTION)
        assert await anext(stream) == TextDelta("We")
        await stream.aclose()
        await endpoint.left.wait()
        await chat.close()


async def test_a_cancelled_answer_ends_the_request() -> None:
    endpoint: ChatEndpoint

    async def silent() -> Events:
        await endpoint.stall()
        yield DONE

    async with ChatEndpoint(silent) as endpoint:
        chat = client(endpoint)
        task = asyncio.ensure_future(ask(chat))
        await endpoint.stalled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await endpoint.left.wait()
        await chat.close()


async def test_the_connection_opened_at_warm_up_serves_the_answers() -> None:
    async with ChatEndpoint(says("Ten.")) as endpoint:
        chat = client(endpoint)
        await chat.warm_up()
        await ask(chat)
        await ask(chat)
        await chat.close()
    assert len(set(endpoint.clients)) == 1
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
