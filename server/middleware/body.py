"""A request's body may only be so large, and take only so long to come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import error_response


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What a body may have at most: bytes, and seconds to come."""

    bytes: int
    seconds: float


class BodyLimit:
    """Refuses bodies that are too large (413) and bodies that take too long to come (408).

    `bounds` hold for all paths but those that `exceptions` names (`{name}` stands for one segment). A body that
    declares its size is refused before any of it is read.
    """

    def __init__(self, app: ASGIApp, bounds: BodyBounds, exceptions: Mapping[str, BodyBounds] | None = None) -> None:
        self._app = app
        self._bounds = bounds
        self._exceptions = dict(exceptions or {})
        self._patterns = [(compile_path(path)[0], bounds) for path, bounds in self._exceptions.items() if "{" in path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted and timed as it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bounds = self._bounds_of(scope["path"])
        too_large = f"The body is larger than {bounds.bytes} bytes"
        declared: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not declared.isdigit() or int(declared) > bounds.bytes:
            response = error_response(413, too_large, path=scope["path"])
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        read = 0
        whole = False
        deadline = asyncio.get_running_loop().time() + bounds.seconds

        async def bounded() -> Message:
            nonlocal read, whole
            if whole:  # from here on only a disconnect can come, and that may take as long as it likes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The request took too long to arrive", {"connection": "close"}) from None
            read += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if read > bounds.bytes:
                raise HTTPException(413, too_large, {"connection": "close"})
            return message

        await self._app(scope, bounded, send)

    def _bounds_of(self, path: str) -> BodyBounds:
        if path in self._exceptions:
            return self._exceptions[path]
        return next((bounds for pattern, bounds in self._patterns if pattern.fullmatch(path)), self._bounds)
