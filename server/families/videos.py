"""F1: videos of avatars that speak a script, and scripts written from a prompt."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from server.avatars.library import AvatarLibrary
from server.avatars.records import AvatarRecord
from server.families.desk import Desk, language_tag
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Invalid, NotFound
from server.gate.families import Family
from server.gate.models import Identifier, Language, QueryModel, RequestModel, Said, SnakeAnswer
from server.gate.registry import Endpoint
from server.jobs.shapes import metadata, outputs, video_object
from server.jobs.states import JobView
from server.jobs.store import find, listing
from server.owners import Owner
from server.renders.kinds import CONTENT, VIDEO, VIDEO_KINDS
from server.renders.orders import VideoOrder
from server.renders.script import languages_of
from server.renders.speaking_time import FASTEST_TO_FIT, estimate_seconds
from server.renders.voices import base_language

LONGEST_S: Final = 600.0
_DOUBT: Final = 1.15
"""An estimate of speaking time may be wrong by so much: only what is surely too long is refused at once."""

Seconds = Annotated[float, Field(ge=1, le=LONGEST_S)]


class ContentRequest(RequestModel):
    """A video whose script is written from a prompt. `duration`: seconds that it may take; default 30."""

    prompt: Annotated[Said, Field(max_length=4000)]
    avatar_id: Identifier
    language: Language = "en"
    duration: Seconds = 30.0


class VideoRequest(RequestModel):
    """A video of an avatar that speaks `script`. `duration`: seconds that it may take; without it, what it takes."""

    avatar_id: Identifier
    script: Annotated[Said, Field(max_length=10_000)]
    language: Language = "en"
    duration: Seconds | None = None


class PageQuery(QueryModel):
    """Which part of a list: the newest `limit` items, or those that follow the item `starting_after`."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    starting_after: Identifier | None = None


class Video(SnakeAnswer):
    """A video. `video_url` is signed anew at each read and opens the file for 24 hours; `duration` is in seconds."""

    id: str
    status: Literal["queued", "processing", "completed", "failed"]
    avatar_id: str
    video_url: str | None
    duration: float | None
    error: str | None
    created_at: str
    completed_at: str | None
    thumbnail_url: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class VideoList(SnakeAnswer):
    """A page of videos, the newest first."""

    data: list[Video]
    has_more: bool


class Videos:
    """The endpoints. `small_writer`: scripts are written by the embedded model, which knows few languages."""

    def __init__(self, desk: Desk, library: AvatarLibrary, *, small_writer: bool) -> None:
        self._desk = desk
        self._library = library
        self._languages = languages_of(small=small_writer)

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F1,
                method="POST",
                path="/v1/content/generate",
                summary="Write a script from a prompt and render it",
                description="The language model of the server writes what the avatar says so that it fits `duration`; "
                "what was written is in the video's metadata.",
                handler=self.content,
                body=ContentRequest,
                answers={201: Video},
                limit="generate",
                paid=True,
                price="content",
            ),
            Endpoint(
                family=Family.F1,
                method="POST",
                path="/v1/videos",
                summary="Render an avatar that speaks a script",
                handler=self.create,
                body=VideoRequest,
                answers={201: Video},
                limit="generate",
                paid=True,
                price="avatar_video",
            ),
            Endpoint(
                family=Family.F1,
                method="GET",
                path="/v1/videos",
                summary="List videos",
                handler=self.list,
                query=PageQuery,
                answers={200: VideoList},
                limit="read",
            ),
            Endpoint(
                family=Family.F1,
                method="GET",
                path="/v1/videos/{id}",
                summary="A video's status, metadata and download URL",
                handler=self.get,
                answers={200: Video},
                limit="read",
            ),
        ]

    async def content(self, call: ApiCall[ContentRequest]) -> ApiResult:
        """POST /v1/content/generate."""
        request = call.body
        language = base_language(language_tag(request.language))
        if self._languages is not None and language not in self._languages:
            raise Invalid(
                f"scripts are written in {', '.join(self._languages)} here; an endpoint in llm.base_url writes any",
                field="language",
            )
        avatar = await self._avatar(call, request.avatar_id)
        order = VideoOrder(
            avatar_id=avatar.id,
            voice=self._voice(avatar, request.language),
            language=language,
            prompt=request.prompt,
            seconds=request.duration,
        )
        return await self._order(call, order, CONTENT, "content")

    async def create(self, call: ApiCall[VideoRequest]) -> ApiResult:
        """POST /v1/videos."""
        request = call.body
        avatar = await self._avatar(call, request.avatar_id)
        order = VideoOrder(
            avatar_id=avatar.id,
            voice=self._voice(avatar, request.language),
            language=base_language(language_tag(request.language)),
            script=request.script,
            seconds=request.duration,
        )
        takes = estimate_seconds(request.script, order.language, speed=FASTEST_TO_FIT)
        if takes > (request.duration or LONGEST_S) * _DOUBT:
            raise Invalid(
                f"takes about {takes:.0f} s to say however fast: shorten it or give it more duration", field="script"
            )
        return await self._order(call, order, VIDEO, "avatar_video")

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /v1/videos."""
        query: PageQuery = call.query
        try:
            jobs, more = await call.database.run(
                listing, call.account.id, limit=query.limit, after=query.starting_after, kinds=VIDEO_KINDS
            )
        except LookupError:
            raise Invalid("there is no such video", field="starting_after") from None
        return ApiResult(VideoList(data=[self._video(job) for job in jobs], has_more=more))

    async def get(self, call: ApiCall[None]) -> ApiResult:
        """GET /v1/videos/{id}."""
        job = await call.database.look(find, call.account.id, call.path["id"], families=("F1",))
        if job is None or job.kind not in VIDEO_KINDS:
            raise NotFound("There is no such video")
        return ApiResult(self._video(job))

    async def _avatar(self, call: ApiCall[Any], avatar_id: str) -> AvatarRecord:
        avatar = await self._library.get(avatar_id)
        if avatar is None or avatar.owner != Owner(account=call.account.id):
            raise Invalid("there is no such avatar; GET /v1/avatars lists yours", field="avatar_id")
        return avatar

    def _voice(self, avatar: AvatarRecord, language: str) -> str:
        """The avatar's own voice where it speaks the language, else one that does."""
        language = language_tag(language)
        base = base_language(language)
        own = avatar.voice if avatar.voice and self._desk.voices().language_of(avatar.voice) == base else None
        return self._desk.voice(language=language, voice=own, field="avatar_id")

    async def _order(self, call: ApiCall[Any], order: VideoOrder, kind: str, item: str) -> ApiResult:
        job_id = f"video_{secrets.token_hex(12)}"
        return await self._desk.order(
            call, order, lambda job: ApiResult(self._video(job)), kind=kind, family="F1", item=item, job_id=job_id
        )

    def _video(self, job: JobView) -> Video:
        files = outputs(job)
        thumbnail = self._desk.sign(files[1]["key"]) if len(files) > 1 else None
        shown = {**video_object(job, self._desk.sign), "thumbnail_url": thumbnail, "metadata": metadata(job)}
        return Video.model_validate(shown)
