"""Bringing a database to the newest revision, in this process and inside the caller's transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations that are missing, up to `revision`."""
    command.upgrade(configuration(connection), revision)


def configuration(connection: Connection) -> Config:
    """alembic's configuration for this connection, without a file."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
