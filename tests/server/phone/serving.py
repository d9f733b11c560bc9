"""The telephone's routes on a real socket, in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from xml.etree import ElementTree

import httpx
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.phone.book import CallBook
from server.phone.desk import AgentLoader, PhoneParts, Recorders
from server.phone.live import LiveCalls
from server.phone.options import PhoneOptions
from server.phone.routes import PhoneEndpoints
from telephony.twilio.rest import TwilioCalls
from tests.server.phone.fakes import FakeBook, FakeFactory
from tests.telephony import messages as twilio

FORM = {"CallSid": twilio.CALL, "AccountSid": twilio.ACCOUNT, "From": "+15005550006", "To": "+15005550001"}


class Server:
    """Where to call, and what answers."""

    def __init__(self, port: int, parts: PhoneParts, uvicorn_server: uvicorn.Server) -> None:
        assert isinstance(parts.factory, FakeFactory)
        self.port = port
        self.parts = parts
        self.book = cast(FakeBook, parts.book)  # where the test has not brought another
        self.live = parts.live
        self.url = f"http://127.0.0.1:{port}"
        self.stream_url = f"ws://127.0.0.1:{port}/telephony/stream"
        self.factory = parts.factory
        self.uvicorn = uvicorn_server

    async def post(
        self,
        form: dict[str, str] | None = None,
        query: str = "",
        headers: dict[str, str] | None = None,
        *,
        path: str = "/telephony/voice",
    ) -> httpx.Response:
        """Call a webhook."""
        async with httpx.AsyncClient(verify=False) as client:  # plain HTTP: loading certificates takes long
            return await client.post(f"{self.url}{path}{query}", data=form or FORM, headers=headers)

    async def token(self, **form: str) -> str:
        """A token for a stream, as the webhook gives it."""
        answer = await self.post({**FORM, **form})
        parameter = ElementTree.fromstring(answer.text).find(".//Parameter[@name='token']")
        assert parameter is not None, answer.text
        return str(parameter.get("value"))

    @asynccontextmanager
    async def call(self, token: str | None = None, call_sid: str = twilio.CALL) -> AsyncIterator[ClientConnection]:
        """A stream that has started, with a token of its own unless one is given."""
        async with connect(self.stream_url) as websocket:
            await send(websocket, twilio.connected())
            parameters = {"token": await self.token(CallSid=call_sid) if token is None else token}
            await send(websocket, twilio.start(parameters, call_sid))
            yield websocket


async def send(websocket: ClientConnection, message: dict[str, Any]) -> None:
    await websocket.send(json.dumps(message))


async def receive(websocket: ClientConnection, event: str) -> dict[str, Any]:
    """The next message of this kind; others are passed over."""
    while True:
        message: dict[str, Any] = json.loads(await websocket.recv())
        if message["event"] == event:
            return message


async def closed(websocket: ClientConnection) -> tuple[int | None, str | None]:
    """How the server closes the connection; what comes before is passed over."""
    with suppress(ConnectionClosed):  # raised where the code is not 1000
        async for _ in websocket:
            pass
    return websocket.close_code, websocket.close_reason


@asynccontextmanager
async def serving(
    clock: Callable[[], float] = time.monotonic,
    *,
    calls: TwilioCalls | None = None,
    people: AgentLoader | None = None,
    recorders: Recorders | None = None,
    book: CallBook | None = None,
    seconds: float = 10.0,
    **options: Any,
) -> AsyncIterator[Server]:
    """The routes with a fake engine, and a fake book unless one is given; all has to be over within `seconds`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        parts = PhoneParts(
            FakeFactory(), book or FakeBook(), LiveCalls(), people=people, recorders=recorders, calls=calls
        )
        given = {"public_url": f"http://127.0.0.1:{port}", "auth_token": "", "max_sessions": 4}
        phone = PhoneEndpoints(parts, PhoneOptions(**{**given, **options}), clock)
        app = Starlette(routes=phone.routes())
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        async with asyncio.timeout(seconds):
            await server.startup(sockets=[listener])
            try:
                yield Server(port, parts, server)
            finally:
                await server.shutdown(sockets=[listener])
                await phone.close()
