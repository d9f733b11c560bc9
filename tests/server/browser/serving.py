"""The browser's routes on a real socket, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server.browser.agents import Catalogue, PeoplesAgents, Posters
from server.browser.options import BrowserOptions
from server.browser.routes import BrowserEndpoints
from server.browser.video import VideoFactory
from tests.server.browser.fakes import FakeFactory

KEY = "sk_live_" + "x" * 32


class Server:
    """Where to ask, and what answers."""

    def __init__(self, port: int, factory: FakeFactory, endpoints: BrowserEndpoints) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.socket_url = f"ws://127.0.0.1:{port}"
        self.factory = factory
        self.endpoints = endpoints

    async def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return await client.request(method, path, **given)

    async def create(self, agent: str = "demo", key: str = KEY, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await self.request("POST", "/api/sessions", json={"agentId": agent}, headers=headers, **given)


@asynccontextmanager
async def serving(
    clock: Callable[[], float] = time.monotonic,
    *,
    faces: VideoFactory | None = None,
    catalogue: Catalogue | None = None,
    posters: Posters | None = None,
    people: PeoplesAgents | None = None,
    within: float = 20.0,
    peer: str | None = None,
    **options: Any,
) -> AsyncIterator[Server]:
    """The routes with a fake engine; everything has to be over within so many seconds. `peer`: who seems to ask."""

    async def authenticate(key: str) -> str | None:
        return "acct_1" if key == KEY else None

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        factory = FakeFactory()
        given = {"public_url": f"http://127.0.0.1:{port}", "max_sessions": 4}
        endpoints = BrowserEndpoints(
            factory,
            BrowserOptions(**{**given, **options}),
            authenticate,
            faces=faces,
            catalogue=catalogue,
            posters=posters,
            people=people,
            clock=clock,
        )

        async def page(request: Request) -> Response:
            response = PlainTextResponse("the page")
            endpoints.page.admit(request, response)
            return response

        app = Starlette(routes=[Route("/", page), *endpoints.routes()])

        async def seen_from(scope: Any, receive: Any, send: Any) -> None:
            if peer is not None:
                scope = {**scope, "client": (peer, 4711)}
            await app(scope, receive, send)

        config = uvicorn.Config(
            seen_from, log_config=None, lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=2
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        async with asyncio.timeout(within):
            await server.startup(sockets=[listener])
            try:
                yield Server(port, factory, endpoints)
            finally:
                await endpoints.close()
                await server.shutdown(sockets=[listener])
