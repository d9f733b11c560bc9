"""Is the process alive, and can it take calls: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from server.metrics import CONTENT_TYPE, Metrics

Check = Callable[[], Awaitable[Mapping[str, str]]]
"""Names what is not ready and why; empty when all is."""


def health_routes(ready: Check, metrics: Metrics | None) -> list[BaseRoute]:
    """The routes machines ask; without `metrics` there is no /metrics."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        problems = await ready()
        if problems:
            return JSONResponse({"status": "not ready", "problems": dict(problems)}, 503)
        return JSONResponse({"status": "ready"})

    routes: list[BaseRoute] = [Route("/healthz", healthz), Route("/readyz", readyz)]
    if metrics is not None:

        async def show(_request: Request) -> Response:
            return Response(metrics.render(), media_type=None, headers={"content-type": CONTENT_TYPE})

        routes.append(Route("/metrics", show))
    return routes
