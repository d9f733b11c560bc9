"""Runs the cases: for each endpoint half of them as its reference allows, half as it does not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fuzz.service import Service

CHECKED_FURTHER: Final = {
    "GET /api/webhooks/deliveries": "startingAfter must be a delivery of the account",
    "POST /api/generate/clip": "minDuration must not be more than maxDuration",
    "POST /api/generate/voice": "the voice must be there and speak the language",
    "POST /api/generate/avatar": "the voice must be there",
    "POST /v1/agent/generate": "base64 must be that of an image, a video or a recording",
    "GET /v1/avatars": "starting_after must be there",
    "POST /v1/avatars": "the image is fetched, and must have a face",
    "POST /v1/content/generate": "the avatar must be there",
    "POST /v1/videos": "the avatar must be there",
    "GET /v1/videos": "starting_after must be there",
    "POST /api/voice-agent/agents": "the model must be there",
    "POST /api/voice-agent/calls/outbound": "the number must be one that may be called, and the agent be there",
    "POST /api/voice-agent/numbers": "the number must be one that can exist, and the agent be there",
    "POST /api/voice-agent/do-not-call": "the number must be one that can exist",
    "GET /api/voice-agent/calls": "startingAfter must be there",
    "GET /api/voice-agent/campaigns": "startingAfter must be there",
    "POST /api/voice-agent/campaigns": "numbers must be such as may be called, and the agent must be there",
    "POST /api/voice-agent/campaigns/{campaign}/contacts": "the text must be CSV of numbers that may be called",
    "GET /api/jobs": "startingAfter must be there",
    "POST /api/upload": "the file must be what it says it is",
}
"""Endpoints that may refuse what their schema allows, and why: JSON Schema cannot say it."""


@dataclass(slots=True)
class Report:
    """What came of an endpoint's cases: how often which status, and what was wrong with one of them, if anything."""

    endpoint: str
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    wrong: str = ""

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.statuses.total()


def fuzz(service: Service, cases: int, *, only: str = "", repeatable: bool = True) -> Iterator[Report]:
    """Run so many cases for each endpoint whose name contains `only`, such as `POST /api/keys`."""
    for result in service.schema().get_all_operations():
        operation = result.ok()
        if only in operation.label:
            yield _fuzz(service, operation, cases, repeatable)


def _fuzz(service: Service, operation: Any, cases: int, repeatable: bool) -> Report:
    report = Report(operation.label)
    began = time.monotonic()
    modes = (
        [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if _can_be_wrong(operation) else [GenerationMode.POSITIVE]
    )
    for mode in modes:

        @settings(
            max_examples=max(1, cases // len(modes)),
            deadline=None,
            derandomize=repeatable,
            database=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink] if not repeatable else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            response = case.call(headers={"x-api-key": service.key})
            report.statuses[response.status_code] += 1
            excluded = [positive_data_acceptance] if operation.label in CHECKED_FURTHER else []
            case.validate_response(response, headers={"x-api-key": service.key}, excluded_checks=excluded)

        try:
            run()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever is wrong is what this is for
            report.wrong = _told(error)
            break
    report.seconds = time.monotonic() - began
    return report


def _can_be_wrong(operation: Any) -> bool:
    """Whether a request can be other than the reference says: it has a body or parameters."""
    return bool(operation.body) or bool(operation.query)


def _told(error: BaseException) -> str:
    notes = "\n".join(getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {error}\n{notes}"
