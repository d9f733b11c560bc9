"""The embedded model as a chat model: llama.cpp in this process, no endpoint needed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

import structlog

from agents.llm.protocol import ChatError, Delta, Message, TextDelta, ToolSpec, Usage
from agents.sentences import SentenceSplitter
from media.language.errors import GenerationFailed, LanguageModelError, PromptTooLong
from media.language.llama import TokenCount
from media.worker import WorkerError, WorkerFull

log = structlog.get_logger(__name__)

_SAMPLING = {"temperature": 0.0, "repeat_penalty": 1.1}
SENTENCES_MAX = 2
"""It wanders off after this many."""
_SENTENCE_END = (".", "!", "?", "…", '"')


class ChatRuntime(Protocol):
    """What this needs of `media.language.llama.LlamaRuntime`."""

    def chat(
        self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, sampling: Mapping[str, float] | None = None
    ) -> AsyncGenerator[str | TokenCount, None]:
        """Stream an answer, its token count before and after."""
        ...

    async def warm_up(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Evaluate messages ahead of time."""
        ...


class EmbeddedChat:
    """A `ChatModel` on `media.language.llama.LlamaRuntime`. Tools are not offered to the model: it cannot use them.

    The runtime is shared with the completion judge, so closing this does not close it.
    """

    def __init__(self, runtime: ChatRuntime, *, name: str = "SmolLM2-135M-Instruct", max_tokens: int = 80) -> None:
        self._runtime = runtime
        self._name = name
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[Delta, None]:
        """Stream one answer; closing the iterator ends it. Raises `ChatError`."""
        brief = _Brief()
        prompt_tokens = completion_tokens = 0
        answer = self._runtime.chat(_plain(messages), max_tokens=self._max_tokens, sampling=_SAMPLING)
        try:
            async with contextlib.aclosing(answer) as items:
                async for item in items:
                    if isinstance(item, TokenCount):
                        prompt_tokens = item.prompt
                        continue
                    completion_tokens += 1
                    for text in brief.feed(item):
                        yield TextDelta(text)
                    if brief.complete:
                        break
        except PromptTooLong as error:
            raise ChatError(f"{self._name}: {error}", retryable=False) from error
        except WorkerFull as error:
            raise ChatError(f"{self._name}: too many answers are being written at once", retryable=True) from error
        except (GenerationFailed, WorkerError) as error:
            raise ChatError(f"{self._name}: {error}", retryable=False) from error
        for text in brief.finish():
            yield TextDelta(text)
        if not brief.spoken:
            raise ChatError(f"{self._name} gave an empty answer", retryable=True)
        yield Usage(prompt_tokens, completion_tokens)

    async def warm_up(self, messages: Sequence[Message] = ()) -> None:
        """Evaluate `messages` (the system prompt), so that the first answer only costs what follows them."""
        if not messages:
            return
        try:
            await self._runtime.warm_up(_plain(messages))
        except (LanguageModelError, WorkerError) as error:
            log.debug("warm-up failed", model=self._name, reason=str(error))

    async def close(self) -> None:
        """Nothing of its own to release."""


class _Brief:
    """Passes on whole clauses of the first sentences; a last sentence that was cut off is left out."""

    def __init__(self) -> None:
        self.complete = False
        self.spoken = False
        self._splitter = SentenceSplitter()
        self._sentences = 0

    def feed(self, text: str) -> list[str]:
        """The clauses that `text` completes."""
        return self._pass_on(self._splitter.feed(text))

    def finish(self) -> list[str]:
        """The rest, if it is a whole sentence or all there is."""
        rest = [] if self.complete else self._splitter.finish()
        return self._pass_on([text for text in rest if not self.spoken or text.rstrip().endswith(_SENTENCE_END)])

    def _pass_on(self, pieces: Sequence[str]) -> list[str]:
        passed: list[str] = []
        for piece in pieces:
            if self.complete or (self.spoken and piece.startswith("\n")):
                self.complete = True
                break
            passed.append(piece)
            self.spoken = self.spoken or bool(piece.strip())
            self._sentences += piece.rstrip().endswith(_SENTENCE_END)
            self.complete = self._sentences >= SENTENCES_MAX
        return passed


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages without tools: a tool's result is told as the caller's turn would be, its call is left out."""
    plain = []
    for message in messages:
        if message.role == "tool":
            plain.append({"role": "user", "content": f"({message.content})"})
        elif message.content:
            plain.append({"role": message.role, "content": message.content})
    return plain
