"""GET and HEAD /files/{key}?expires&signature: stored files for whoever has a URL that has not expired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from server.storage.disposition import disposition, served_type
from server.storage.errors import StorageError
from server.storage.keys import is_key
from server.storage.ranges import Unsatisfiable, http_date, is_unchanged, wanted_range
from server.storage.records import FileInfo
from server.storage.storage import Storage
from server.storage.urls import PATH

REDIRECT_S: Final = 3600
"""A redirect to the store itself holds at most so long."""

_GUARDS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "cross-origin",
}


def file_routes(storage: Storage) -> list[BaseRoute]:
    """To be mounted at the root, after more special routes below /files."""
    files = _Files(storage)
    return [Route(PATH + "/{key:path}", files.answer, methods=["GET", "HEAD"], name="file")]


class _Files:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def answer(self, request: Request) -> Response:
        """The file, a part of it, or where it is to be had. Raises `HTTPException`."""
        key, query = request.path_params["key"], request.query_params
        expires = query.get("expires", "")
        if not is_key(key) or not self._storage.urls.opens(key, expires, query.get("signature", "")):
            raise HTTPException(403, "The URL has expired or was changed: ask for a new one")
        info = await run_in_threadpool(self._storage.stat, key)
        if info is None:
            raise HTTPException(404, "The file was deleted")
        left = self._storage.urls.left(expires)
        try:
            url = await run_in_threadpool(self._storage.elsewhere, info, min(left, REDIRECT_S) or 1)
            if url is not None and request.method == "GET":
                return RedirectResponse(url, 302, headers=_GUARDS | {"cache-control": "no-store"})
            return await self._content(request, info, left)
        except FileNotFoundError:
            raise HTTPException(404, "The file was deleted") from None
        except StorageError as error:
            raise HTTPException(503, str(error)) from error

    async def _content(self, request: Request, info: FileInfo, left: int) -> Response:
        headers = _GUARDS | {
            "accept-ranges": "bytes",
            "cache-control": f"private, max-age={left}",
            "content-disposition": disposition(info.key, info.media_type),
            "etag": f'"{info.etag}"',
            "last-modified": http_date(info.created),
        }
        if is_unchanged(request.headers, info.etag, info.created):
            return Response(status_code=304, headers=headers)
        try:
            part = wanted_range(request.headers, info.size, info.etag, info.created)
        except Unsatisfiable:
            refusal = {"content-range": f"bytes */{info.size}"}
            raise HTTPException(416, "The range lies beyond the end of the file", headers=refusal) from None
        begin, end = part or (0, info.size)
        headers["content-length"] = str(end - begin)
        headers["content-type"] = served_type(info.media_type)
        if part is not None:
            headers["content-range"] = f"bytes {begin}-{end - 1}/{info.size}"
        status = 200 if part is None else 206
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        pieces = await run_in_threadpool(self._storage.read, info, begin, end)
        return StreamingResponse(_streamed(pieces), status, headers)


async def _streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces read on a thread, each when the one before has been taken."""
    try:
        while (piece := await run_in_threadpool(next, pieces, None)) is not None:
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
