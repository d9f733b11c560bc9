"""Calls on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.database import Database
from server.settings import Settings
from tests.server.calling.world import Calls, migrated, settings_of


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database that is up to date."""
    in_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/visavis.db" if in_file else request.getfixturevalue("postgres_url")
    with migrated(url) as made:
        yield made


@pytest.fixture
def calls(database: Database, settings: Settings) -> Calls:
    """An account with credits; minutes of inbound calls cost nothing."""
    return Calls(database, settings_of(settings))


@pytest.fixture
def paid(database: Database, settings: Settings) -> Calls:
    """The same where inbound minutes cost 3."""
    return Calls(database, settings_of(settings, inbound=3))
