"""A server in this process, on a loop and thread of its own, with an API process beside it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from server.api_process.parent import ApiProcess
from server.app import create_app
from server.database import Database, create_key, first_key
from server.metrics import Metrics
from server.serving import WebServer, bind, server_config
from server.settings import Settings
from tests.server.api_process.child import gate
from tests.server.running import QuietEngine

READS: Final = 40
READS_AN_HOUR: Final = f"{READS} per hour"
COMMAND: Final = (sys.executable, "-m", "tests.server.api_process.child")


@dataclass
class World:
    """What runs. `environment` is the API process's."""

    port: int
    key: str
    api: ApiProcess
    database: Database
    metrics: Metrics
    loop: asyncio.AbstractEventLoop
    server: WebServer

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def bearer(self) -> dict[str, str]:
        """The header with the key."""
        return {"authorization": f"Bearer {self.key}"}

    def new_key(self) -> dict[str, str]:
        """The header with another key of the account."""
        found = self.database.run_here(create_key, "another")
        return {"authorization": f"Bearer {found.secret}"}

    def run(self, work: Any) -> Any:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.01)


async def _nothing() -> None:
    """End no conversations."""


async def _echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


async def _page(_request: object) -> PlainTextResponse:
    return PlainTextResponse("page")


@contextmanager
def world(
    folder: Path, *, command: tuple[str, ...] = COMMAND, wait: bool = True, limited: bool = False
) -> Iterator[World]:
    """Serve until the block ends. `limited`: `READS` requests an hour, else as many as there are."""
    listener = bind("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    settings = Settings.model_validate(
        {"data_dir": folder, "limits": {"enabled": limited}, "plans": {"enterprise": {"read": READS_AN_HOUR}}}
    ).with_port(port)
    database = Database(settings.database_url, threads=2)
    database.migrate()
    issued = database.run_here(first_key, None)
    assert issued is not None
    metrics = Metrics()
    made = gate(settings, database)
    own = {
        "VISAVIS_DATA_DIR": str(folder),
        "VISAVIS_PORT": str(port),
        "VISAVIS_LIMITS__ENABLED": str(limited).lower(),
    }
    api = ApiProcess(made, metrics, own, command=command)
    app = create_app(
        settings,
        engine=QuietEngine(),
        database=database,
        metrics=metrics,
        gate=made,
        routes=[Route("/page", _page), WebSocketRoute("/telephony/echo", _echo)],
    )
    started = threading.Event()
    server = WebServer(server_config(app, settings.server, api.http), before_close=_nothing, on_started=started.set)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        api.start(server)
        try:
            await server.serve([listener])
        finally:
            await api.close()

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    try:
        assert started.wait(10)
        if wait:
            until(lambda: api.pid)
        yield World(port, issued.secret, api, database, metrics, loops[0], server)
    finally:
        server.stop()
        thread.join(10)
        listener.close()
        database.close()
        assert not thread.is_alive()
