"""Jobs in the metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import update

from server.database.tables import Account, Job
from server.jobs.monitor import JobMonitor
from tests.server.jobs.world import ACCOUNT, World


async def test_depths_ends_and_deliveries_are_counted_once(world: World) -> None:
    registry = CollectorRegistry()
    monitor = JobMonitor(world.database, registry)
    world.submit()
    first, second = world.submit("drawn"), world.submit("drawn")
    claim = world.run(world.claims.claim, first, world.row(first).unit, "w")
    assert claim is not None
    world.run(world.claims.fail, first, claim.attempt, "no", "NO")
    world.run(world.jobs.cancel, ACCOUNT, second)

    def age(session: Any) -> None:
        ended = datetime.now(UTC) - timedelta(seconds=2.1)
        session.execute(update(Job).where(Job.finished.is_not(None)).values(finished=ended, started=None))
        session.execute(update(Job).where(Job.id == first).values(started=ended - timedelta(seconds=7)))
        session.execute(update(Account).values(webhook_url=None))

    world.run(age)
    monitor._since -= timedelta(seconds=10)
    for _ in range(2):
        await monitor.look()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("visavis_jobs", queue="cpu", status="queued") == 1
    assert value("visavis_jobs", queue="gpu", status="queued") is None
    assert value("visavis_jobs_ended_total", kind="drawn", status="failed") == 1
    assert value("visavis_jobs_ended_total", kind="drawn", status="cancelled") == 1
    assert value("visavis_job_seconds_sum", kind="drawn", status="failed") == 7
    assert value("visavis_job_seconds_count", kind="drawn", status="cancelled") is None
