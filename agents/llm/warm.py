"""Getting a model ready before the first answer is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from agents.llm.protocol import ChatModel, Message


@runtime_checkable
class Warmable(Protocol):
    """A chat model that can prepare for conversations that begin with given messages."""

    async def warm_up(self, messages: Sequence[Message] = ()) -> None:
        """Open connections or evaluate the messages; failures are the first answer's to report."""
        ...


async def warm_up(model: ChatModel, messages: Sequence[Message] = ()) -> None:
    """Warm `model` up if it knows how."""
    if isinstance(model, Warmable):
        await model.warm_up(messages)
