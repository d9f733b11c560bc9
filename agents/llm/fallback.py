"""A second try and a second model, as long as nothing has been said yet."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

import structlog

from agents.llm.protocol import ChatError, ChatModel, Delta, Message, ToolSpec
from agents.llm.streams import deltas_of
from agents.llm.warm import warm_up

log = structlog.get_logger(__name__)


class FallbackChat:
    """A `ChatModel` that asks `models` in order, each one more time if its error may pass.

    Only before the first delta: a caller who has heard half an answer must not hear it begin again.
    """

    def __init__(self, models: Sequence[ChatModel], *, retries: int = 1) -> None:
        if not models:
            raise ValueError("FallbackChat needs at least one model")
        self._models = tuple(models)
        self._retries = retries

    @property
    def name(self) -> str:
        """The first model's name."""
        return self._models[0].name

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[Delta, None]:
        """Stream one answer of the first model that gives one. Raises the last `ChatError`."""
        last: ChatError | None = None
        for model in self._models:
            for attempt in range(1 + self._retries):
                begun = False
                try:
                    async with contextlib.aclosing(deltas_of(model, messages, tools)) as deltas:
                        async for delta in deltas:
                            begun = True
                            yield delta
                except ChatError as error:
                    if begun:
                        raise
                    last = error
                    log.warning("language model failed", model=model.name, attempt=attempt + 1, reason=str(error))
                    if not error.retryable:
                        break
                else:
                    return
        raise last if last is not None else ChatError("no model was asked", retryable=False)

    async def warm_up(self, messages: Sequence[Message] = ()) -> None:
        """Warm up the first model."""
        await warm_up(self._models[0], messages)

    async def close(self) -> None:
        """Close all models."""
        for model in self._models:
            await model.close()
