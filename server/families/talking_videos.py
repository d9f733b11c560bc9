"""F5: talking videos of a picture and a recording."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import AfterValidator, Field

from media.studio.framing import LARGEST, SMALLEST
from server.families.desk import Desk
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Forbidden, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, Language, QueryModel, RequestModel, Url, Whole
from server.gate.registry import Endpoint
from server.jobs.shapes import job_object
from server.jobs.store import find
from server.platform.times import timestamp as moment_of
from server.renders.kinds import TALKING
from server.renders.orders import TalkingOrder

VERSIONS = range(1, 7)
SIGNED_S: Final = 15 * 60
"""Seconds for which a signed path opens its file."""


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError("must be a UUID like 468ea7a0-66e1-4357-a760-236e54167f3e") from None


ProjectId = Annotated[str, Field(max_length=45, json_schema_extra={"format": "uuid"}), AfterValidator(_uuid)]


class TalkingVideoRequest(RequestModel):
    """A picture speaks a recording.

    `output_size`: the shorter side in pixels. `crop`: show the face alone, with `expand_ratio` of its size added on
    each side; else the whole picture. `dynamic_scale`: how much the head moves, 1 as in talk. `iteration_count` and
    `values` are for renderers that work in iterations; the one here does not, and they make no difference.
    """

    image_url: Url
    audio_url: Url
    is_clone_required: bool = False
    language: Language = "en"
    version: Annotated[Whole, Field(ge=VERSIONS[0], le=VERSIONS[-1])] = 6
    job_type: Literal["ai_talking_video"] = "ai_talking_video"
    project_id: ProjectId | None = None
    output_size: Annotated[Whole, Field(ge=SMALLEST, le=LARGEST)] = 400
    crop: bool = True
    dynamic_scale: Annotated[float, Field(ge=0, le=2)] = 1
    iteration_count: Annotated[Whole, Field(ge=1, le=100)] = 10
    expand_ratio: Annotated[float, Field(ge=0, le=3)] = 0.5
    values: Annotated[list[Any], Field(max_length=100)] = Field(default_factory=list)


class TalkingVideoOrdered(AnswerModel):
    """A job that was queued."""

    job_id: str
    status: Literal["queued"] = "queued"


class TalkingVideoJob(AnswerModel):
    """A job as `GET /api/jobs?id=` shows it too."""

    job_id: str
    type: str
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    phase: str
    progress: float
    output_url: str | None
    output_key: str | None
    output_type: str | None
    metadata: dict[str, Any]
    error: str | None
    created_at: str
    completed_at: str | None


class SignedPathQuery(QueryModel):
    """The key of a file, such as `ai-talking-videos/{projectId}/outputs/{file}.mp4`."""

    path: Annotated[str, Field(min_length=1, max_length=1024)]


class SignedPath(AnswerModel):
    """A URL that opens the file until `expires_at`."""

    signed_url: str
    expires_at: str


class KeptFiles(Protocol):
    """The stored files. `server.storage.Storage` implements it."""

    def stat(self, key: str, account_id: str | None = None) -> object | None:
        """What is known of an account's file; None where it has none of this key."""
        ...

    def sign(self, key: str, seconds: int | None = None) -> str:
        """A URL for it that expires."""
        ...


class TalkingVideos:
    """The endpoints. `now`: the time, in UTC."""

    def __init__(
        self, desk: Desk, files: KeptFiles, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._desk = desk
        self._files = files
        self._now = now

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F5,
                method="POST",
                path="/jobs/v2",
                summary="Order a talking video",
                handler=self.create,
                body=TalkingVideoRequest,
                answers={202: TalkingVideoOrdered},
                limit="generate",
                paid=True,
                price="talking_video",
            ),
            Endpoint(
                family=Family.F5,
                method="GET",
                path="/jobs/v2/{id}",
                summary="A talking video's state",
                handler=self.get,
                answers={200: TalkingVideoJob},
                limit="read",
            ),
            Endpoint(
                family=Family.F5,
                method="GET",
                path="/storage/generate-signed-path",
                summary="Sign the URL of a stored file",
                description="For the files of your own account only; the URL opens the file for 15 minutes.",
                handler=self.sign,
                query=SignedPathQuery,
                answers={200: SignedPath},
                limit="read",
                errors=frozenset({404}),
            ),
        ]

    async def create(self, call: ApiCall[TalkingVideoRequest]) -> ApiResult:
        """POST /jobs/v2."""
        request = call.body
        if request.is_clone_required:
            raise Forbidden("no engine is configured for voice cloning: send is_clone_required false")
        job_id = str(uuid.uuid4())
        order = TalkingOrder(
            image_url=self._desk.check_url(request.image_url, "image_url"),
            audio_url=self._desk.check_url(request.audio_url, "audio_url"),
            project_id=request.project_id or job_id,
            language=request.language,
            output_size=request.output_size,
            crop=request.crop,
            dynamic_scale=request.dynamic_scale,
            expand_ratio=request.expand_ratio,
            iteration_count=request.iteration_count,
            version=request.version,
        )
        return await self._desk.order(
            call,
            order,
            lambda job: ApiResult(TalkingVideoOrdered(job_id=job.id)),
            kind=TALKING,
            family="F5",
            item="talking_video",
            job_id=job_id,
        )

    async def get(self, call: ApiCall[None]) -> ApiResult:
        """GET /jobs/v2/{id}."""
        job = await call.database.look(find, call.account.id, call.path["id"], families=("F5",))
        if job is None:
            raise NotFound("There is no such job")
        files = job.result["outputs"] if job.result else []
        shown = {**job_object(job, self._desk.sign), "outputKey": files[0]["key"] if files else None}
        return ApiResult(TalkingVideoJob.model_validate(shown))

    async def sign(self, call: ApiCall[None]) -> ApiResult:
        """GET /storage/generate-signed-path."""
        query: SignedPathQuery = call.query
        found = await asyncio.to_thread(self._files.stat, query.path, call.account.id)
        if found is None:
            raise NotFound("There is no file of this key")
        expires = self._now().replace(microsecond=0) + timedelta(seconds=SIGNED_S)
        return ApiResult(SignedPath(signed_url=self._files.sign(query.path, SIGNED_S), expires_at=moment_of(expires)))
