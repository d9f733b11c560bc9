"""Messages and the attempts to deliver them. One durable unit an attempt; every function in its caller's transaction.

pending → delivered | failed | dropped      (a redelivery begins anew, under the same message id)
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from server.database.tables import WebhookDelivery
from server.jobs.durable import WEBHOOKS, DurableQueue, Work
from server.jobs.shapes import Sign
from server.jobs.states import JobView
from server.webhooks.bodies import message
from server.webhooks.endpoints import REQUEST, disable, secret_of, targets, url_of

RETRY_AFTER_S: Final = (10.0, 60.0, 300.0)
GONE: Final = 410
PAGE: Final = 50
_REVIVE_BATCH: Final = 200


class DeliveryStatus(StrEnum):
    """Where a delivery stands. Dropped: its endpoint is gone, so nothing more is tried."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class NotRedeliverable(Exception):
    """It is on its way already, or there is nowhere to send it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is to be sent where, now."""

    delivery_id: str
    unit: str
    url: str
    body: str
    secret: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: the receiver's status, or what went wrong in a few words."""

    status: int | None
    error: str | None
    seconds: float

    @property
    def delivered(self) -> bool:
        """The receiver has it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """What may be shown of a delivery."""

    id: str
    job_id: str
    event: str
    url: str
    status: DeliveryStatus
    attempts: int
    last_status: int | None
    log: tuple[Mapping[str, Any], ...]
    created: datetime
    next_attempt: datetime | None
    finished: datetime | None


class Deliveries:
    """The messages of all accounts."""

    def __init__(self, queue: DurableQueue, sign: Sign, retry_after_s: tuple[float, ...] = RETRY_AFTER_S) -> None:
        self._queue = queue
        self._sign = sign
        self._retry_after_s = retry_after_s

    def announce(self, session: Session, job: JobView) -> None:
        """Write down what a job that ended has to tell, for everybody who wants to hear it, and queue it."""
        said = message(job, self._sign)
        if said is None:
            return
        for target, url in targets(session, job.account_id, job.family, said.event, job.webhook_url):
            delivery = WebhookDelivery(
                id=f"msg_{secrets.token_hex(16)}",
                account_id=job.account_id,
                job_id=job.id,
                target=target,
                event=said.event,
                url=url,
                body=said.body,
                round=1,
                log=[],
                created=datetime.now(UTC),
            )
            session.add(delivery)
            self._begin(session, delivery)

    def attempt(self, session: Session, delivery_id: str, unit: str) -> Attempt | None:
        """What this unit has to send; None: it has been done, or is no longer wanted."""
        delivery = _locked(session, delivery_id)
        if delivery is None or delivery.unit != unit or delivery.status != DeliveryStatus.PENDING.value:
            return None
        secret = secret_of(session, delivery.account_id, delivery.target)
        if secret is None:
            self._close(delivery, DeliveryStatus.DROPPED)
            return None
        return Attempt(delivery.id, unit, delivery.url, delivery.body, secret)

    def record(self, session: Session, attempt: Attempt, outcome: Outcome) -> DeliveryStatus | None:
        """What came of it: done, given up, or one unit more after a while. None: recorded by another worker."""
        delivery = _locked(session, attempt.delivery_id)
        if delivery is None or delivery.unit != attempt.unit or delivery.status != DeliveryStatus.PENDING.value:
            return None
        now = datetime.now(UTC)
        delivery.attempts += 1
        delivery.last_status = outcome.status
        entry = {
            "at": now.isoformat(timespec="milliseconds"),
            "status": outcome.status,
            "error": outcome.error,
            "milliseconds": round(1000 * outcome.seconds),
        }
        delivery.log = [*delivery.log, entry]
        if outcome.delivered:
            self._close(delivery, DeliveryStatus.DELIVERED)
        elif outcome.status == GONE:
            disable(session, delivery.account_id, delivery.target, delivery.url)
            self._close(delivery, DeliveryStatus.FAILED)
        elif delivery.attempts > len(self._retry_after_s):
            self._close(delivery, DeliveryStatus.FAILED)
        else:
            self._enqueue(session, delivery, self._retry_after_s[delivery.attempts - 1])
        return DeliveryStatus(delivery.status)

    def overdue(self, session: Session, silent_s: float, after: str = "") -> list[tuple[str, str]]:
        """Deliveries whose attempt should have been made so long ago, with their units; a page by id."""
        row = WebhookDelivery
        before = datetime.now(UTC) - timedelta(seconds=silent_s)
        query = select(row.id, row.unit).where(row.status == DeliveryStatus.PENDING.value, row.next_attempt < before)
        found = session.execute(query.where(row.id > after).order_by(row.id).limit(_REVIVE_BATCH))
        return [(delivery_id, unit) for delivery_id, unit in found]

    def revive(self, session: Session, delivery_id: str, unit: str) -> bool:
        """Queue an attempt again whose unit has ended without making it."""
        delivery = _locked(session, delivery_id)
        if delivery is None or delivery.unit != unit or delivery.status != DeliveryStatus.PENDING.value:
            return False
        delivery.round += 1
        self._enqueue(session, delivery, None)
        return True

    def redeliver(self, session: Session, account_id: str, delivery_id: str) -> DeliveryView:
        """Send a message that was delivered, or was given up, again: at once, and with all its retries.

        It goes to where its target is now. Raises `LookupError` and `NotRedeliverable`.
        """
        delivery = _locked(session, delivery_id)
        if delivery is None or delivery.account_id != account_id:
            raise LookupError(delivery_id)
        if delivery.status == DeliveryStatus.PENDING.value:
            raise NotRedeliverable("this delivery is still being tried")
        url = delivery.url if delivery.target == REQUEST else url_of(session, account_id, delivery.target)
        if url is None:
            raise NotRedeliverable("this delivery's webhook is gone or disabled: register its URL again")
        delivery.url = url
        delivery.round += 1
        self._begin(session, delivery)
        return _view(delivery)

    def _begin(self, session: Session, delivery: WebhookDelivery) -> None:
        delivery.status = DeliveryStatus.PENDING.value
        delivery.attempts = 0
        delivery.finished = None
        self._enqueue(session, delivery, None)

    def _enqueue(self, session: Session, delivery: WebhookDelivery, delay_s: float | None) -> None:
        delivery.unit = f"{delivery.id}.{delivery.round}.{delivery.attempts + 1}"
        delivery.next_attempt = datetime.now(UTC) + timedelta(seconds=delay_s or 0)
        session.flush()
        self._queue.enqueue(
            session, delivery.unit, work=Work.DELIVERY, queue=WEBHOOKS, subject=delivery.id, delay_s=delay_s
        )

    def _close(self, delivery: WebhookDelivery, status: DeliveryStatus) -> None:
        delivery.status = status.value
        delivery.next_attempt = None
        delivery.finished = datetime.now(UTC)


def listing(
    session: Session,
    account_id: str,
    *,
    limit: int = PAGE,
    after: str | None = None,
    job_id: str | None = None,
    status: str | None = None,
) -> tuple[list[DeliveryView], bool]:
    """An account's deliveries, the newest first, and whether there are more; `after` is the last id of the page before.

    Raises `LookupError` where `after` is none of them.
    """
    row = WebhookDelivery
    query = select(row).where(row.account_id == account_id)
    if job_id is not None:
        query = query.where(row.job_id == job_id)
    if status is not None:
        query = query.where(row.status == status)
    if after is not None:
        last = session.get(row, after)
        if last is None or last.account_id != account_id:
            raise LookupError(after)
        query = query.where(or_(row.created < last.created, and_(row.created == last.created, row.id < last.id)))
    rows = list(session.scalars(query.order_by(row.created.desc(), row.id.desc()).limit(limit + 1)))
    return [_view(found) for found in rows[:limit]], len(rows) > limit


def finished_since(session: Session, since: datetime, until: datetime) -> Mapping[str, int]:
    """How many deliveries ended in [since, until), by how."""
    row = WebhookDelivery
    query = select(row.status, func.count()).where(row.finished >= since, row.finished < until).group_by(row.status)
    return dict(iter(session.execute(query)))


def _locked(session: Session, delivery_id: str) -> WebhookDelivery | None:
    query = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id).with_for_update()
    found: WebhookDelivery | None = session.scalar(query.execution_options(populate_existing=True))
    return found


def _view(row: WebhookDelivery) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        job_id=row.job_id,
        event=row.event,
        url=row.url,
        status=DeliveryStatus(row.status),
        attempts=row.attempts,
        last_status=row.last_status,
        log=tuple(row.log),
        created=row.created,
        next_attempt=row.next_attempt,
        finished=row.finished,
    )
