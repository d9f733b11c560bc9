"""An OpenAI-compatible chat endpoint with a fixed pace, so that two systems are compared on the same language model.

`python -m tests.bench.paced_llm PORT [--first-token-ms 80] [--tokens-per-second 60]`

It answers two sentences, a word a token, with a new first clause each time, so that no cache of phrases
shortens what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODEL: Final = "paced"
FIRST_TOKEN_MS: Final = 80.0
TOKENS_PER_SECOND: Final = 60.0
ENDINGS: Final = (
    "we are open from eleven in the morning until ten at night every single day of the week. Is there anything else?",
    "I have found a free table by the window. I can reserve it under your name right now, if you like.",
)


def answers() -> Iterator[list[str]]:
    """Endless answers, each as a list of tokens."""
    for ending in itertools.cycle(ENDINGS):
        text = f"Booking {random.randint(1000, 9999)} is on my screen, and {ending}"
        words = text.split(" ")
        yield [word + " " for word in words[:-1]] + words[-1:]


def create_app(first_token: float, token: float) -> Starlette:
    """The endpoint; `first_token` and `token` are seconds."""
    source = answers()

    async def chat(request: Request) -> Response:
        body = await request.json()
        tokens = next(source)
        if body.get("stream"):
            return StreamingResponse(stream(tokens), media_type="text/event-stream")
        await asyncio.sleep(first_token + len(tokens) * token)
        message = {"role": "assistant", "content": "".join(tokens)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return JSONResponse({**head("chat.completion"), "choices": [choice]})

    async def stream(tokens: list[str]) -> AsyncIterator[str]:
        began = time.monotonic()
        for number, text in enumerate(tokens):
            await asyncio.sleep(max(0.0, began + first_token + number * token - time.monotonic()))
            yield event({"role": "assistant", "content": text}, None)
        yield event({}, "stop")
        yield "data: [DONE]\n\n"

    async def models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    return Starlette(
        routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)],
    )


def head(kind: str) -> dict[str, Any]:
    return {"id": "c", "object": kind, "created": int(time.time()), "model": MODEL}


def event(delta: dict[str, str], finish: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**head('chat.completion.chunk'), 'choices': [choice]})}\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--first-token-ms", type=float, default=FIRST_TOKEN_MS)
    parser.add_argument("--tokens-per-second", type=float, default=TOKENS_PER_SECOND)
    options = parser.parse_args()
    app = create_app(options.first_token_ms / 1000, 1 / options.tokens_per_second)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
