"""Every request has an id, a line in the log and a place in the metrics."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("server.requests")

_ID = b"x-request-id"
_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_random = random.Random()
_QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: logged at debug level only."""

Observe = Callable[[str, str, int, float], None]
"""Told method, route, status and seconds of every HTTP request."""


class Requests:
    """Binds `request` (the client's X-Request-ID where it is sane, else a new one) to the log and answers with it."""

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and account for it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or f"{_random.getrandbits(64):016x}"
        status = 0

        async def mark(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _ID]
                message = {**message, "headers": [*others, (_ID, request_id.encode())]}
            elif message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close":
                status = status or 403  # closed before it was accepted
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._app(scope, receive, mark)
            finally:
                self._account(scope, status, time.perf_counter() - began)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope.get("method", "WEBSOCKET")
        client = scope.get("client")
        write = log.debug if scope["path"] in _QUIET_PATHS else log.info
        write(
            "request",
            method=method,
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
            client=client[0] if client else None,
        )
        if scope["type"] == "http":
            self._observe(method, _route(scope), status, seconds)


def _given_id(scope: Scope) -> str:
    """The client's own id, "" where it sends none that is sane."""
    given: bytes = next((value for name, value in scope["headers"] if name == _ID), b"")
    return given.decode() if _GIVEN_ID.fullmatch(given) else ""


def _route(scope: Scope) -> str:
    """The route's pattern, not the path: ids in paths would make a new time series each."""
    return getattr(scope.get("route"), "path", "") or "other"
