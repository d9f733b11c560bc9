"""The jobs in the server's metrics. Workers are processes of their own, so what they did is read from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from server.database import Database, DatabaseError
from server.jobs.store import depths, finished_since
from server.webhooks import deliveries

log = structlog.get_logger(__name__)

EVERY_S: Final = 5.0
_LAG: Final = timedelta(seconds=2)
"""What ended is counted so much later: a transaction that is not yet committed has its moment already."""
_BUCKETS: Final = (0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600)


class JobMonitor:
    """Counts what ended since the server started, and how much waits now."""

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        self._database = database
        self._depths: Mapping[tuple[str, str], int] = {}
        self._since = datetime.now(UTC) - _LAG
        self._seconds = Histogram(
            "visavis_job_seconds", "Time jobs took.", ["kind", "status"], buckets=_BUCKETS, registry=registry
        )
        self._ended = Counter("visavis_jobs_ended", "Jobs that have ended.", ["kind", "status"], registry=registry)
        self._deliveries = Counter(
            "visavis_webhook_deliveries", "Webhooks that were delivered or given up.", ["outcome"], registry=registry
        )
        registry.register(_Depths(self))

    @property
    def depths(self) -> Mapping[tuple[str, str], int]:
        """How many jobs waited or ran, by queue and status, at the last look."""
        return self._depths

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, DatabaseError) as error:
                log.warning("jobs cannot be counted", reason=type(error).__name__)
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Count what ended since the last look."""
        until = datetime.now(UTC) - _LAG
        self._depths = await self._database.read(depths)
        ended = await self._database.read(finished_since, self._since, until)
        delivered = await self._database.read(deliveries.finished_since, self._since, until)
        self._since = until
        for kind, status, seconds in ended:
            self._ended.labels(kind, status).inc()
            if seconds is not None:
                self._seconds.labels(kind, status).observe(seconds)
        for outcome, count in delivered.items():
            self._deliveries.labels(outcome).inc(count)


class _Depths(Collector):
    def __init__(self, monitor: JobMonitor) -> None:
        self._monitor = monitor

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        shown = GaugeMetricFamily("visavis_jobs", "Jobs that wait or run, by queue.", labels=["queue", "status"])
        for (queue, status), count in sorted(self._monitor.depths.items()):
            shown.add_metric([queue, status], count)
        yield shown
