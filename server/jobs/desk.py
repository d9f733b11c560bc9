"""F2: GET and DELETE of jobs, whatever family ordered them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Conflict, Invalid, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, Identifier, QueryModel
from server.gate.registry import Endpoint
from server.jobs.jobs import Jobs, NotCancellable
from server.jobs.shapes import Sign, job_object
from server.jobs.states import JobView
from server.jobs.store import find, listing

Status = Literal["queued", "running", "completed", "failed", "cancelled"]


class JobsQuery(QueryModel):
    """The job of this `id`; or the newest `limit` jobs, or those after the job `startingAfter`."""

    id: Identifier | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    starting_after: Annotated[Identifier | None, Field(alias="startingAfter")] = None
    status: Status | None = None


class Job(AnswerModel):
    """A job. `phase` and `progress` (0–1) say how far it is; URLs are signed anew at each read, for 24 hours."""

    id: str
    job_id: str
    type: str
    status: Status
    phase: str
    progress: float
    output_url: str | None
    output_urls: list[str]
    output_type: str | None
    metadata: dict[str, Any]
    error: str | None
    error_code: str | None
    credits: int
    created_at: str
    started_at: str | None
    completed_at: str | None
    failed_at: str | None


class JobAnswer(AnswerModel):
    """One job."""

    data: Job


class JobsAnswer(AnswerModel):
    """Jobs, the newest first; with `id`, that one. `has_more`: there are older ones."""

    data: Job | list[Job]  # in this order: to see that a job is no list takes longer than all the rest of it
    has_more: bool = False


class JobDesk:
    """The endpoints. `sign`: the URL of a storage key."""

    def __init__(self, jobs: Jobs, sign: Sign) -> None:
        self._jobs = jobs
        self._sign = sign

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F2,
                method="GET",
                path="/api/jobs",
                summary="List jobs, or read one",
                description="Every family's jobs; with `id`, `data` is that one job.",
                handler=self.list,
                query=JobsQuery,
                answers={200: JobsAnswer},
                limit="read",
                errors=frozenset({404}),
            ),
            Endpoint(
                family=Family.F2,
                method="DELETE",
                path="/api/jobs/{id}",
                summary="Cancel a job",
                description="A job that waits or runs ends at once, and its credits are given back.",
                handler=self.cancel,
                answers={200: JobAnswer},
                limit="delete",
                errors=frozenset({409}),
            ),
        ]

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/jobs."""
        query: JobsQuery = call.query
        if query.id is not None:
            job = await call.database.look(find, call.account.id, query.id)
            if job is None:
                raise NotFound("There is no such job")
            return ApiResult(JobsAnswer(data=self._shown(job)))
        try:
            jobs, more = await call.database.read(
                listing,
                call.account.id,
                limit=query.limit,
                after=query.starting_after,
                statuses=(query.status,) if query.status else (),
            )
        except LookupError:
            raise Invalid("there is no such job", field="startingAfter") from None
        return ApiResult(JobsAnswer(data=[self._shown(job) for job in jobs], has_more=more))

    async def cancel(self, call: ApiCall[None]) -> ApiResult:
        """DELETE /api/jobs/{id}."""
        try:
            job = await call.database.run(self._jobs.cancel, call.account.id, call.path["id"])
        except LookupError:
            raise NotFound("There is no such job") from None
        except NotCancellable as error:
            raise Conflict(f"It cannot be cancelled: {error}") from error
        return ApiResult(JobAnswer(data=self._shown(job)))

    def _shown(self, job: JobView) -> Job:
        return Job.model_validate(job_object(job, self._sign))
