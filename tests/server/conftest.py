"""A new database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.database import Database
from server.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The defaults, with data below the test's folder."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """An SQLite database in a file, up to date."""
    made = Database(settings.database_url, threads=2)
    made.migrate()
    yield made
    made.close()
