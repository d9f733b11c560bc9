"""The server's side: starts the API process, gives it connections, takes them back, and counts for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from server.api_process.channel import Channel, pair
from server.api_process.counting import Counter
from server.api_process.frames import Count, Forget, Message, Ready, Seen
from server.api_process.front import Adopting, moving
from server.api_process.lines import RequestLine, is_alone, is_api
from server.gate.gate import Gate
from server.metrics import Metrics
from server.restarting import keep_alive
from server.serving import BoundedHttp, WebServer

log = structlog.get_logger(__name__)

COMMAND: Final = (sys.executable, "-m", "server", "api")
SILENT_S: Final = 2.0
"""It says several times a second that it is there; after so long without a word it is given no more connections."""
END_S: Final = 0.1
"""It is waited for so long at the end, once more after it was killed; without us it ends with its socket."""


class ApiProcess:
    """Keeps the API process alive and shares the connections with it. `start` once, `close` once.

    While there is none, the server answers everything. `environment` is added to our own; `command` gets the number of
    its descriptor as `--channel`.
    """

    answers_all: bool = True

    def __init__(
        self, gate: Gate, metrics: Metrics, environment: Mapping[str, str], *, command: Sequence[str] = COMMAND
    ) -> None:
        self._gate = gate
        self._metrics = metrics
        self._environment = {**os.environ, **environment}
        self._command = tuple(command)
        self._server: WebServer | None = None
        self._channel: Channel | None = None
        self._counter: Counter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False
        self._heard_at = 0.0
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._adopting = Adopting()
        self.http: type[BoundedHttp] = moving(self)
        """The protocol of the server whose connections are shared; for `server.serving.server_config`."""

    @property
    def pid(self) -> int | None:
        """The API process, once it answers."""
        return self._process.pid if self._process is not None and self._ready else None

    def start(self, server: WebServer) -> None:
        """Begin; on the event loop. `server` is made with `http`."""
        self._server = server
        self._gate.authenticator.tell = self._forget
        keeping = keep_alive("api", self._live, lambda: self._closing)
        self._task = asyncio.get_running_loop().create_task(keeping, name="api-process")

    def stop(self) -> None:
        """Give it nothing more and tell it to end."""
        self._closing = True
        self._ready = False
        self._signal(signal.SIGTERM)

    async def close(self) -> None:
        """The same, and wait a moment; what has not ended then is ended."""
        self.stop()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=END_S)
            if late:
                self._signal(signal.SIGKILL)
                await asyncio.wait([self._task], timeout=END_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._adopting.close()

    # As the other side of a connection

    def listen(self) -> None:
        """See `server.api_process.front.OtherSide`."""
        if self._channel is not None:
            self._channel.listen()

    def takes(self, line: RequestLine, data: bytes) -> bool:
        """Whether the API process answers this, and is there to do so."""
        channel = self._channel
        if not self._ready or channel is None or not channel.has_room:
            return False
        if time.monotonic() - self._heard_at > SILENT_S:
            return False
        return is_api(self._gate.registry, line) and is_alone(line, data)

    def move(self, descriptor: int, data: bytes) -> bool:
        """Give it a connection."""
        return self._ready and self._channel is not None and self._channel.move(descriptor, data)

    # The process

    async def _live(self) -> int:
        """One life of the process; returns its exit code."""
        near, far = pair()
        channel = self._channel = Channel(near, heard=self._hear, came=self._take_back, ended=self._ended)
        counter = self._counter = Counter(self._gate.limiter, channel.send)
        try:
            with far:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    "--channel",
                    str(far.fileno()),
                    env=self._environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(far.fileno(),),
                )
            if self._closing:
                self._signal(signal.SIGTERM)
            return await self._process.wait()
        finally:
            self._ready = False
            self._process = None
            channel.listen()  # what it has sent before it ended
            channel.close()
            await counter.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _ended(self) -> None:
        """It has closed its socket, or does not understand us: it is of no more use."""
        self._ready = False
        if not self._closing:
            self._signal(signal.SIGKILL)

    # What it says

    def _hear(self, message: Message) -> None:
        match message:
            case Ready():
                self._heard_at = time.monotonic()
                if not self._ready and not self._closing:
                    self._ready = True
                    log.info("API process ready", pid=self.pid)
            case Count() if self._counter is not None:
                self._counter.count(message)
            case Forget():
                self._gate.authenticator.forget_here()
            case Seen(requests):
                for method, route, status, seconds in requests:
                    self._metrics.request(method, route, status, seconds)
            case _:
                log.warning("the API process says what it should not", what=type(message).__name__)

    def _forget(self) -> None:
        if self._channel is not None:
            self._channel.send(Forget())

    def _take_back(self, descriptor: int, data: bytes) -> None:
        if self._server is None or self._server.should_exit:
            os.close(descriptor)
            return
        self._adopting.take(self._server, descriptor, data, stays=True)
