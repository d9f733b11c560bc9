"""Chat models that answer from a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from agents.llm.protocol import ChatError, Delta, Message, TextDelta, ToolSpec


class ScriptedModel:
    """A `ChatModel` that plays one script a request, the last one again and again.

    A script's entries: text, other deltas, an error to raise, an event to wait for.
    """

    def __init__(self, *scripts: Sequence[str | Delta | ChatError | asyncio.Event], name: str = "scripted") -> None:
        self.name = name
        self.scripts = list(scripts)
        self.requests: list[list[Message]] = []
        self.offered: list[list[str]] = []
        self.warmed: list[list[Message]] = []
        self.open = 0
        self.closed = False

    async def stream(self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        self.requests.append(list(messages))
        self.offered.append([tool.name for tool in tools])
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.open += 1
        try:
            for entry in script:
                if isinstance(entry, ChatError):
                    raise entry
                if isinstance(entry, asyncio.Event):
                    await entry.wait()
                else:
                    yield TextDelta(entry) if isinstance(entry, str) else entry
        finally:
            self.open -= 1

    async def warm_up(self, messages: Sequence[Message] = ()) -> None:
        self.warmed.append(list(messages))

    async def close(self) -> None:
        self.closed = True
