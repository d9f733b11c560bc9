"""F1: avatars made of pictures."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Protocol

from pydantic import Field

from media.avatar.errors import PortraitRefused
from media.avatar.pack import AvatarPack
from media.decoding import MediaError, Picture, decode_image
from media.studio.framing import Portrait
from media.studio.stills import still
from server.avatars.library import NAME_LENGTH, AvatarLibrary
from server.avatars.records import AvatarRecord, avatars_page
from server.avatars.studio import SOMEBODY_WAITS, StudioBusy
from server.families.desk import Desk
from server.families.videos import PageQuery
from server.fetching import Fetched, FetchError
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Forbidden, Invalid, Unavailable
from server.gate.families import Family
from server.gate.models import Identifier, RequestModel, Said, SnakeAnswer, Url
from server.gate.registry import Endpoint
from server.jobs.shapes import timestamp
from server.owners import Owner
from server.renders.outputs import PICTURE, avatar_key
from server.storage import QuotaExceeded
from server.storage.records import ready_keys

MAX_BYTES: Final = 20 << 20
LONGEST_SIDE: Final = 2048
FETCH_S: Final = 15.0
AT_ONCE: Final = 4
"""Pictures that are worked on at once; they are held in memory."""
_BUSY: Final = "Too many avatars are being made at the moment: try again in a few seconds"

FetchPicture = Callable[[str], Awaitable[Fetched]]


class Studio(Protocol):
    """Finds faces and draws them, for everybody. `server.avatars.studio.AvatarStudio` implements it."""

    async def enrol(self, picture: Picture, name: str, *, within: float) -> AvatarPack:
        """Make a pack of a picture. Raises `PortraitRefused` or `StudioBusy`."""
        ...

    async def run(self, work: Callable[[], bytes], *, within: float) -> bytes:
        """Run a job of drawing. Raises `StudioBusy`."""
        ...


class Previews(Protocol):
    """Where previews are kept. `server.storage.Storage` implements it."""

    def put(self, key: str, source: bytes, *, media_type: str, account_id: str) -> object:
        """Store a file whole. Raises `server.storage.StorageError`."""
        ...


class AvatarRequest(RequestModel):
    """An avatar of the picture at `image_url`: one face, seen from the front. `voice_id`: the voice it speaks in."""

    name: Annotated[Said, Field(max_length=NAME_LENGTH)]
    image_url: Url
    voice_id: Identifier | None = None


class AvatarAnswer(SnakeAnswer):
    """An avatar. `preview_url` opens a rendered picture of it for 24 hours; null where there is none."""

    id: str
    name: str
    preview_url: str | None
    created_at: str
    voice_id: str | None = None
    warnings: list[str] = Field(default_factory=list)


class AvatarList(SnakeAnswer):
    """A page of avatars, the newest first."""

    data: list[AvatarAnswer]
    has_more: bool


class Avatars:
    """The endpoints. `fetch` gets a picture within the limits of this module; `files` keeps the previews."""

    def __init__(
        self, desk: Desk, library: AvatarLibrary, studio: Studio, *, fetch: FetchPicture, files: Previews
    ) -> None:
        self._desk = desk
        self._library = library
        self._studio = studio
        self._fetch = fetch
        self._files = files
        self._working = 0

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F1,
                method="GET",
                path="/v1/avatars",
                summary="List avatars",
                handler=self.list,
                query=PageQuery,
                answers={200: AvatarList},
                limit="read",
            ),
            Endpoint(
                family=Family.F1,
                method="POST",
                path="/v1/avatars",
                summary="Make an avatar of a picture",
                description="The picture is fetched, checked and turned into an avatar while the request waits; what "
                "is wrong with it is said at once.",
                handler=self.create,
                body=AvatarRequest,
                answers={201: AvatarAnswer},
                limit="generate",
                errors=frozenset({403}),
                live=True,
            ),
        ]

    async def create(self, call: ApiCall[AvatarRequest]) -> ApiResult:
        """POST /v1/avatars."""
        request = call.body
        if request.voice_id is not None:
            self._desk.voice(language=None, voice=request.voice_id, field="voice_id")
        self._desk.check_url(request.image_url, "image_url")
        if self._working >= AT_ONCE:
            raise Unavailable(_BUSY)
        self._working += 1
        try:
            made = await self._make(request, Owner(account=call.account.id))
        except FetchError as error:
            raise Invalid(error.message, field="image_url") from error
        except MediaError as error:
            if error.retryable:
                raise Unavailable(_BUSY) from error
            raise Invalid(error.message, field="image_url") from error
        except PortraitRefused as error:
            raise Invalid(str(error), field="image_url") from error
        except StudioBusy as error:
            raise Unavailable(_BUSY) from error
        except QuotaExceeded as error:
            raise Forbidden(str(error)) from error
        finally:
            self._working -= 1
        return ApiResult(self._shown(made, preview=True))

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /v1/avatars."""
        query: PageQuery = call.query
        owner = Owner(account=call.account.id)
        try:
            avatars, more = await call.database.run(avatars_page, owner, limit=query.limit, after=query.starting_after)
        except LookupError:
            raise Invalid("there is no such avatar", field="starting_after") from None
        keys = {avatar.id: avatar_key(avatar.id, PICTURE) for avatar in avatars}
        kept = await call.database.run(ready_keys, list(keys.values()))
        shown = [self._shown(avatar, preview=keys[avatar.id] in kept) for avatar in avatars]
        return ApiResult(AvatarList(data=shown, has_more=more))

    async def _make(self, request: AvatarRequest, owner: Owner) -> AvatarRecord:
        fetched = await self._fetch(request.image_url)
        data = fetched.data or b""
        picture: Picture = await decode_image(data, max_side=LONGEST_SIDE)
        pack = await self._studio.enrol(picture, request.name, within=SOMEBODY_WAITS)
        poster = await self._studio.run(lambda: still(Portrait.of_pack(pack)), within=SOMEBODY_WAITS)
        digest = hashlib.sha256(data).hexdigest()
        made = await self._library.add(pack, picture, owner, source_hash=digest, voice=request.voice_id)
        try:
            await asyncio.to_thread(
                self._files.put,
                avatar_key(made.id, PICTURE),
                poster,
                media_type=PICTURE,
                account_id=owner.account or "",
            )
        except BaseException:
            await asyncio.shield(self._library.delete(made.id))
            raise
        return made

    def _shown(self, avatar: AvatarRecord, *, preview: bool) -> AvatarAnswer:
        return AvatarAnswer(
            id=avatar.id,
            name=avatar.name,
            preview_url=self._desk.sign(avatar_key(avatar.id, PICTURE)) if preview else None,
            created_at=timestamp(avatar.created),
            voice_id=avatar.voice,
            warnings=list(avatar.warnings),
        )
