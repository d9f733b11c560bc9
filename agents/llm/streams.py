"""Streams that can be ended: a model may give any async iterator, a consumer wants to close it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from agents.llm.protocol import ChatModel, Delta, Message, ToolSpec


async def deltas_of(
    model: ChatModel, messages: Sequence[Message], tools: Sequence[ToolSpec]
) -> AsyncGenerator[Delta, None]:
    """The model's stream as a generator; closing it ends the request."""
    stream = model.stream(messages, tools=tools)
    try:
        async for delta in stream:
            yield delta
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
