"""A server on a real socket in this process, with an engine that only says what it is told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from agents.link import AudioLink, Conversant
from media.worker import WorkerStats
from server.app import create_app
from server.database import Database
from server.gate.gate import Gate
from server.metrics import Metrics
from server.serving import WebServer, bind, server_config
from server.settings import Settings


@dataclass
class QuietEngine:
    """An engine without models: ready unless `problems` says otherwise."""

    problems: dict[str, str] = field(default_factory=dict)
    stats: dict[str, WorkerStats] = field(default_factory=dict)
    active_sessions: int = 0

    def ready(self) -> Mapping[str, str]:
        return self.problems

    def worker_stats(self) -> Mapping[str, WorkerStats]:
        return self.stats

    def has_agent(self, agent_id: str) -> bool:
        return False

    def open_session(self, agent_id: str, link: AudioLink, *, call_id: str, peer: str, channel: str) -> Conversant:
        raise KeyError(agent_id)


@dataclass
class Running:
    """A server that runs; `stop` ends it and returns when its thread has."""

    port: int
    engine: QuietEngine
    stop: Callable[[], None]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


async def _nothing() -> None:
    """End no conversations: there are none."""


@contextmanager
def running(
    settings: Settings,
    database: Database,
    *,
    engine: QuietEngine | None = None,
    routes: Sequence[BaseRoute] = (),
    before_close: Callable[[], Awaitable[None]] = _nothing,
    gate: Gate | None = None,
) -> Iterator[Running]:
    """Serve on a free port of 127.0.0.1 in a thread of its own until the block ends."""
    engine = engine or QuietEngine()
    listener = bind("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    settings = settings.with_port(port)
    app: ASGIApp = create_app(settings, engine=engine, database=database, metrics=Metrics(), routes=routes, gate=gate)
    started = threading.Event()
    server = WebServer(server_config(app, settings.server), before_close=before_close, on_started=started.set)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()

    def stop() -> None:
        server.stop()
        thread.join(10)

    try:
        assert started.wait(10)
        yield Running(port, engine, stop)
    finally:
        stop()
        listener.close()
