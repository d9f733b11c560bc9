"""The API process: the same gate and endpoints without models, calls and tasks, on connections from the server."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from server.api_process.channel import Channel
from server.api_process.counting import AskingLimiter
from server.api_process.frames import SEEN_AT_ONCE, Counted, Forget, Message, Ready, Seen
from server.api_process.front import Adopting, moving
from server.api_process.lines import RequestLine, is_alone, is_api
from server.database import Database
from server.errors import error_response
from server.gate.gate import Gate
from server.gate.limits import Admits
from server.metrics import Metrics
from server.serving import WebServer, server_config
from server.settings import Settings

log = structlog.get_logger(__name__)

NICE: Final = 2
"""Behind the server's loop, whose frames leave on time; before its models (`media.priority`), which take a tenth of a
second where an answer takes a thousandth, and before the workers (`jobs.nice`), for which nobody waits."""
TELL_S: Final = 0.1
"""The server hears so often that we are there, and what was answered since."""


class ToldMetrics(Metrics):
    """Keeps what was answered until it is told to the server."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[tuple[str, str, int, float]] = []

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Keep it."""
        self._seen.append((method, route, status, seconds))

    def take(self) -> list[Seen]:
        """What was kept since."""
        seen, self._seen = self._seen, []
        return [Seen(tuple(seen[at : at + SEEN_AT_ONCE])) for at in range(0, len(seen), SEEN_AT_ONCE)]


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What answers: the application, and the gate in it."""

    app: ASGIApp
    gate: Gate


Assemble = Callable[[Settings, Database, Admits, Metrics], ApiParts]
"""Puts it together, for this limiter and these metrics."""


def watch_parent(end: socket.socket) -> None:
    """End this process at once when the server has ended, however it has; from a thread of its own."""
    watched = select.poll()
    watched.register(end.fileno(), 0)

    def watch() -> None:
        watched.poll()
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


async def serve_api(settings: Settings, database: Database, end: socket.socket, assemble: Assemble) -> None:
    """Answer what comes over `end`, which is closed with this, until SIGTERM."""
    side = _Child(settings, database, end, assemble)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, side.server.stop)
    telling = loop.create_task(side.tell())
    try:
        await side.server.serve([])
    finally:
        telling.cancel()
        side.say_what_was_seen()
        side.channel.close()
        await side.adopting.close()


class _Child:
    """The other side of the server's connections."""

    answers_all: bool = False

    def __init__(self, settings: Settings, database: Database, end: socket.socket, assemble: Assemble) -> None:
        self._metrics = ToldMetrics()
        self._limiter = AskingLimiter(self._say, enabled=settings.limits.enabled)
        parts = assemble(settings, database, self._limiter, self._metrics)
        self._gate = parts.gate
        self._gate.authenticator.tell = lambda: self._say(Forget())
        config = server_config(self._only_ours(parts.app), settings.server, moving(self))
        self.server = WebServer(config, before_close=_nothing, on_started=lambda: None)
        config.load()
        self.adopting = Adopting()
        self.channel = Channel(end, heard=self._hear, came=self._take, ended=self.server.stop)

    async def tell(self) -> None:
        """Tell the server that we are there and what was answered, now and then."""
        while True:
            self.channel.send(Ready())
            await asyncio.sleep(TELL_S)
            self.say_what_was_seen()

    def say_what_was_seen(self) -> None:
        """Tell it now."""
        for seen in self._metrics.take():
            self._say(seen)

    # As the other side of a connection

    def listen(self) -> None:
        """See `server.api_process.front.OtherSide`."""
        self.channel.listen()

    def takes(self, line: RequestLine, data: bytes) -> bool:
        """Whether a request is for the server."""
        return not (is_api(self._gate.registry, line) and is_alone(line, data))

    def move(self, descriptor: int, data: bytes) -> bool:
        """Give the connection back."""
        return self.channel.move(descriptor, data)

    def _only_ours(self, app: ASGIApp) -> ASGIApp:
        """Never answer what needs the server: it may come sent ahead, in one piece with a body of ours.

        The client may ask again on another connection (RFC 9110, 15.5.20).
        """

        async def ours(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and not is_api(self._gate.registry, RequestLine(scope["method"], scope["path"])):
                answer = error_response(421, "Send this request on a connection of its own", path=scope["path"])
                answer.headers["connection"] = "close"
                await answer(scope, receive, send)
                return
            await app(scope, receive, send)

        return ours

    # What the server says

    def _say(self, message: Message) -> None:
        self.channel.send(message)

    def _hear(self, message: Message) -> None:
        match message:
            case Counted():
                self._limiter.told(message)
            case Forget():
                self._gate.authenticator.forget_here()
            case _:
                log.warning("the server says what it should not", what=type(message).__name__)

    def _take(self, descriptor: int, data: bytes) -> None:
        self.adopting.take(self.server, descriptor, data)


async def _nothing() -> None:
    """There are no conversations to end here."""
