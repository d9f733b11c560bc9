"""The parts of the jobs put together, the same way in the server and in its workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from server.database import Database
from server.jobs.durable import DurableQueue
from server.jobs.handlers import Kinds
from server.jobs.jobs import JobLimits, Jobs
from server.jobs.shapes import Sign
from server.webhooks.deliveries import Deliveries

if TYPE_CHECKING:
    from server.settings import Settings


@dataclass(frozen=True, slots=True)
class JobParts:
    """Orders, messages, and the queue that both use."""

    jobs: Jobs
    deliveries: Deliveries
    queue: DurableQueue


def assemble(settings: Settings, database: Database, kinds: Kinds, sign: Sign) -> JobParts:
    """Put them together. `sign` makes the URL of a storage key."""
    queue = DurableQueue(database.engine)
    deliveries = Deliveries(queue, sign, settings.webhooks.retry_after_s)
    limits = JobLimits(
        active_per_account=settings.jobs.active_per_account,
        attempts=settings.jobs.attempts,
        retention=timedelta(days=settings.jobs.retention_days),
    )
    return JobParts(Jobs(queue, kinds, limits, deliveries.announce), deliveries, queue)
