"""Avatars that visitors of the page make of a picture: made, seen, deleted by whom they belong to."""

from __future__ import annotations

import asyncio
import hashlib
import time
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from media.avatar.errors import PortraitRefused
from media.avatar.pack import AvatarPack
from media.avatar.soundtrack import Speech
from media.decoding import MediaError, Picture, decode_image
from media.speech.protocols import Voice
from server.avatars.allowance import Allowance
from server.avatars.errors import RETRY_AFTER, Busy, ConsentNeeded, NoAvatar, PictureRefused
from server.avatars.library import NAME_LENGTH, AvatarLibrary
from server.avatars.preview import film, speak
from server.avatars.records import AvatarRecord
from server.avatars.studio import SOMEBODY_WAITS, AvatarStudio, StudioBusy
from server.bodies import read_body
from server.browser.access import PageAccess, Visitor
from server.browser.agents import AGENTS_PATH, Posters
from server.browser.errors import Forbidden, Refused, TooMany
from server.browser.routes import answering
from server.made_agents.records import AgentRecord
from server.made_agents.service import AgentService
from server.middleware import BodyBounds
from server.platform.times import timestamp

PATH: Final = "/api/page/avatars"
CONSENT: Final = "X-Visavis-Consent"
MOST_BYTES: Final = 10 * 1024 * 1024
BODY: Final = BodyBounds(MOST_BYTES, 60.0)
"""A telephone's photo over a slow line; for `server.app.create_app`."""
LONGEST_SIDE: Final = 2048
WAITING: Final = 4
"""Pictures that are worked on at once; with their bytes they are held in memory."""
HOUR: Final = 3600.0

_TYPES = ("image/jpeg", "image/png", "image/webp")
_FORMATS = ("JPEG", "PNG", "WEBP")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PageAvatarOptions:
    """Who may make avatars and how many. `public`: whether visitors from elsewhere may. `kept`: hours until deletion.

    `most`: visitors' avatars at once. `per_address`: made in an hour by each address from elsewhere.
    """

    public: bool = False
    per_address: int = 20
    kept: float = 24.0
    most: int = 500


