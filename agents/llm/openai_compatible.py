"""Chat over any OpenAI-compatible endpoint: streaming, tools, time-outs, and answers checked to be whole."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import structlog
from openai.types.chat import ChatCompletionChunk

from agents.llm.protocol import ChatError, Delta, Message, TextDelta, ToolCall, ToolSpec, Usage
from agents.llm.thinking import ThinkingFilter

log = structlog.get_logger(__name__)

_KEEP_ALIVE_SECONDS = 300.0
"""Longer than a caller is silent: the next turn must not pay for a new connection."""
_CONNECTIONS = 100
_REASON_MAX = 200
_RETRYABLE = frozenset({408, 409, 425, 429})
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class ChatTimeouts:
    """Seconds: to connect, to the first delta, between deltas, and for the whole answer."""

    connect: float = 2.0
    first_token: float = 4.0
    between_tokens: float = 4.0
    total: float = 30.0


@dataclass(slots=True)
class _Answer:
    """What has come of one answer."""

    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    finished: str | None = None
    has_text: bool = False
    usage: Usage | None = None


class OpenAiCompatibleChat:
    """A `ChatModel` behind an OpenAI-compatible endpoint. One instance, one connection pool, all sessions.

    `headers` go with every request (some gateways want more than a bearer token). It does not try again;
    `agents.llm.fallback.FallbackChat` does.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        timeouts: ChatTimeouts | None = None,
        max_tokens: int = 300,
        temperature: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._model = model
        self._timeouts = timeouts or ChatTimeouts()
        self._options: dict[str, Any] = {"max_tokens": max_tokens}
        if temperature is not None:
            self._options["temperature"] = temperature
        self._secrets = [secret for secret in (api_key, *(headers or {}).values()) if secret]
        self._usage_supported = True
        _rehearse()
        self._client = openai.AsyncOpenAI(
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,
            default_headers=headers,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=httpx2.Timeout(self._timeouts.total, connect=self._timeouts.connect),
                limits=httpx2.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEEP_ALIVE_SECONDS),
            ),
        )

    @property
    def name(self) -> str:
        """The model's name as the endpoint knows it."""
        return self._model

    async def warm_up(self, messages: Sequence[Message] = ()) -> None:
        """Open a connection, so that the first answer does not wait for it. Never fails; `messages` are not sent."""
        try:
            async with asyncio.timeout(self._timeouts.connect):
                await self._client.models.list()
        except (openai.OpenAIError, TimeoutError) as error:
            log.debug("warm-up failed", model=self._model, error=type(error).__name__)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[Delta, None]:
        """Stream one answer; closing the iterator ends the request. Raises `ChatError`."""
        answer = _Answer()
        thinking = ThinkingFilter()
        async with contextlib.aclosing(self._chunks(messages, tools)) as chunks:
            async for chunk in chunks:
                text = thinking.feed(self._read(chunk, answer))
                if text:
                    answer.has_text = answer.has_text or bool(text.strip())
                    yield TextDelta(text)
        for delta in self._completed(answer):
            yield delta

    async def _chunks(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ChatCompletionChunk, None]:
        """The endpoint's chunks, each awaited for as long as its time-out allows; its errors as `ChatError`.

        Time-outs guard single awaits and never a yield: the time between is the consumer's.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + self._timeouts.total
        due = min(end, clock() + self._timeouts.first_token)
        stream: openai.AsyncStream[ChatCompletionChunk] | None = None
        try:
            async with asyncio.timeout(due - clock()):
                stream = await self._open(messages, tools)
            chunks = aiter(stream)
            while True:
                async with asyncio.timeout(due - clock()):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                if not isinstance(chunk, ChatCompletionChunk):
                    raise self._error("sent something that is no chat completion", retryable=True)
                yield chunk
                if chunk.choices:  # keep-alives do not count as an answer
                    due = min(end, clock() + self._timeouts.between_tokens)
        except TimeoutError as error:
            reason = "took too long for its answer" if clock() >= end else "stopped sending"
            raise self._error(reason if stream is not None else "did not answer in time", retryable=True) from error
        except openai.OpenAIError as error:
            raise self._translated(error) from error
        except (ValueError, httpx2.HTTPError) as error:  # what the client does not wrap: bad JSON, bad UTF-8
            raise self._error(f"sent an answer that cannot be read ({type(error).__name__})", retryable=True) from error
        finally:
            if stream is not None:
                await stream.close()

    async def _open(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [_message(message) for message in messages],
            "stream": True,
            **self._options,
        }
        if tools:
            request["tools"] = [_tool(tool) for tool in tools]
        create: Any = self._client.chat.completions.create  # typed for OpenAI's own models only
        for _ in range(3):  # as it is, then without what the endpoint refused
            extra = {"stream_options": {"include_usage": True}} if self._usage_supported else {}
            try:
                opened: openai.AsyncStream[ChatCompletionChunk] = await create(**request, **extra)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not self._adapt(str(error), request):
                    raise
            else:
                return opened
        raise self._error("refuses every form of the request", retryable=False)

    def _adapt(self, complaint: str, request: dict[str, Any]) -> bool:
        """Leave out, from now on, what the endpoint complains about; False if it is something else."""
        if self._usage_supported and ("stream_options" in complaint or "include_usage" in complaint):
            self._usage_supported = False
            return True
        if "max_completion_tokens" in complaint and "max_tokens" in self._options:
            request.pop("max_tokens")
            limit = self._options.pop("max_tokens")
            request["max_completion_tokens"] = self._options["max_completion_tokens"] = limit
            return True
        return False

    def _read(self, chunk: ChatCompletionChunk, answer: _Answer) -> str:
        """Take a chunk into the answer; returns its text."""
        if chunk.usage is not None:
            answer.usage = Usage(chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0)
        text = ""
        for choice in (chunk.choices or [])[:1]:
            delta = choice.delta
            if delta is not None:
                text = delta.content if isinstance(delta.content, str) else ""
                for call in delta.tool_calls or ():
                    _gather(answer.calls, call)
            answer.finished = choice.finish_reason or answer.finished
        return text

    def _completed(self, answer: _Answer) -> list[Delta]:
        """The tool calls and the usage of a whole answer. Raises `ChatError` if it is not whole."""
        if answer.finished is None:
            raise self._error("broke off in the middle of an answer", retryable=True)
        calls = [ToolCall(call["id"], call["name"], call["arguments"] or "{}") for call in answer.calls.values()]
        if answer.finished == "length":
            calls = [call for call in calls if _is_json(call.arguments)]
        if not answer.has_text and not calls:
            refused = answer.finished == "content_filter"
            raise self._error("refused to answer" if refused else "sent an empty answer", retryable=not refused)
        return [*calls, *([answer.usage] if answer.usage else [])]

    def _translated(self, error: openai.OpenAIError) -> ChatError:
        if isinstance(error, openai.APITimeoutError):
            return self._error("did not answer in time", retryable=True)
        if isinstance(error, openai.APIConnectionError):
            return self._error("cannot be reached, or closed the connection", retryable=True)
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            if status in (401, 403):  # the text of these often repeats the key
                return self._error(f"refused the API key (HTTP {status}): set VISAVIS_LLM__API_KEY", retryable=False)
            retryable = status in _RETRYABLE or status >= _SERVER_ERROR
            return self._error(f"answered HTTP {status}: {self._redacted(error.message)}", retryable=retryable)
        return self._error(f"failed: {self._redacted(str(error))}", retryable=True)

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:_REASON_MAX]

    def _error(self, reason: str, *, retryable: bool) -> ChatError:
        return ChatError(f"{self._model}: the endpoint {reason}", retryable=retryable)


@functools.cache
def _rehearse() -> None:
    """Let the client build its types now: at its first request that takes it half a second."""

    def canned(request: httpx2.Request) -> httpx2.Response:
        body = {"id": "r", "object": "chat.completion.chunk", "created": 0, "model": "r"}
        choices = [{"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        event = f"data: {json.dumps({**body, 'choices': choices, 'usage': usage})}\n\ndata: [DONE]\n\n"
        return httpx2.Response(200, text=event, headers={"content-type": "text/event-stream"})

    transport = httpx2.MockTransport(canned)
    message = Message("assistant", "", (ToolCall("r", "r", "{}"),))
    with openai.OpenAI(api_key="none", base_url="http://r", http_client=httpx2.Client(transport=transport)) as client:
        create: Any = client.chat.completions.create
        for _ in create(
            model="r",
            messages=[_message(message)],
            tools=[_tool(ToolSpec("r", "r"))],
            stream=True,
            stream_options={"include_usage": True},
        ):
            pass


def _gather(calls: dict[int, dict[str, str]], part: Any) -> None:
    """Add a part of a tool call; some servers number all their calls 0 and only change the id."""
    index = part.index if isinstance(part.index, int) else 0
    known = calls.get(index)
    if known is not None and part.id and known["id"] != part.id and known["name"]:
        index = max(calls) + 1
        known = None
    elif known is not None and not part.id:
        index = max(calls) if index == 0 else index
        known = calls[index]
    if known is None:
        known = calls[index] = {"id": part.id or f"call_{uuid.uuid4().hex[:12]}", "name": "", "arguments": ""}
    if part.function is not None:
        known["name"] += part.function.name or ""
        known["arguments"] += part.function.arguments or ""


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
