"""The files of our pages: read once, served under a path that names their contents, so that browsers may keep them.

Every file of the folder is served below `/static/VERSION/`, where VERSION is a digest of all of them. Modules import
each other by relative paths and so always meet their own generation; a page, never cached, names the newest.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

STATIC: Final = Path(__file__).parent / "static"
PATH: Final = "/static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""Suffixes that are served, and as what; a file of another kind is an error of ours, found at the start."""
_COMPRESSED: Final = (".css", ".js", ".svg", ".txt")
_YEAR: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: `packed` is its gzip, None where that is not worth it."""

    content: bytes = field(repr=False)
    packed: bytes | None = field(repr=False)
    media_type: str
    etag: str


class Assets:
    """All files below a folder, in memory. Raises `ValueError` for a file whose type is not known."""

    def __init__(self, folder: Path = STATIC) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files: Mapping[str, Asset] = {path.relative_to(folder).as_posix(): _read(path) for path in paths}
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(f"{name}\0{asset.etag}\0".encode())
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Where a file is, as a path of this server. Raises `KeyError` where there is none of this name."""
        if name not in self._files:
            raise KeyError(f"static file {name}")
        return f"{PATH}/{self.version}/{name}"

    def routes(self) -> list[BaseRoute]:
        """To be mounted at the root."""
        return [Route(PATH + "/{version}/{name:path}", self._serve, methods=["GET"], name="static")]

    async def _serve(self, request: Request) -> Response:
        asset = self._files.get(request.path_params["name"])
        if asset is None or request.path_params["version"] != self.version:
            raise HTTPException(404)
        headers = {
            "cache-control": f"public, max-age={_YEAR}, immutable",
            "etag": asset.etag,
            "vary": "accept-encoding",
            "cross-origin-resource-policy": "same-origin",
        }
        if asset.etag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        content = asset.content
        if asset.packed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
            content = asset.packed
            headers["content-encoding"] = "gzip"
        return Response(content, media_type=None, headers={**headers, "content-type": asset.media_type})


def _read(path: Path) -> Asset:
    media_type = TYPES.get(path.suffix)
    if media_type is None:
        raise ValueError(f"{path}: files of this type are not served; add it to server/web/assets.py")
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0) if path.suffix in _COMPRESSED else None
    if packed is not None and len(packed) >= len(content):
        packed = None
    return Asset(content, packed, media_type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _takes_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() == "gzip":
            return quality.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
