"""One end of the socket pair between the server and its API process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from server.api_process.frames import PACKET_BYTES, FrameError, Message, Moved, decode, encode, moved

log = structlog.get_logger(__name__)

RETRY_S: Final = 0.005
"""A full socket is tried again after this."""
QUEUED: Final = 10_000
"""Packets that wait for room; with more, the other side has stopped to read and is given up."""
_FULL: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ETOOMANYREFS)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends, for two processes. Raises `OSError` where there are no such sockets."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        end.setblocking(False)
    return ends


class Channel:
    """Sends and hears messages, and connections with them, in order. Owns `end`; `close` once, on the event loop.

    `heard` is told each message; `came` each connection: its descriptor, which is then the callee's, and what was
    read from it. `ended`: the other side has gone.
    """

    def __init__(
        self,
        end: socket.socket,
        *,
        heard: Callable[[Message], object],
        came: Callable[[int, bytes], object],
        ended: Callable[[], object],
    ) -> None:
        self._end = end
        self._heard = heard
        self._came = came
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._arriving: tuple[int, list[bytes]] | None = None
        self.closed = False
        self._loop.add_reader(end.fileno(), self.listen)

    @property
    def has_room(self) -> bool:
        """Whether what is sent now is not kept waiting."""
        return not self.closed and not self._waiting

    def send(self, message: Message) -> None:
        """Send a message, at once where there is room; after the end, nothing."""
        self._send(encode(message), None)

    def move(self, descriptor: int, data: bytes) -> bool:
        """Send a connection with what was read from it. The descriptor is ours from now on, unless this is False."""
        if self.closed:
            return False
        for part in moved(data):
            self._send(encode(part), descriptor if part.begins else None)
        return True

    def listen(self) -> None:
        """Hear all that has been said so far."""
        while not self.closed:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._end, PACKET_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                packet, descriptors = b"", []
            if not packet:
                self._lose()
                return
            try:
                self._hear(decode(packet), descriptors)
            except FrameError:
                log.exception("the API process and the server do not understand each other")
                self._lose()

    def close(self) -> None:
        """Say and hear nothing more. A second call does nothing."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._end.fileno())
        self._end.close()
        if self._retry is not None:
            self._retry.cancel()
        for _, descriptor in self._waiting:
            if descriptor is not None:
                os.close(descriptor)
        self._waiting.clear()
        if self._arriving is not None:
            os.close(self._arriving[0])

    def _hear(self, message: Message, descriptors: list[int]) -> None:
        if not isinstance(message, Moved):
            self._heard(message)
            return
        if message.begins != bool(descriptors) or message.begins == (self._arriving is not None):
            for descriptor in descriptors:
                os.close(descriptor)
            raise FrameError("a connection came in the wrong order")
        if message.begins:
            self._arriving = (descriptors[0], [])
        assert self._arriving is not None  # noqa: S101 - looked at above
        self._arriving[1].append(message.data)
        if not message.more:
            (descriptor, parts), self._arriving = self._arriving, None
            self._came(descriptor, b"".join(parts))

    def _send(self, packet: bytes, descriptor: int | None) -> None:
        if self.closed:
            if descriptor is not None:
                os.close(descriptor)
            return
        self._waiting.append((packet, descriptor))
        if self._retry is None:
            self._flush()

    def _flush(self) -> None:
        self._retry = None
        while self._waiting:
            packet, descriptor = self._waiting[0]
            try:
                if descriptor is None:
                    self._end.send(packet)
                else:
                    socket.send_fds(self._end, [packet], [descriptor])
            except OSError as error:
                if error.errno not in _FULL or len(self._waiting) > QUEUED:
                    self._loop.call_soon(self._lose)
                    return
                self._retry = self._loop.call_later(RETRY_S, self._flush)
                return
            self._waiting.popleft()
            if descriptor is not None:
                os.close(descriptor)

    def _lose(self) -> None:
        if not self.closed:
            with contextlib.suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)
            self.close()
            self._ended()
