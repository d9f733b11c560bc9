"""The whole server, with its models, on a real socket in this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from server.assembly import Assembly
from server.database import Database, create_key, first_key
from server.fetching import UrlPolicy
from server.serving import WebServer, bind, server_config
from server.settings import Settings

ORIGIN = {"Sec-Fetch-Site": "same-origin"}
"""What browsers add to what our own page asks for."""


@dataclass
class Whole:
    """A server that runs. `account` is its first one, `key` an API key of that."""

    url: str
    account: str
    key: str
    settings: Settings
    database: Database
    parts: Assembly
    loop: asyncio.AbstractEventLoop

    def run(self, work: Any) -> Any:
        """Run a coroutine on the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(240)

    @contextmanager
    def visitor(self) -> Iterator[httpx.Client]:
        """A browser that has opened the page."""
        with httpx.Client(base_url=self.url, headers=ORIGIN, timeout=240) as client:
            client.get("/")
            yield client


@contextmanager
def whole(data: Path, *, policy: UrlPolicy | None = None, **changed: Any) -> Iterator[Whole]:
    """Serve from this data folder until the block ends; `changed` are sections of the settings."""
    with bind("127.0.0.1", 0) as listener:
        yield from _serving(listener, data, policy, changed)


def _serving(listener: socket.socket, data: Path, policy: UrlPolicy | None, changed: dict[str, Any]) -> Iterator[Whole]:
    port = listener.getsockname()[1]
    settings = Settings.model_validate({"data_dir": data, **changed}).with_port(port)
    database = Database(settings.database_url, threads=2)
    database.migrate()
    database.run_here(first_key, None)
    key = database.run_here(create_key, "test")
    parts = Assembly(settings, database, policy=policy)
    started = threading.Event()
    server = WebServer(server_config(parts.app, settings.server), before_close=parts.close, on_started=started.set)
    runner: list[asyncio.AbstractEventLoop] = []
    failed: list[BaseException] = []

    async def serve() -> None:
        runner.append(asyncio.get_running_loop())
        try:
            await parts.start()
            await server.serve([listener])
        except BaseException as error:
            failed.append(error)
            started.set()
            raise

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(240)
        if failed:
            raise failed[0]
        url = f"http://127.0.0.1:{port}"
        yield Whole(url, key.info.account_id, key.secret, settings, database, parts, runner[0])
    finally:
        server.stop()
        thread.join(20)
        database.close()
