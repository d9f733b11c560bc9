"""One attempt to deliver a message: sent outside of any transaction, recorded in one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from server.jobs.runner import Persistent
from server.webhooks.deliveries import Deliveries, DeliveryStatus, Outcome
from server.webhooks.signing import signed_headers

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 10.0


class PostFailed(Exception):
    """The receiver could not be reached, or may not be. The text is for the account's delivery log."""


class Post(Protocol):
    """The guarded way to post to a user's URL: checked at each call, no redirect followed."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> int:
        """The receiver's status. Raises `PostFailed`."""
        ...


class Sender:
    """Makes the attempts, each on the thread that calls `send`."""

    def __init__(
        self,
        *,
        run: Persistent,
        deliveries: Deliveries,
        post: Post,
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._run = run
        self._deliveries = deliveries
        self._post = post
        self._timeout_s = timeout_s
        self._now = now

    def send(self, unit: str, delivery_id: str) -> None:
        """Make this unit's attempt, unless it has been made. After a crash in between it is made once more."""
        attempt = self._run(self._deliveries.attempt, delivery_id, unit)
        if attempt is None:
            return
        headers = signed_headers(attempt.secret, attempt.delivery_id, self._now(), attempt.body)
        began = time.monotonic()
        try:
            status = self._post(attempt.url, attempt.body.encode(), headers, timeout_s=self._timeout_s)
        except PostFailed as failure:
            outcome = Outcome(None, str(failure)[:200], time.monotonic() - began)
        except Exception:  # a bug must not leave the delivery waiting for ever
            log.exception("a webhook could not be sent", delivery=delivery_id)
            outcome = Outcome(None, "It could not be sent", time.monotonic() - began)
        else:
            outcome = Outcome(status, None, time.monotonic() - began)
        state = self._run(self._deliveries.record, attempt, outcome)
        if state is DeliveryStatus.FAILED:
            log.warning("a webhook was given up", delivery=delivery_id, status=outcome.status, reason=outcome.error)
