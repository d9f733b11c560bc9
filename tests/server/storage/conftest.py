"""A database with two accounts, and storage on disk or in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.database import Database
from server.database.tables import Account
from server.settings import Settings
from server.storage import SignedUrls, Storage
from server.storage.s3 import S3Files
from server.storage.store import LocalStore, Store

ANNA, BEN = "acct_anna", "acct_ben"
QUOTA = 100_000


class Clock:
    """A time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/v.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    yield from _opened(url)


@pytest.fixture
def accounts(settings: Settings) -> Iterator[Database]:
    yield from _opened(settings.database_url)


def _opened(url: str) -> Iterator[Database]:
    database = Database(url, threads=8)
    database.migrate()

    def enter(session: object) -> None:
        for account in (ANNA, BEN):
            session.add(Account(id=account, name=account, plan="enterprise", created=datetime.now(UTC)))  # type: ignore[attr-defined]

    database.run_here(enter)
    yield database
    database.close()


@pytest.fixture(params=["disk", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return LocalStore(tmp_path / "files")
    return S3Files(request.getfixturevalue("s3_settings"))


def storage_of(database: Database, store: Store, clock: Clock, folder: Path, quota: int = QUOTA) -> Storage:
    urls = SignedUrls.load(folder, "https://files.example", clock.seconds)
    return Storage(database, store, urls, quota=quota, url_s=86_400, scratch=folder / "uploading", now=clock)


@pytest.fixture
def storage(accounts: Database, store: Store, clock: Clock, tmp_path: Path) -> Storage:
    """On disk, and in a bucket."""
    return storage_of(accounts, store, clock, tmp_path)


@pytest.fixture
def on_disk(accounts: Database, clock: Clock, tmp_path: Path) -> Storage:
    return storage_of(accounts, LocalStore(tmp_path / "files"), clock, tmp_path)
