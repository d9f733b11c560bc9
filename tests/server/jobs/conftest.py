"""Jobs on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.database import Database
from server.settings import DatabaseSettings, JobSettings, Settings, WebhookSettings
from tests.server.jobs.world import World


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """An account with credits, and the jobs' parts, on SQLite and on PostgreSQL."""
    url = None
    if request.param == "postgresql":
        url = SecretStr(request.getfixturevalue("postgres_url"))
    settings = Settings(
        data_dir=tmp_path / "data",
        database=DatabaseSettings(url=url),
        jobs=JobSettings(poll_s=0.05, worker_timeout_s=2, nice=0),
        webhooks=WebhookSettings(retry_after_s=(0.2, 0.2, 0.2)),
    )
    settings.data_dir.mkdir()
    database = Database(settings.database_url, threads=4)
    try:
        database.migrate()
        yield World(settings, database)
    finally:
        database.close()
