"""The console in Chromium, on the server's own parts, without its models."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Page
from sqlalchemy.orm import Session

from server.assembly import Assembly
from server.credits import ledger
from server.database import Database, create_key, first_key
from server.database.tables import Job
from server.serving import WebServer, bind, server_config
from server.settings import Settings


@dataclass
class Console:
    """A server, the key of its first account, and its database."""

    url: str
    key: str
    account: str
    database: Database
    parts: Assembly

    def add_job(self, number: int, status: str, *, age: int = 0, **changed: object) -> str:
        """A job as a worker leaves it; its credits are in the ledger."""
        now = datetime.now(UTC) - timedelta(seconds=age)
        values: dict[str, object] = {
            "id": f"job-{number}",
            "account_id": self.account,
            "family": "F2",
            "kind": "voice",
            "queue": "cpu",
            "status": status,
            "phase": "speaking",
            "progress": 0.4,
            "payload": {},
            "checkpoints": {},
            "price": 80,
            "unit": f"unit-{number}",
            "attempt": 1,
            "strikes": 0,
            "created": now,
            "updated": now,
            **changed,
        }

        def add(session: Session) -> None:
            ledger.reserve(session, self.account, 80, job_id=f"job-{number}", item="voice")
            session.add(Job(**values))

        self.database.run_here(add)
        return f"job-{number}"


@contextmanager
def serving_console(tmp_path: Path, **changed: Any) -> Iterator[Console]:
    """The console on a free port, until the block ends. `changed`: settings."""
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        settings = Settings(data_dir=tmp_path, **changed).with_port(port)
        database = Database(settings.database_url, threads=2)
        database.migrate()
        database.run_here(first_key, None)
        issued = database.run_here(create_key, "test")
        parts = Assembly(settings, database)
        started = threading.Event()
        server = WebServer(server_config(parts.app, settings.server), before_close=parts.close, on_started=started.set)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            assert started.wait(20)
            yield Console(f"http://127.0.0.1:{port}", issued.secret, issued.info.account_id, database, parts)
        finally:
            server.stop()
            thread.join(20)
            database.close()


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("API key", exact=True).fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def go(page: Page, name: str) -> None:
    await page.get_by_role("navigation", name="Console").get_by_role("link", name=name).click()
