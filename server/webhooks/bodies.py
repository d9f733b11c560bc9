"""Which events a job causes and what their messages say, family by family. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.jobs.handlers import FAILED_TEXT
from server.jobs.shapes import Sign, job_type, metadata, output_url, outputs, timestamp, video_object
from server.jobs.states import JobStatus, JobView

F1_EVENTS = ("video.completed", "video.failed")


@dataclass(frozen=True, slots=True)
class Message:
    """An event's name and what is posted, as text."""

    event: str
    body: str


def message(job: JobView, sign: Sign) -> Message | None:
    """What a job that ended has to tell; None where its family tells nobody (F3), or not of such an end.

    A cancelled job tells nothing: who cancelled it knows.
    """
    if job.status not in (JobStatus.COMPLETED, JobStatus.FAILED):
        return None
    end = job.status.value
    if job.family == "F1":
        event = f"video.{end}"
        return _message(event, {"event": event, "timestamp": timestamp(job.finished), "data": video_object(job, sign)})
    if job.family in ("F2", "F5"):
        event = f"job.{end}"
        data = _completed(job, sign) if job.status is JobStatus.COMPLETED else _failed(job)
        return _message(event, {"event": event, "timestamp": timestamp(job.finished), "data": data})
    if job.family == "F4" and job.status is JobStatus.COMPLETED:
        return _message("video.done", {"id": job.id, "status": "DONE", "url": output_url(job, sign)})
    return None


def _message(event: str, body: Mapping[str, Any]) -> Message:
    return Message(event, json.dumps(body, ensure_ascii=False, allow_nan=False))


def _completed(job: JobView, sign: Sign) -> dict[str, Any]:
    files = outputs(job)
    return {
        "jobId": job.id,
        "type": job_type(job),
        "status": job.status.value,
        "outputUrl": output_url(job, sign),
        "outputType": files[0]["mediaType"] if files else None,
        "metadata": metadata(job),
        "createdAt": timestamp(job.created),
        "completedAt": timestamp(job.finished),
    }


def _failed(job: JobView) -> dict[str, Any]:
    return {
        "jobId": job.id,
        "type": job_type(job),
        "status": job.status.value,
        "error": FAILED_TEXT,
        "creditsRefunded": job.price,
        "createdAt": timestamp(job.created),
        "failedAt": timestamp(job.finished),
    }
