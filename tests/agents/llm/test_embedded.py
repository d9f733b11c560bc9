"""The embedded model's adapter, on a runtime that answers from a script."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

import pytest

from agents.llm.embedded import EmbeddedChat
from agents.llm.protocol import ChatError, Delta, Message, TextDelta, ToolCall, Usage
from media.language.errors import GenerationFailed, PromptTooLong
from media.language.llama import TokenCount
from media.worker import WorkerFull


class Runtime:
    def __init__(self, *items: str | TokenCount | Exception) -> None:
        self.items = items
        self.messages: list[Mapping[str, str]] = []
        self.ended = False

    async def chat(
        self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, sampling: Mapping[str, float] | None = None
    ) -> AsyncGenerator[str | TokenCount, None]:
        self.messages = list(messages)
        try:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.ended = True

    async def warm_up(self, messages: Sequence[Mapping[str, str]]) -> None:
        async for _ in self.chat(messages, max_tokens=1):
            pass


async def answer(runtime: Runtime, *messages: Message) -> list[Delta]:
    return [delta async for delta in EmbeddedChat(runtime).stream(messages or [Message("user", "Hi")])]


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_an_answer_comes_with_its_tokens() -> None:
    deltas = await answer(Runtime(TokenCount(12, 0, 0), "We close", " at ten.", TokenCount(12, 2, 0)))
    assert text(deltas) == "We close at ten."
    assert deltas[-1] == Usage(12, 2)


async def test_it_stops_after_two_sentences() -> None:
    runtime = Runtime("One is enough. ", "Two are plenty. ", "Three are a crowd. ", "And more. ")
    assert text(await answer(runtime)) == "One is enough. Two are plenty."
    assert runtime.ended


async def test_a_sentence_cut_off_at_the_end_is_left_out() -> None:
    assert text(await answer(Runtime("We close at ten. ", "You can also"))) == "We close at ten."


async def test_a_first_sentence_without_end_is_better_than_nothing() -> None:
    assert text(await answer(Runtime("at ten"))) == "at ten"


async def test_it_stops_at_a_new_line() -> None:
    assert text(await answer(Runtime("It was good to see you\n", "Best regards, Lucia"))) == "It was good to see you"


async def test_tools_are_told_in_plain_words() -> None:
    runtime = Runtime("Fine.")
    call = Message("assistant", "", (ToolCall("1", "now", "{}"),))
    await answer(runtime, Message("user", "Hi"), call, Message("tool", "ten", tool_call_id="1"))
    assert runtime.messages == [{"role": "user", "content": "Hi"}, {"role": "user", "content": "(ten)"}]


@pytest.mark.parametrize(
    ("error", "retryable"),
    [(PromptTooLong("5000 tokens"), False), (GenerationFailed("closed"), False), (WorkerFull("llm"), True)],
)
async def test_the_runtimes_errors_are_chat_errors(error: Exception, retryable: bool) -> None:
    with pytest.raises(ChatError) as caught:
        await answer(Runtime(error))
    assert caught.value.retryable is retryable


async def test_an_empty_answer_is_an_error() -> None:
    with pytest.raises(ChatError, match="empty"):
        await answer(Runtime(" ", TokenCount(3, 1, 0)))


async def test_warming_up_never_fails() -> None:
    runtime = Runtime(GenerationFailed("closed"))
    await EmbeddedChat(runtime).warm_up([Message("system", "You are a host.")])
    assert runtime.messages == [{"role": "system", "content": "You are a host."}]
