"""A real PostgreSQL for the tests: one server a test run, a database of its own for each test that asks.

def test_something(postgres_url: str) -> None: ...
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.peers.missing import missing

_PROGRAMS = Path("/usr/lib/postgresql")
_SETTINGS = {
    "fsync": "off",  # what the tests write need not survive a power cut
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "timezone": "Asia/Kathmandu",  # what depends on the server's time zone is to be seen
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server that trusts everybody on this machine."""

    port: int

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of any transaction."""
        address = f"host=127.0.0.1 port={self.port} user=tester dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server in a folder of its own, on loopback; stopped, and its folder removed, after the last test."""
    programs = _programs()
    if programs is None:
        missing("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = _user(folder)
    data = folder / "data"
    port = _free_port()
    settings = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), **_SETTINGS}

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    try:
        run("initdb", "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-w", "-t", "60", "start")
        try:
            yield Postgres(port)
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """SQLAlchemy's URL of an empty database that is dropped after the test."""
    name = f"test_{uuid4().hex[:12]}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path | None:
    """The folder with the newest version's initdb and pg_ctl."""
    found = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def _user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root; then it is given to another user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    return user


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
