"""The HTTP protocol of both processes: looks at each request's first line and moves the connection where it belongs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog

from server.api_process.lines import RequestLine, request_line
from server.serving import BoundedHttp, WebServer

log = structlog.get_logger(__name__)

FLUSH_S: Final = 0.01
"""How often a connection that is to move is looked at, while its peer has not taken the answer before."""


class OtherSide(Protocol):
    """The other process, as a connection sees it."""

    answers_all: bool
    """Whether this process can answer what the other one should."""

    def listen(self) -> None:
        """Hear what it has said: it counts for the request that begins."""
        ...

    def takes(self, line: RequestLine, data: bytes) -> bool:
        """Whether a request that begins with `data` is for it."""
        ...

    def move(self, descriptor: int, data: bytes) -> bool:
        """Give it a connection, and the descriptor with it; False: it takes none now."""
        ...


class MovingHttp(BoundedHttp):
    """Holds what comes between two requests until it knows whose it is.

    A connection moves only before the first byte of a request is parsed, when the answer before it has been written
    whole. `other` is set in a class for each server; `came`: bytes that were read before the connection came here;
    `stays`: so it is for this process.
    """

    other: OtherSide
    came = b""
    stays = False
    _held = b""
    _in_message = False
    _flushing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with what came along."""
        super().connection_made(transport)
        self._held, self.came = self.came, b""
        if self._held:
            self._begin()

    def data_received(self, data: bytes) -> None:
        """Parse, or hold until it is known whose request begins."""
        if self._in_message:
            super().data_received(data)
            return
        self._held += data
        if self._idle:
            self._begin()
        else:  # sent ahead; its turn comes
            self.flow.pause_reading()

    def on_message_begin(self) -> None:
        """What comes from now on belongs to a request that is being parsed."""
        self._in_message = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The request has come whole."""
        self._in_message = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what was sent ahead."""
        super().on_response_complete()
        if self._held and self._idle and not self.transport.is_closing():
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hold nothing."""
        self._held = b""
        if self._flushing is not None:
            self._flushing.cancel()
        super().connection_lost(exc)

    def _begin(self) -> None:
        if self._head_timer is None:
            self._expect_head()
        self._unset_keepalive_if_required()
        self.other.listen()
        self._decide()

    def _decide(self) -> None:
        self._flushing = None
        line = request_line(self._held)
        if self.transport.is_closing() or line is None:
            return
        if self.stays or not self.other.takes(line, self._held):
            self._keep()
        elif self.transport.get_write_buffer_size():
            self.flow.pause_reading()
            if self._flushing is None:
                self._flushing = self.loop.call_later(FLUSH_S, self._decide)
        else:
            self._move()

    def _keep(self) -> None:
        data, self._held = self._held, b""
        self.stays = False
        self.flow.resume_reading()
        super().data_received(data)

    def _move(self) -> None:
        self.flow.pause_reading()
        descriptor = os.dup(self.transport.get_extra_info("socket").fileno())
        if self.other.move(descriptor, self._held):
            self._held = b""
            self.transport.abort()  # ours alone: the connection lives on in the descriptor
            return
        os.close(descriptor)
        if self.other.answers_all:
            self._keep()
        else:
            self.transport.close()


class Adopting:
    """The connections that come from the other process, until a server has them. `close` once."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, server: WebServer, descriptor: int, data: bytes, *, stays: bool = False) -> None:
        """Serve a connection with the bytes that came along; one that has ended meanwhile is let go.

        `server` is made with the protocol of `moving`.
        """

        def make() -> MovingHttp:
            protocol = server.protocol()
            assert isinstance(protocol, MovingHttp)  # noqa: S101 - as is said above
            protocol.came, protocol.stays = data, stays
            return protocol

        task = asyncio.get_running_loop().create_task(_adopt(descriptor, make))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait until none is on its way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _adopt(descriptor: int, make: Callable[[], asyncio.Protocol]) -> None:
    connection = socket.socket(fileno=descriptor)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(make, connection)
    except OSError as error:
        connection.close()
        log.debug("a connection ended on its way between processes", reason=error.strerror)


def moving(other: OtherSide) -> type[Any]:
    """The protocol of a server whose other side this is."""
    return type("Http", (MovingHttp,), {"other": other})