class PageAvatars:
    """The page's avatar endpoints.

    `voice` opens the voice of the configured agent that a new one is like; `likeness` says which agent that is for a
    visitor, None where there is none. `clock` is in seconds, for the allowance.
    """

    def __init__(
        self,
        page: PageAccess,
        library: AvatarLibrary,
        agents: AgentService,
        studio: AvatarStudio,
        options: PageAvatarOptions,
        *,
        voice: Callable[[str], Awaitable[Voice]],
        likeness: Callable[[Visitor], str | None],
        posters: Posters | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._page = page
        self._library = library
        self._agents = agents
        self._studio = studio
        self._options = options
        self._voice = voice
        self._likeness = likeness
        self._posters = posters
        self._clock = clock
        self._allowance = Allowance(options.per_address, HOUR)
        self._working = 0

    def routes(self) -> list[BaseRoute]:
        """To be mounted at the root."""
        one = PATH + "/{avatar_id}"
        return [
            Route(PATH, answering(self.create), methods=["POST"], name="page-avatar-create"),
            Route(PATH, answering(self.list), methods=["GET"], name="page-avatars"),
            Route(one, answering(self.delete), methods=["DELETE"], name="page-avatar-delete"),
            Route(one + "/preview.mp4", answering(self.preview), methods=["GET"], name="page-avatar-preview"),
        ]

    # Endpoints

    async def create(self, request: Request) -> Response:
        """Make an avatar of the picture in the body, and an agent that has it."""
        visitor = self._page.visitor(request)
        likeness = self._allowed(visitor, request)
        name = avatar_name(request.query_params.get("name", ""))
        await self._check_room(visitor)
        if self._working >= WAITING:
            raise Busy("Too many avatars are being made at the moment: try again", retry_after=RETRY_AFTER)
        self._working += 1
        try:
            return await self._make(await _body(request), name, visitor, likeness)
        except (PortraitRefused, MediaError) as error:
            raise PictureRefused.of(error) from error
        except StudioBusy as error:
            raise Busy(str(error), retry_after=RETRY_AFTER) from error
        finally:
            self._working -= 1

    async def list(self, request: Request) -> Response:
        """The visitor's avatars, the newest first."""
        owner = self._page.visitor(request).owner
        if owner is None:
            return JSONResponse({"data": []})
        agents = {agent.avatar_id: agent for agent in await self._agents.of(owner)}
        avatars = await self._library.of(owner)
        return JSONResponse({"data": [self._shown(it, agents[it.id]) for it in avatars if it.id in agents]})

    async def delete(self, request: Request) -> Response:
        """Delete an avatar and its agent."""
        avatar = await self._own(request)
        await self._agents.delete_with_avatar(avatar.id)
        return Response(status_code=204)

    async def preview(self, request: Request) -> Response:
        """The film in which the avatar speaks."""
        avatar = await self._own(request)
        path = self._library.preview(avatar.id)
        if not avatar.preview or not path.is_file():
            raise NoAvatar("This avatar has no preview")
        return FileResponse(path, media_type="video/mp4", headers={"cache-control": "private, max-age=3600"})

    # Steps

    def _allowed(self, visitor: Visitor, request: Request) -> str:
        """The configured agent that the new one will be like. Raises `Refused` where this request may make none."""
        if visitor.public and not self._options.public:
            raise Forbidden("Avatars can be made here by the server's operator only")
        likeness = self._likeness(visitor)
        if likeness is None or self._posters is None:
            raise Forbidden("This server makes no avatars")
        if request.headers.get(CONSENT, "").strip().lower() != "yes":
            raise ConsentNeeded(f"The person in the picture has to agree: {CONSENT}: yes is expected")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _TYPES:
            raise PictureRefused("UNSUPPORTED_MEDIA_TYPE", "Please send a JPEG, PNG or WebP picture.")
        return likeness

    async def _check_room(self, visitor: Visitor) -> None:
        if await self._library.visitors() >= self._options.most:
            raise Busy("There are enough avatars on this server: try again later", retry_after=600)
        if visitor.public and (wait := self._allowance.take(self._clock(), visitor.address)) is not None:
            raise TooMany("Enough avatars were made from your address: try again later", retry_after=wait)

    async def _make(self, data: bytes, name: str, visitor: Visitor, likeness: str) -> Response:
        assert visitor.owner is not None  # noqa: S101 - the page's visitors have one
        enrolled, speech = await _both(self._enrol(data, name), self._greet(name, likeness))
        picture, pack = enrolled
        expires = datetime.now(UTC) + timedelta(hours=self._options.kept)
        avatar = await self._library.add(
            pack, picture, visitor.owner, source_hash=hashlib.sha256(data).hexdigest(), expires=expires
        )
        try:
            agent = await self._agents.create_agent(
                visitor.owner, {}, name=name, avatar_id=avatar.id, based_on=likeness, expires=expires
            )
            filmed = await self._film(avatar, pack, speech)
        except BaseException:
            await asyncio.shield(self._agents.delete_with_avatar(avatar.id))
            raise
        shown = self._shown(avatar, agent) | ({} if filmed else {"preview": None})
        log.info("an avatar was made", avatar=avatar.id, agent=agent.id, warnings=len(avatar.warnings))
        return JSONResponse({"data": shown}, 201)

    async def _enrol(self, data: bytes, name: str) -> tuple[Picture, AvatarPack]:
        picture = await decode_image(data, max_side=LONGEST_SIDE, formats=_FORMATS)
        return picture, await self._studio.enrol(picture, name, within=SOMEBODY_WAITS)

    async def _greet(self, name: str, likeness: str) -> Speech | None:
        """What the preview says. Without a voice there is no preview, but an avatar."""
        try:
            voice = await self._voice(likeness)
            return await speak(voice, f"Hello, I am {name}. Nice to meet you!", within=SOMEBODY_WAITS)
        except Exception:  # the face is there all the same
            log.exception("a preview could not be spoken")
            return None

    async def _film(self, avatar: AvatarRecord, pack: AvatarPack, speech: Speech | None) -> bool:
        """Make the preview; returns whether there is one."""
        if speech is None:
            return False
        path = self._library.preview(avatar.id)
        try:
            await self._studio.run(lambda: film(pack, speech, path), within=SOMEBODY_WAITS)
        except Exception:  # as above
            log.exception("a preview could not be filmed", avatar=avatar.id)
            return False
        return await self._library.note_preview(avatar.id)

    async def _own(self, request: Request) -> AvatarRecord:
        """The visitor's own avatar that a request is about. Raises `NoAvatar`."""
        owner = self._page.visitor(request).owner
        avatar = await self._library.get(request.path_params["avatar_id"])
        if avatar is None or avatar.owner != owner:
            raise NoAvatar("There is no such avatar: it was deleted, or somebody else made it")
        return avatar

    def _shown(self, avatar: AvatarRecord, agent: AgentRecord) -> dict[str, Any]:
        self._agents.know(agent)
        tag = None if self._posters is None else self._posters.poster_tag(agent.id)
        return {
            "id": avatar.id,
            "agentId": agent.id,
            "name": avatar.name,
            "warnings": list(avatar.warnings),
            "poster": None if tag is None else f"{AGENTS_PATH}/{agent.id}/poster?v={tag}",
            "preview": f"{PATH}/{avatar.id}/preview.mp4",
            "expiresAt": None if avatar.expires is None else timestamp(avatar.expires),
        }


def avatar_name(given: str) -> str:
    """A name fit to be shown and spoken. Raises `Refused` for one that is empty or too long."""
    visible = "".join(" " if unicodedata.category(each)[0] in "ZC" else each for each in given)
    name = " ".join(visible.split())
    if not any(each.isalnum() for each in name):
        raise Refused("name: say what the avatar is called, for example ?name=Anna")
    if len(name) > NAME_LENGTH:
        raise Refused(f"name: has {len(name)} characters; {NAME_LENGTH} are enough")
    return name


async def _body(request: Request) -> bytes:
    """The picture as it was sent. Raises `PictureRefused` where it is empty or too large."""
    body = await read_body(request, MOST_BYTES)
    if body is None:
        raise PictureRefused("PAYLOAD_TOO_LARGE", f"The picture has more than {MOST_BYTES >> 20} MB.")
    if not body:
        raise PictureRefused("UNSUPPORTED_MEDIA_TYPE", "The body is empty: the picture itself is expected in it.")
    return body


async def _both(
    enrolling: Awaitable[tuple[Picture, AvatarPack]], greeting: Awaitable[Speech | None]
) -> tuple[tuple[Picture, AvatarPack], Speech | None]:
    """Both results; where the first one fails the other is cancelled, and its error is the one that is raised."""
    speaking = asyncio.ensure_future(greeting)
    try:
        return await enrolling, await speaking
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
