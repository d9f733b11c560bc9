"""An account with credits and what it does with jobs, and worker processes to do them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from server.credits import ledger
from server.database import Database
from server.database.tables import Account, Job, WebhookDelivery
from server.jobs import durable
from server.jobs.claims import Claims
from server.jobs.compose import assemble
from server.jobs.states import JobView
from server.jobs.store import find
from server.settings import Settings
from tests.server.jobs.parts import KINDS, FolderFiles

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = "acct_1"
CREDITS = 100_000


class World:
    """One database, one account, and the server's side of the jobs."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        durable.prepare(settings.database_url)
        self.files = FolderFiles(settings.data_dir / "files")
        self.parts = assemble(settings, database, KINDS, self.files.sign)
        self.jobs = self.parts.jobs
        self.claims = Claims(self.jobs, self.parts.queue)
        self.run = database.run_here
        self.run(self._open_account)

    def _open_account(self, session: Any) -> None:
        session.add(Account(id=ACCOUNT, name="tests", created=datetime.now(UTC)))
        session.flush()
        ledger.grant(session, ACCOUNT, CREDITS, "tests")

    def submit(self, kind: str = "count", price: int = 80, **more: Any) -> str:
        """Order a job."""
        payload: Mapping[str, Any] = more.pop("payload", {})
        return self.run(self.jobs.submit, kind=kind, payload=payload, account_id=ACCOUNT, price=price, **more).id

    def job(self, job_id: str) -> JobView:
        """What is known of it."""
        found = self.run(find, ACCOUNT, job_id)
        assert found is not None
        return found

    def row(self, job_id: str) -> Job:
        """Its row."""

        def read(session: Any) -> Job:
            return session.scalars(select(Job).where(Job.id == job_id)).one()  # type: ignore[no-any-return]

        return self.run(read)

    def deliveries(self) -> list[WebhookDelivery]:
        """All deliveries, the oldest first."""

        def read(session: Any) -> list[WebhookDelivery]:
            return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.created)))

        return self.run(read)

    def balance(self) -> int:
        """The account's credits."""
        return self.run(ledger.balance, ACCOUNT)

    def audit(self) -> list[str]:
        """What is wrong with the books."""
        return self.run(ledger.audit)

    def wait(self, *job_ids: str, seconds: float = 60) -> list[JobView]:
        """Wait until these jobs have ended."""
        until(lambda: all(self.job(job_id).status.final for job_id in job_ids), seconds)
        return [self.job(job_id) for job_id in job_ids]

    def environment(self, **more: str) -> dict[str, str]:
        """The variables that make a worker work for this world."""
        jobs = self.settings.jobs
        url = self.settings.database.url
        retries = ",".join(str(seconds) for seconds in self.settings.webhooks.retry_after_s)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")},
            "VISAVIS_DATA_DIR": str(self.settings.data_dir),
            **({"VISAVIS_DATABASE__URL": url.get_secret_value()} if url else {}),
            "VISAVIS_JOBS__POLL_S": str(jobs.poll_s),
            "VISAVIS_JOBS__WORKER_TIMEOUT_S": str(jobs.worker_timeout_s),
            "VISAVIS_JOBS__ATTEMPTS": str(jobs.attempts),
            "VISAVIS_JOBS__NICE": "0",
            "VISAVIS_WEBHOOKS__RETRY_AFTER_S": retries,
            "PYTHONPATH": str(ROOT),
            **more,
        }

    @contextmanager
    def worker(self, **more: str) -> Iterator[WorkerProcess]:
        """A worker process for as long as the block goes on."""
        process = WorkerProcess(self.environment(**more))
        try:
            yield process
        finally:
            process.kill()


class WorkerProcess:
    """A real worker. Its log is kept in `log`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.log = Path(environment["VISAVIS_DATA_DIR"]) / f"worker-{time.monotonic_ns()}.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.server.jobs.parts"], env=dict(environment), stderr=output, stdout=output
            )

    def ready(self) -> WorkerProcess:
        """Wait until it takes jobs."""
        until(lambda: "worker ready" in self.log.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def kill(self) -> None:
        """As kill -9 does."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """In order; returns the exit code."""
        self.process.terminate()
        return self.process.wait(20)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to become true. Raises `TimeoutError`."""
    give_up = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up:
            raise TimeoutError("it did not become true in time")
        time.sleep(0.02)
