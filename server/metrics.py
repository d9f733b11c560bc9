"""What Prometheus sees: requests, sessions, turns and their stages, and the model workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from media.worker import WorkerStats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STAGE_BUCKETS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(_Gauge("visavis_tasks", "Tasks on the event loop.", _tasks))
        self._requests = Counter(
            "visavis_http_requests", "HTTP requests.", ["method", "route", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "visavis_http_request_seconds", "Time to answer an HTTP request.", ["route"], registry=self.registry
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # as many as the registry itself has
        self._calls = Counter(
            "visavis_calls", "Conversations that have ended.", ["channel", "reason"], registry=self.registry
        )
        self._turns = Counter("visavis_turns", "Turns, by outcome.", ["outcome"], registry=self.registry)
        self._stage_seconds = Histogram(
            "visavis_turn_stage_seconds",
            "Time of each stage of a turn, from the end of the caller's speech.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request."""
        name = (method if method in _METHODS else "other", route, status)
        if (series := self._series.get(name)) is None:
            count = self._requests.labels(name[0], route, str(status))
            series = self._series[name] = count, self._request_seconds.labels(route)
        series[0].inc()
        series[1].observe(seconds)

    def call_ended(self, channel: str, reason: str) -> None:
        """Count a conversation; `reason` is one of a few words, never free text."""
        self._calls.labels(channel, reason).inc()

    def turn(self, outcome: str, stages: Mapping[str, float]) -> None:
        """Count a turn (`outcome`: answered, interrupted, failed, …); `stages` in seconds."""
        self._turns.labels(outcome).inc()
        for stage, seconds in stages.items():
            self._stage_seconds.labels(stage).observe(seconds)

    def watch_workers(self, stats: Callable[[], Mapping[str, WorkerStats]]) -> None:
        """Show the totals of the model workers, by worker, as they are when asked."""
        self.registry.register(WorkerCollector(stats))

    def watch_sessions(self, count: Callable[[], int]) -> None:
        """Show how many conversations go on, as it is when asked."""
        self.registry.register(_Gauge("visavis_sessions", "Conversations that go on now.", count))

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class WorkerCollector(Collector):
    """Reads `WorkerStats` when Prometheus asks."""

    def __init__(self, stats: Callable[[], Mapping[str, WorkerStats]]) -> None:
        self._stats = stats

    def describe(self) -> Iterator[Metric]:
        """Nothing is read when the collector is registered: the workers may not be there yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """One time series per worker and total."""
        done = CounterMetricFamily("visavis_worker_jobs", "Jobs that a model worker has done.", labels=["worker"])
        dropped = CounterMetricFamily("visavis_worker_dropped", "Jobs dropped before they began.", labels=["worker"])
        waited = CounterMetricFamily("visavis_worker_wait_seconds", "Time jobs waited.", labels=["worker"])
        worked = CounterMetricFamily("visavis_worker_busy_seconds", "Time jobs took.", labels=["worker"])
        for name, stats in self._stats().items():
            done.add_metric([name], stats.done)
            dropped.add_metric([name], stats.dropped)
            waited.add_metric([name], stats.waited)
            worked.add_metric([name], stats.worked)
        yield from (done, dropped, waited, worked)


class _Gauge(Collector):
    def __init__(self, name: str, documentation: str, read: Callable[[], int]) -> None:
        self._name = name
        self._documentation = documentation
        self._read = read

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(self._name, self._documentation)

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(self._name, self._documentation, value=self._read())


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # asked from outside the loop
        return 0
