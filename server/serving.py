"""The listening socket and the HTTP server on it: bounded in what a peer may hold open and in how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server.errors import error_response
from server.settings import ServerSettings

log = structlog.get_logger(__name__)

WEBSOCKET_MAX_BYTES = 64 * 1024
"""A message of Twilio's is under 1 KiB; nobody needs more than this."""
HEAD_MAX_BYTES = 64 * 1024
_CLOSE_CONNECTIONS_S = 1


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol with what it lacks: a deadline and a size for a request's head, and errors of our shape.

    Without them a peer that sends a byte now and then holds a connection for ever. Bodies are bounded by
    `server.middleware.BodyLimit`, idle connections by uvicorn's keep-alive time.
    """

    head_timeout: float = 10.0
    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the peer so long for its first request."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Count a head's bytes, and start the clock for one that follows on an open connection."""
        if self._head_timer is None and self._idle:
            self._expect_head()
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
            self._head_arrived()
            self.send_400_response("The request's head is too large.")

    def on_headers_complete(self) -> None:
        """The head has come."""
        self._head_arrived()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        chosen: Any = too_busy if app is service_unavailable else app
        super()._start_asgi_task(cycle, chosen)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._head_arrived()
        super().connection_lost(exc)

    @property
    def _idle(self) -> bool:
        cycle: RequestResponseCycle | None = getattr(self, "cycle", None)
        return cycle is None or cycle.response_complete

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.head_timeout, self._too_slow)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


async def too_busy(scope: Scope, receive: Receive, send: Send) -> None:
    """What is answered above `server.limit_concurrency`."""
    answer = error_response(503, "The server is busy: try again in a second", path=scope["path"])
    answer.headers.update({"retry-after": "1", "connection": "close"})
    await answer(scope, receive, send)


class WebServer(uvicorn.Server):
    """uvicorn's server, told to stop by its owner instead of by signals, and in our order.

    No new connections; then `before_close` (conversations say goodbye on connections that are still open); then the
    connections. `on_started` is called once connections are accepted.
    """

    def __init__(
        self, config: uvicorn.Config, *, before_close: Callable[[], Awaitable[None]], on_started: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._before_close = before_close
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs us."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, in order. WebSockets that are still open are closed with 1012."""
        for server in self.servers:
            server.close()
        await self._before_close()
        await super().shutdown(sockets)

    def protocol(self) -> BoundedHttp:
        """A protocol for a connection that was not accepted here."""
        made: BoundedHttp = self.config.http_protocol_class(  # type: ignore[call-arg, assignment]
            config=self.config, server_state=self.server_state, app_state={}, _loop=asyncio.get_running_loop()
        )
        return made

    def stop(self) -> None:
        """Begin to stop; `serve` returns when it is done."""
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A socket to listen on: the address is taken, nothing is accepted yet.

    Raises `OSError` whose text says which address and what is wrong with it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise OSError(f"server.host {host!r} is not an address of this machine: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another port with VISAVIS_PORT"
        ) from error
    listener.setblocking(False)
    return listener


def server_config(app: ASGIApp, settings: ServerSettings, http: type[BoundedHttp] = BoundedHttp) -> uvicorn.Config:
    """uvicorn's configuration: everything bounded, logging and forwarded headers left to us. `http`: the protocol."""
    protocol: type[Any] = type("Http", (http,), {"head_timeout": settings.receive_timeout_s})
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol,
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_MAX_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.limit_concurrency,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=_CLOSE_CONNECTIONS_S,
    )
