"""The seam between the dialogue and any language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants run; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, as OpenAI's chat completions have it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool offered to the model; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request."""

    prompt_tokens: int
    completion_tokens: int


Delta: TypeAlias = TextDelta | ToolCall | Usage
"""What a stream yields: text as it comes, each tool call once it is whole, usage where it is known."""


class ChatError(Exception):
    """The model did not answer as it should. `retryable` says whether another try may help."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class ChatModel(Protocol):
    """Streams answers. One instance serves all sessions."""

    @property
    def name(self) -> str:
        """The model's name, for records and metrics."""
        ...

    def stream(self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Stream one answer; closing the iterator ends the request. Raises `ChatError`.

        An answer with neither text nor a tool call raises `ChatError`, as does a stream that breaks off.
        """
        ...

    async def close(self) -> None:
        """Release connections or weights."""
        ...
