"""Jobs ordered over HTTP from a server that is killed, or whose workers are, at random moments; then the books."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from sqlalchemy import func, select

from server.credits import ledger
from server.database import Database
from server.database.tables import Account, CreditEntry, Job, WebhookDelivery
from server.jobs.states import FINAL, JobStatus
from tests.bench.processes import free_port
from tests.peers.webhook_receiver import Receiver
from tests.server.jobs.serving import PRICE

ROOT: Final = Path(__file__).resolve().parents[3]
KEY: Final = "sk_live_" + "k" * 40
CREDITS: Final = 100_000
BACK_S: Final = 10.0
_WAIT_S: Final = 120.0


@dataclass
class Findings:
    """What came of it. `wrong` is empty when nothing was lost, doubled or left behind."""

    jobs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    back_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class KilledServer:
    """A server process that is started again whenever it is killed, as an init system would."""

    def __init__(self, folder: Path, database_url: str | None, workers: int = 2) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "server.log").open("ab")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")},
            "VISAVIS_DATA_DIR": str(folder / "data"),
            **({"VISAVIS_DATABASE__URL": database_url} if database_url else {}),
            "VISAVIS_PORT": str(self.port),
            "VISAVIS_BOOTSTRAP_KEY": KEY,
            "VISAVIS_LIMITS__ENABLED": "false",
            "VISAVIS_JOBS__WORKERS": str(workers),
            "VISAVIS_JOBS__CPU": "2",
            "VISAVIS_JOBS__ATTEMPTS": "50",
            "VISAVIS_JOBS__NICE": "0",
            "VISAVIS_JOBS__WORKER_TIMEOUT_S": "3",
            "VISAVIS_WEBHOOKS__RETRY_AFTER_S": "0.3,0.5,1",
            "PYTHONPATH": str(ROOT),
        }
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.server.jobs.serving"]
        return subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=self._log, cwd=ROOT)

    def ready(self, seconds: float = 60.0) -> None:
        """Wait until it answers. Raises `TimeoutError`."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=1).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise TimeoutError("the server does not come back")

    def workers(self) -> list[psutil.Process]:
        """Its workers."""
        try:
            return psutil.Process(self._process.pid).children()
        except psutil.NoSuchProcess:
            return []

    def kill_worker(self) -> bool:
        """Kill one; whether there was one."""
        if not (workers := self.workers()):
            return False
        try:
            random.choice(workers).kill()
        except psutil.NoSuchProcess:
            return False
        return True

    def kill(self) -> None:
        """Kill the server and start it again."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = self._start()

    def close(self) -> None:
        """End it; its workers end with it."""
        workers = self.workers()
        self._process.kill()
        self._process.wait()
        _, left = psutil.wait_procs(workers, timeout=5)
        for worker in left:
            worker.kill()
        self._log.close()


@contextmanager
def killed_server(folder: Path, database_url: str | None) -> Iterator[KilledServer]:
    """The server, for as long as the block goes on."""
    server = KilledServer(folder, database_url)
    try:
        yield server
    finally:
        server.close()


def run(server: KilledServer, database: Database, receiver: Receiver, *, jobs: int, kills: int) -> Findings:
    """Order so many jobs while so many kills go on, wait for the last one, and look for what is wrong."""
    began = time.monotonic()
    found = Findings(jobs=jobs)
    server.ready()
    account = database.run_here(_account, receiver.url("/fail/1"))
    receiver.secrets["/fail/1"] = account.webhook_secret or ""
    ordered: list[str] = []
    ordering = threading.Thread(target=_order, args=(server, jobs, ordered, found))
    ordering.start()
    for number in range(kills):
        time.sleep(random.uniform(0.1, 0.8))
        _kill(server, database, found, whole=number % 3 == 0)
    ordering.join()
    _await_end(database, found)
    _check(database, receiver, account, ordered, found)
    found.seconds = time.monotonic() - began
    return found


def _account(session: Any, url: str) -> Account:
    account: Account = session.scalars(select(Account)).one()
    account.webhook_url = url
    account.webhook_secret = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
    return account


def _order(server: KilledServer, jobs: int, ordered: list[str], found: Findings) -> None:
    """Order as a careful client does: the same key until there is an answer."""
    with httpx.Client(base_url=server.url, timeout=5) as client:
        for number in range(jobs):
            headers = {"authorization": f"Bearer {KEY}", "idempotency-key": f"order-{number}"}
            give_up = time.monotonic() + _WAIT_S
            while time.monotonic() < give_up:
                try:
                    answer = client.post(
                        "/api/generate/count", json={"to": number % 8 + 1, "step_s": 0.02}, headers=headers
                    )
                except httpx.HTTPError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 202:
                    ordered.append(f"order-{number}")
                    break
                if answer.status_code != 503:
                    found.wrong.append(f"order {number}: {answer.status_code} {answer.text}")
                    break
            else:
                found.wrong.append(f"order {number} was never accepted")


def _kill(server: KilledServer, database: Database, found: Findings, *, whole: bool) -> None:
    """Kill, and see how soon a job ends again (or none is left to)."""
    if whole:
        server.kill()
        found.kills["server"] += 1
    elif server.kill_worker():
        found.kills["worker"] += 1
    else:
        return
    began = time.monotonic()
    ended, _ = database.read_here(_counts)
    while time.monotonic() - began < _WAIT_S:
        now, active = database.read_here(_counts)
        if now > ended or not active:
            break
        time.sleep(0.05)
    server.ready()
    found.back_s.append(time.monotonic() - began)


def _counts(session: Any) -> tuple[int, int]:
    counts = dict(iter(session.execute(select(Job.status, func.count()).group_by(Job.status))))
    ended = sum(counts.get(status, 0) for status in FINAL)
    return ended, sum(counts.values()) - ended


def _await_end(database: Database, found: Findings) -> None:
    def left(session: Any) -> int:
        pending = session.scalar(select(func.count()).where(WebhookDelivery.status == "pending"))
        return int(pending) + _counts(session)[1]

    give_up = time.monotonic() + _WAIT_S
    while database.read_here(left):
        if time.monotonic() > give_up:
            found.wrong.append(f"{database.read_here(left)} jobs or messages did not end")
            return
        time.sleep(0.1)


def _check(database: Database, receiver: Receiver, account: Account, ordered: list[str], found: Findings) -> None:
    jobs = database.read_here(lambda session: list(session.scalars(select(Job))))
    found.statuses = Counter(job.status for job in jobs)
    if not len(jobs) == len(ordered) == found.jobs:
        found.wrong.append(f"{found.jobs} jobs were ordered, {len(ordered)} accepted, {len(jobs)} are there")
    if set(found.statuses) - {JobStatus.COMPLETED.value}:
        found.wrong.append(f"not all completed: {dict(found.statuses)}")
    found.wrong += database.read_here(ledger.audit)
    lines = database.read_here(
        lambda session: Counter(
            tuple(row)
            for row in session.execute(
                select(CreditEntry.job_id, CreditEntry.kind).where(CreditEntry.job_id.is_not(None))
            )
        )
    )
    expected = {(job.id, kind): 1 for job in jobs for kind in ("reserve", "settle")}
    if dict(lines) != expected:
        found.wrong.append(f"ledger lines: {len(lines)} kinds, {len(expected)} expected, most {max(lines.values())}")
    balance = database.read_here(ledger.balance, account.id)
    if balance != CREDITS - PRICE * len(jobs):
        found.wrong.append(f"the balance is {balance}")
    ids: dict[str, set[str]] = {}
    for message in receiver.received:
        if not message.genuine:
            found.wrong.append(f"message {message.id} is not signed with the account's secret")
            continue
        ids.setdefault(message.body["data"]["jobId"], set()).add(message.id)
    found.messages = len(receiver.received)
    if ids.keys() != {job.id for job in jobs}:
        found.wrong.append(f"messages came of {len(ids)} of {len(jobs)} jobs")
    if any(len(each) != 1 for each in ids.values()):
        found.wrong.append("a job was told of under several ids")
