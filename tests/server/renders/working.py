"""A handler at work without a worker: reports that are kept, files in a folder, URLs that name files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.fetching import FetchError, FetchProblem
from server.jobs.handlers import Interruption, JobContext, JobResult, Services, Shared
from server.jobs.runner import call
from server.renders.kinds import RENDERS
from server.renders.orders import Order
from server.settings import Settings


@dataclass
class Workplace:
    """Where jobs of the tests are made. `urls`: what URLs lead to. `stop_at`: phase and progress to cancel a job at."""

    root: Path
    shared: Shared = field(default_factory=Shared)
    urls: dict[str, Path] = field(default_factory=dict)
    phases: list[tuple[str, float]] = field(default_factory=list)
    checkpoints: dict[str, Any] = field(default_factory=dict)
    stop_at: tuple[str, float] | None = None
    settings: Settings = field(default_factory=Settings)
    context: JobContext | None = None

    def make(self, kind: str, order: Order | Mapping[str, Any], job_id: str = "job-1") -> JobResult:
        """Run the handler of a kind. Raises what it raises."""
        work_dir = self.root / "work"
        shutil.rmtree(work_dir, ignore_errors=True)
        work_dir.mkdir(parents=True)
        self.context = JobContext(
            job_id=job_id,
            account_id="acct_1",
            family="F2",
            kind=RENDERS[kind],
            attempt=1,
            work_dir=work_dir,
            services=self.services(),
            checkpoints=self.checkpoints,
            reports=self,
        )
        payload = order.payload() if isinstance(order, Order) else order
        return call(RENDERS[kind].load(), self.context, payload)

    def services(self) -> Services:
        """What handlers may use."""
        settings = self.settings.model_copy(update={"data_dir": self.root / "data"})
        return Services(settings, self, self.fetch, self, self.shared)

    def path(self, result: JobResult, number: int = 0) -> Path:
        """Where an output lies."""
        return self.root / "files" / result.outputs[number].key

    # What handlers use

    def fetch(self, url: str, target: Path, *, max_bytes: int) -> None:
        if url not in self.urls:
            raise FetchError(FetchProblem.REFUSED, "The server answered 404.")
        if self.urls[url].stat().st_size > max_bytes:
            raise FetchError(FetchProblem.TOO_LARGE, "The file is too large.")
        shutil.copyfile(self.urls[url], target)

    def put(self, key: str, source: Path, *, media_type: str, account_id: str) -> None:
        target = self.root / "files" / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def delete(self, key: str) -> None:
        (self.root / "files" / key).unlink()

    def sweep(self) -> int:
        return 0

    def sign(self, key: str) -> str:
        return f"https://files.example/{key}"

    def pressed(self) -> bool:
        return False

    def report(self, phase: str, progress: float) -> bool:
        self.phases.append((phase, progress))
        if self.stop_at is not None and (phase, progress) >= self.stop_at and phase == self.stop_at[0]:
            assert self.context is not None
            self.context.interrupt(Interruption.CANCELLED)
        return True

    def keep(self, name: str, value: Any) -> bool:
        self.checkpoints[name] = value
        return True
