"""The ASGI application: routes, errors and middleware around the engine and the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from media.worker import WorkerStats
from server.database import Database
from server.errors import on_failure, on_http_exception
from server.gate.gate import Gate
from server.health import health_routes
from server.metrics import Metrics
from server.middleware import BodyBounds, BodyLimit, Requests, SecurityHeaders, TrustedProxies
from server.phone.options import Sessions
from server.settings import Settings


class Engine(Sessions, Protocol):
    """What the application needs of the engine; who serves starts and closes it."""

    def ready(self) -> Mapping[str, str]:
        """What is not ready and why, by name; empty when calls can be taken. May look at files, never at the net."""
        ...

    def worker_stats(self) -> Mapping[str, WorkerStats]:
        """The totals of each model worker, by its name."""
        ...


def create_app(
    settings: Settings,
    *,
    engine: Engine,
    database: Database,
    metrics: Metrics,
    routes: Sequence[BaseRoute] = (),
    bodies: Mapping[str, BodyBounds] | None = None,
    gate: Gate | None = None,
) -> ASGIApp:
    """The application. `settings` hold the port that is really bound; `routes` come before our own.

    `bodies`: paths that accept other bodies than the settings allow everywhere. `gate`: the API families; whoever made
    it closes it.
    """
    metrics.watch_workers(engine.worker_stats)
    metrics.watch_sessions(lambda: engine.active_sessions)

    async def problems() -> Mapping[str, str]:
        found, wrong = await asyncio.gather(asyncio.to_thread(engine.ready), database.check())
        return {**found, **({"database": wrong} if wrong else {})}

    inner = Starlette(
        routes=[
            *(gate.routes() if gate is not None else ()),
            *routes,
            *health_routes(problems, metrics if settings.metrics.enabled else None),
        ],
        exception_handlers={HTTPException: on_http_exception, Exception: on_failure},
    )
    inner.router.redirect_slashes = False
    everywhere = BodyBounds(settings.server.max_body_bytes, settings.server.receive_timeout_s)
    app: ASGIApp = BodyLimit(inner, everywhere, {**(gate.bodies if gate is not None else {}), **(bodies or {})})
    if gate is not None:
        app = gate.middleware(app)
    app = SecurityHeaders(app)
    app = Requests(app, metrics.request)
    return TrustedProxies(app, settings.server.trusted_proxies)
