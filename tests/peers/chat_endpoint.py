"""An OpenAI-compatible chat endpoint of our own, well-behaved or not, on a free port of this machine."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

Events = AsyncIterator[str | bytes]


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    """One streamed event as OpenAI's API sends it."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    body = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices, **more}
    return f"data: {json.dumps(body)}\n\n"


DONE = "data: [DONE]\n\n"


class ChatEndpoint:
    """Answers each request with the next of `plan` (the last one again and again); keeps what it was asked.

    A plan's entry is a response, or a function that yields the events of a stream.
    """

    def __init__(self, *plan: Response | Callable[[], Events]) -> None:
        self.plan = list(plan)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.clients: list[tuple[str, int]] = []
        self.left = asyncio.Event()
        """Set when a client closed a stream before its end."""
        self.stalled = asyncio.Event()
        """Set when a stream has come to a `stall`."""
        self._free = asyncio.Event()
        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/models", self._models),
        ]
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    async def stall(self) -> None:
        """Say nothing until the endpoint is shut down."""
        self.stalled.set()
        await self._free.wait()

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._free.set()
        self._server.should_exit = self._server.force_exit = True
        await self._task

    async def _models(self, request: Request) -> Response:
        self._note(request)
        return JSONResponse({"object": "list", "data": []})

    async def _chat(self, request: Request) -> Response:
        self.requests.append(await request.json())
        self._note(request)
        answer = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        if isinstance(answer, Response):
            return answer
        return StreamingResponse(self._watched(answer()), media_type="text/event-stream")

    def _note(self, request: Request) -> None:
        self.headers.append(dict(request.headers))
        assert request.client is not None
        self.clients.append((request.client.host, request.client.port))

    async def _watched(self, events: Events) -> Events:
        try:
            async for event in events:
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise


def says(*words: str, finish: str = "stop") -> Callable[[], Events]:
    """A whole answer, a word a chunk, with its usage."""

    async def events() -> Events:
        yield chunk({"role": "assistant", "content": ""})
        for word in words:
            yield chunk({"content": word})
        yield chunk({}, finish)
        yield chunk(usage={"prompt_tokens": 7, "completion_tokens": len(words), "total_tokens": 7 + len(words)})
        yield DONE

    return events


def streams(*events: str | bytes) -> Callable[[], Events]:
    """Exactly these events."""

    async def stream() -> Events:
        for event in events:
            yield event

    return stream


def fails(status: int, message: str = "no", **headers: str) -> Response:
    """An error in OpenAI's form."""
    return JSONResponse({"error": {"message": message, "type": "t", "code": None}}, status, headers)


def page(text: str) -> Response:
    """A page that is no API answer at all."""
    return PlainTextResponse(text)
