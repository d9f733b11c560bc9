"""The ledger is tested on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.database import Database, create_account


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database that is up to date."""
    in_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/visavis.db" if in_file else request.getfixturevalue("postgres_url")
    made = Database(url, threads=16)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def account(database: Database) -> str:
    """An account without credits."""
    return database.run_here(create_account, "one", plan="free")
