"""The one owner of database connections: transactions on a few threads of their own, never on the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

P = ParamSpec("P")
T = TypeVar("T")

_READS = "visavis_reads"
BUSY_S = 5.0
"""A writer waits this long for another one."""
SETUP_LOCK = 0x56495341  # any fixed number: PostgreSQL's advisory lock for migrations and the first key


class DatabaseError(Exception):
    """The database cannot be reached, opened or brought up to date."""


class Database:
    """Runs functions of a `Session` in transactions: SQLite (WAL, one writer at a time, waited for) or PostgreSQL.

    `url` is SQLAlchemy's; `threads` bounds transactions at once: of SQLite the reading ones, beside one that writes.
    `looks_on_loop`: what `look` does is done on the event loop where the database is a file.
    """

    def __init__(self, url: str, *, threads: int = 4, looks_on_loop: bool = False) -> None:
        self._engine = _engine(url, threads)
        self._reader = self._engine.execution_options(**{_READS: True})
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")
        # SQLite lets one write at a time and has the others sleep and try again: ours wait their turn in one queue.
        in_file = self._engine.dialect.name == "sqlite"
        self._looks = Session(_looker(self._engine)) if in_file and looks_on_loop else None
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="database-writer") if in_file else self._pool
        self._closed = False

    def migrate(self) -> None:
        """Bring the tables up to date; a second process that does the same waits. Raises `DatabaseError`."""
        from server.database.migrate import upgrade  # noqa: PLC0415 - alembic is wanted only here

        try:
            with self._engine.begin() as connection:
                lock_setup(connection)
                upgrade(connection)
        except SQLAlchemyError as error:
            raise DatabaseError(
                f"the database {self.safe_url} cannot be brought up to date: {_reason(error)}"
            ) from error

    async def run(self, work: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(session, …)` in one transaction on a thread: committed when it returns, undone when it raises.

        Raises what `work` raises, SQLAlchemy's errors, and `DatabaseError` once closed.
        """
        if self._closed:
            raise DatabaseError("the database is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writers, lambda: self.run_here(work, *args, **kwargs))

    def run_here(self, work: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`run` on the calling thread, for programs without an event loop."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            return work(session, *args, **kwargs)

    async def read(self, work: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`run` for work that only reads: it sees one state of things, waits for no writer, and never commits."""
        if self._closed:
            raise DatabaseError("the database is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: self.read_here(work, *args, **kwargs))

    def read_here(self, work: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` on the calling thread."""
        with Session(self._reader, expire_on_commit=False) as session:
            return work(session, *args, **kwargs)

    async def look(self, work: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` for one statement that finds columns, not objects, of a few rows by a key, and reads them all.

        Of a file it takes less time than to hand it to a thread and back: a process whose loop keeps no beat of live
        sound does it there. It waits for no writer.
        """
        if self._closed or self._looks is None:
            return await self.read(work, *args, **kwargs)
        try:
            return work(self._looks, *args, **kwargs)
        except SQLAlchemyError:
            self._looks.close()  # it begins anew with the next one
            raise

    async def check(self, within: float = 2.0) -> str | None:
        """What is wrong with the database, None if it answers within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self.run(_ask)
        except TimeoutError:
            return f"the database does not answer within {within:g} s"
        except DatabaseError as error:
            return str(error)
        except SQLAlchemyError as error:
            return f"the database does not answer: {_reason(error)}"
        return None

    @property
    def safe_url(self) -> str:
        """The URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, for migrations' tests."""
        return self._engine

    def close(self) -> None:
        """Finish the transactions that run, drop those that wait, close all connections."""
        self._closed = True
        self._writers.shutdown(wait=True, cancel_futures=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._engine.dispose()
        if self._looks is not None:
            self._looks.close()
            self._looks.get_bind().engine.dispose()


def flushed(session: Session) -> Connection:
    """The session's connection, after what the session has still to write: rows to come may refer to it.

    For what is read and written with every request: the object layer would double its cost.
    """
    session.flush()
    return session.connection()


def lock_setup(connection: Connection) -> None:
    """Until the end of the transaction, be the only process that migrates or makes the first key."""
    if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE has locked everything already
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SETUP_LOCK})


def _ask(session: Session) -> None:
    session.execute(text("SELECT 1"))


def _engine(address: str, threads: int) -> Engine:
    url = make_url(address)
    # Errors quote a statement's parameters unless told not to, and ours hold what was said and what must stay secret.
    common: dict[str, Any] = {"pool_size": threads + 1, "max_overflow": 0, "hide_parameters": True}
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        try:
            return create_engine(url, pool_pre_ping=True, pool_recycle=1800, **common)
        except ModuleNotFoundError as error:
            raise DatabaseError("PostgreSQL needs one more package: pip install 'psycopg[binary]'") from error
    if not url.database or url.database == ":memory:":
        raise DatabaseError("SQLite needs a file: sqlite:///FOLDER/visavis.db")
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"cannot create {Path(url.database).parent}: {error.strerror}") from error
    engine = create_engine(url, connect_args={"timeout": BUSY_S}, **common)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _looker(engine: Engine) -> Engine:
    """One connection to a file that begins no transactions: a statement sees one state of things by itself."""
    made = create_engine(engine.url, pool_size=1, max_overflow=0, hide_parameters=True)
    event.listen(made, "connect", _prepare_sqlite)
    event.listen(made, "connect", _only_read)
    return made


def _only_read(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA query_only=ON")  # without a transaction nothing could be undone


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see _begin
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes is refused at once when another one wrote in between,
    # without waiting. Taking the write lock at the start makes it wait its turn instead. Ours are short.
    reads = connection.get_execution_options().get(_READS, False)
    begin = "BEGIN" if reads else "BEGIN IMMEDIATE"
    try:  # straight to the driver: every transaction passes here, and a statement of SQLAlchemy's costs as much again
        connection.connection.driver_connection.execute(begin)  # type: ignore[union-attr]  # it has been connected
    except sqlite3.Error as error:
        raise OperationalError(begin, None, error) from error


def _reason(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, OperationalError) and error.orig is not None else error
    return " ".join(str(cause).split())
