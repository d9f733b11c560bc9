"""An agent's files by signed links: its picture, its film, its avatar pack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Literal

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from media.avatar.errors import PackInvalid
from media.avatar.pack import zip_pack
from server.avatars.library import AvatarLibrary
from server.avatars.records import AvatarRecord
from server.signing import LinkSigner

PATH: Final = "/files/agents"
VALID_SECONDS: Final = 24 * 3600.0

FileName = Literal["portrait.jpg", "preview.mp4", "avatar.zip"]

log = structlog.get_logger(__name__)


class AgentFiles:
    """Makes links to avatars' files, valid for a day, and answers them. `clock` is in seconds since 1970."""

    def __init__(
        self, library: AvatarLibrary, signer: LinkSigner, public_url: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._library = library
        self._signer = signer
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def link(self, avatar: AvatarRecord, name: FileName) -> str:
        """A new link to one of an avatar's files."""
        path = f"{PATH}/{avatar.id}/{name}"
        return f"{self._public_url}{path}?{self._signer.sign(path, self._clock(), VALID_SECONDS)}"

    def routes(self) -> list[BaseRoute]:
        """To be mounted at the root."""
        return [Route(PATH + "/{avatar_id}/{name}", self.answer, methods=["GET"], name="agent-file")]

    async def answer(self, request: Request) -> Response:
        """The file of a link. Raises `HTTPException`."""
        query = request.query_params
        if not self._signer.opens(
            request.url.path, self._clock(), query.get("expires", ""), query.get("signature", "")
        ):
            raise HTTPException(403, "The link has expired or was changed: ask for the agent's status again")
        avatar_id, name = request.path_params["avatar_id"], request.path_params["name"]
        if await self._library.get(avatar_id) is None:
            raise HTTPException(404, "The agent was deleted")
        headers = {"cache-control": "private, max-age=3600"}
        if name == "avatar.zip":
            try:
                packed = await asyncio.to_thread(zip_pack, self._library.pack(avatar_id))
            except PackInvalid as error:
                log.exception("a pack on disk is damaged", avatar=avatar_id)
                raise HTTPException(404, "The avatar's files are damaged: make the agent again") from error
            headers["content-disposition"] = f'attachment; filename="{avatar_id}.zip"'
            return Response(packed, media_type="application/zip", headers=headers)
        path, kind = (
            (self._library.preview(avatar_id), "video/mp4")
            if name == "preview.mp4"
            else (self._library.source(avatar_id), "image/jpeg")
        )
        if not path.is_file():
            raise HTTPException(404, "There is no such file")
        return FileResponse(path, media_type=kind, headers=headers)
