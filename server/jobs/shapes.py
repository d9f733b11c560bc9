"""What clients see of a job, in the API's objects and in webhooks alike. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, overload

from server.jobs.handlers import FAILED_TEXT
from server.jobs.states import JobStatus, JobView, in_words_of

Sign = Callable[[str], str]
"""A URL for a storage key, signed anew."""
CANCELLED_TEXT = "The job was cancelled"
_TYPES = {"F5": "ai_talking_video"}


@overload
def timestamp(moment: datetime) -> str: ...
@overload
def timestamp(moment: None) -> None: ...
@overload
def timestamp(moment: datetime | None) -> str | None: ...
def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond, with a Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_type(job: JobView) -> str:
    """What F2 and F5 call a kind of job."""
    return _TYPES.get(job.family, job.kind)


def outputs(job: JobView) -> list[Mapping[str, str]]:
    """Its files: `key` and `mediaType`, the main one first."""
    return list(job.result["outputs"]) if job.result else []


def metadata(job: JobView) -> dict[str, Any]:
    """What is said of its output."""
    return dict(job.result["metadata"]) if job.result else {}


def output_url(job: JobView, sign: Sign) -> str | None:
    """Its main file."""
    files = outputs(job)
    return sign(files[0]["key"]) if files else None


def error_text(job: JobView) -> str | None:
    """Why there is no output, for people; never an internal detail."""
    if job.status is JobStatus.CANCELLED:
        return CANCELLED_TEXT
    return (job.error or FAILED_TEXT) if job.status is JobStatus.FAILED else None


def job_object(job: JobView, sign: Sign) -> dict[str, Any]:
    """A job as F2 and F5 show it."""
    words = in_words_of(job.family if job.family in ("F2", "F5") else "F2", job.status, job.phase, job.progress)
    return {
        "id": job.id,
        "jobId": job.id,
        "type": job_type(job),
        "status": words.status,
        **words.extra,
        "outputUrl": output_url(job, sign),
        "outputUrls": [sign(file["key"]) for file in outputs(job)],
        "outputType": outputs(job)[0]["mediaType"] if outputs(job) else None,
        "metadata": metadata(job),
        "error": error_text(job),
        "errorCode": job.error_code,
        "credits": job.price,
        "createdAt": timestamp(job.created),
        "startedAt": timestamp(job.started),
        "completedAt": timestamp(job.finished) if job.status is JobStatus.COMPLETED else None,
        "failedAt": timestamp(job.finished) if job.status is JobStatus.FAILED else None,
    }


def video_object(job: JobView, sign: Sign) -> dict[str, Any]:
    """A job as F1 shows it: a video."""
    return {
        "id": job.id,
        "status": in_words_of("F1", job.status).status,
        "avatar_id": job.payload.get("avatar_id"),
        "video_url": output_url(job, sign),
        "duration": metadata(job).get("durationSeconds"),
        "error": error_text(job),
        "created_at": timestamp(job.created),
        "completed_at": timestamp(job.finished) if job.status is JobStatus.COMPLETED else None,
    }
