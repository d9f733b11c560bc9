"""A request's body may only be so large, and take only so long to come."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import error_response


class BodyLimit:
    """Refuses bodies over `limit` bytes (413) and bodies that take longer than `seconds` to come (408).

    A body that declares its size is refused before any of it is read.
    """

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted and timed as it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > self._limit:
            response = error_response(413, self._too_large)
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        read = 0
        whole = False
        deadline = asyncio.get_running_loop().time() + self._seconds

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
            if read > self._limit:
                raise HTTPException(413, self._too_large, {"connection": "close"})
            return message

        await self._app(scope, bounded, send)

    @property
    def _too_large(self) -> str:
        return f"The body is larger than {self._limit} bytes"
