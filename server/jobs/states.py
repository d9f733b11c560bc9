"""The states of a job, which may follow which, and how each API family names them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Nothing follows it."""
        return not FOLLOWS[self]


FOLLOWS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELLED}),
    # A job that lost its worker runs again; one that was released, or is to be tried again, is queued again.
    JobStatus.RUNNING: frozenset(JobStatus),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}
ACTIVE = tuple(status.value for status in JobStatus if not status.final)
FINAL = tuple(status.value for status in JobStatus if status.final)


class IllegalTransition(RuntimeError):
    """A job cannot go from where it is to there: a mistake of ours."""


def check(current: str, following: JobStatus) -> None:
    """Raise `IllegalTransition` unless `following` may follow `current`."""
    if following not in FOLLOWS[JobStatus(current)]:
        raise IllegalTransition(f"a job that is {current} cannot become {following}")


@dataclass(frozen=True, slots=True)
class JobView:
    """What may be shown of a job. `progress` is 0–1; `result` as `server.jobs.handlers.JobResult` keeps it."""

    id: str
    account_id: str
    family: str
    kind: str
    status: JobStatus
    phase: str
    progress: float
    payload: Mapping[str, Any]
    result: Mapping[str, Any] | None
    error: str | None
    error_code: str | None
    price: int
    webhook_url: str | None
    created: datetime
    started: datetime | None
    updated: datetime
    finished: datetime | None


_F1 = {
    JobStatus.QUEUED: "queued",
    JobStatus.RUNNING: "processing",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "failed",
}
_F3 = {
    JobStatus.QUEUED: "processing",
    JobStatus.RUNNING: "processing",
    JobStatus.COMPLETED: "ready",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "failed",
}
RENDERING = "rendering"
"""The phase in which F4 puts the clips together."""


@dataclass(frozen=True, slots=True)
class FamilyStatus:
    """A job's state in a family's own words; `extra` holds the fields that come with it."""

    status: str
    extra: Mapping[str, Any] = field(default_factory=dict)


def in_words_of(family: str, status: JobStatus, phase: str = "", progress: float = 0.0) -> FamilyStatus:
    """A job's state as `family` (F1 to F5) names it. Raises `KeyError` for another family."""
    return _PROJECTIONS[family](status, phase, progress)


def _f1(status: JobStatus, _phase: str, _progress: float) -> FamilyStatus:
    return FamilyStatus(_F1[status])


def _f2(status: JobStatus, phase: str, progress: float) -> FamilyStatus:
    return FamilyStatus(status.value, {"phase": phase, "progress": progress})


def _f3(status: JobStatus, _phase: str, _progress: float) -> FamilyStatus:
    return FamilyStatus(_F3[status])


def _f4(status: JobStatus, phase: str, progress: float) -> FamilyStatus:
    if status is JobStatus.RUNNING:
        if phase != RENDERING:
            return FamilyStatus("GENERATING_VIDEO")
        if progress == 0:
            return FamilyStatus("START_RENDERING_VIDEO", {"progress": 0})
        return FamilyStatus("RENDERING_VIDEO", {"progress": round(100 * progress)})
    return FamilyStatus({JobStatus.QUEUED: "PENDING", JobStatus.COMPLETED: "DONE"}.get(status, "ERROR"))


_PROJECTIONS = {"F1": _f1, "F2": _f2, "F3": _f3, "F4": _f4, "F5": _f2}
FAMILIES = tuple(_PROJECTIONS)
