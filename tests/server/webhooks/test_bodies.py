"""What each family's messages say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from server.jobs.states import JobStatus, JobView
from server.webhooks.bodies import message

CREATED = datetime(2026, 3, 16, 11, 59, 50, tzinfo=UTC)
FINISHED = datetime(2026, 3, 16, 12, 0, tzinfo=UTC)
RESULT = {
    "outputs": [{"key": "a/out.wav", "mediaType": "audio/wav"}],
    "metadata": {"model": "kokoro", "durationSeconds": 2.5, "language": "en"},
}
JOB = JobView(
    id="550e8400",
    account_id="acct_1",
    family="F2",
    kind="voice",
    status=JobStatus.COMPLETED,
    phase="done",
    progress=1.0,
    payload={"avatar_id": "avatar_1", "secret": "never shown"},
    result=RESULT,
    error=None,
    error_code=None,
    price=80,
    webhook_url=None,
    created=CREATED,
    started=CREATED,
    updated=FINISHED,
    finished=FINISHED,
)
BROKEN = replace(JOB, status=JobStatus.FAILED, result=None, error="libav said: /internal/path", error_code="FAILED")


def said(job: JobView) -> tuple[str, dict[str, Any]] | None:
    """The event and the body."""
    found = message(job, lambda key: f"https://files/{key}")
    return None if found is None else (found.event, json.loads(found.body))


def test_f2_tells_of_a_completed_job() -> None:
    assert said(JOB) == (
        "job.completed",
        {
            "event": "job.completed",
            "timestamp": "2026-03-16T12:00:00.000Z",
            "data": {
                "jobId": "550e8400",
                "type": "voice",
                "status": "completed",
                "outputUrl": "https://files/a/out.wav",
                "outputType": "audio/wav",
                "metadata": {"model": "kokoro", "durationSeconds": 2.5, "language": "en"},
                "createdAt": "2026-03-16T11:59:50.000Z",
                "completedAt": "2026-03-16T12:00:00.000Z",
            },
        },
    )


def test_f2_tells_of_a_failed_job_without_details() -> None:
    assert said(BROKEN) == (
        "job.failed",
        {
            "event": "job.failed",
            "timestamp": "2026-03-16T12:00:00.000Z",
            "data": {
                "jobId": "550e8400",
                "type": "voice",
                "status": "failed",
                "error": "Generation failed",
                "creditsRefunded": 80,
                "createdAt": "2026-03-16T11:59:50.000Z",
                "failedAt": "2026-03-16T12:00:00.000Z",
            },
        },
    )


def test_f5_names_its_own_type() -> None:
    found = said(replace(JOB, family="F5", kind="talking"))
    assert found is not None
    assert found[1]["data"]["type"] == "ai_talking_video"


def test_f1_tells_of_its_video() -> None:
    found = said(replace(JOB, family="F1", kind="video"))
    assert found is not None
    event, body = found
    assert (event, body["event"], body["timestamp"]) == ("video.completed", event, "2026-03-16T12:00:00.000Z")
    assert body["data"] == {
        "id": "550e8400",
        "status": "completed",
        "avatar_id": "avatar_1",
        "video_url": "https://files/a/out.wav",
        "duration": 2.5,
        "error": None,
        "created_at": "2026-03-16T11:59:50.000Z",
        "completed_at": "2026-03-16T12:00:00.000Z",
    }
    failed = said(replace(BROKEN, family="F1"))
    assert failed is not None
    assert failed[0] == "video.failed"
    assert failed[1]["data"]["status"] == "failed"


def test_f4_tells_only_when_it_is_done() -> None:
    job = replace(JOB, family="F4")
    assert said(job) == ("video.done", {"id": "550e8400", "status": "DONE", "url": "https://files/a/out.wav"})
    assert said(replace(BROKEN, family="F4")) is None


@pytest.mark.parametrize("family", ["F1", "F2", "F3", "F4", "F5"])
@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELLED])
def test_nothing_is_told_of_a_job_that_goes_on_or_was_cancelled(family: str, status: JobStatus) -> None:
    assert said(replace(JOB, family=family, status=status)) is None


def test_f3_tells_nobody() -> None:
    assert said(replace(JOB, family="F3")) is None
