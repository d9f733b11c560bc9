"""Records and keys on a real SQLite file."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from server.database import (
    CallRecord,
    Database,
    DatabaseError,
    TurnRecord,
    authenticate,
    create_key,
    engine,
    finish_call,
    first_key,
    list_keys,
    record_call,
    record_turn,
    revoke_key,
)
from server.database.migrate import configuration
from server.database.tables import Account, ApiKey, Base, Call, Turn
from server.settings import Settings

BEGAN = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CALL = CallRecord(id="CA1", agent="demo", channel="phone", peer="+15550100", started=BEGAN)


def turn(sequence: int = 0, call_id: str = "CA1") -> TurnRecord:
    """A turn of that call."""
    return TurnRecord(
        call_id=call_id,
        sequence=sequence,
        began=BEGAN,
        transcript="when do you open",
        answer="We open at nine. Anything else?",
        heard="We open at nine.",
        stages_ms={"end_of_turn": 310.5, "first_sound": 480.0},
        model="smollm2-135m",
        prompt_tokens=120,
        completion_tokens=14,
        interrupted=True,
    )


def test_the_tables_are_those_of_the_migrations(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrations_can_be_undone_and_done_again(database: Database) -> None:
    from alembic import command  # noqa: PLC0415 - only here

    with database.engine.begin() as connection:
        command.downgrade(configuration(connection), "base")
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
    database.migrate()
    database.migrate()
    with database.engine.connect() as connection:
        assert {"accounts", "api_keys", "calls", "turns"} <= set(inspect(connection).get_table_names())


def start(url: str) -> bool:
    """What a process does first; whether it made the first key."""
    database = Database(url, threads=1)
    database.migrate()
    issued = database.run_here(first_key)
    database.close()
    return issued is not None


def test_processes_that_start_at_once_make_one_first_key(settings: Settings) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert sorted(pool.map(start, [settings.database_url] * 3, chunksize=1)) == [False, False, True]


async def test_a_call_and_its_turns_are_kept(database: Database) -> None:
    await database.run(record_call, CALL)
    await database.run(record_turn, turn(0))
    await database.run(record_turn, turn(1))
    await database.run(finish_call, "CA1", "caller left", BEGAN + timedelta(seconds=30))
    await database.run(finish_call, "CA1", "too late")

    def read(session: Session) -> tuple[Call, list[Turn]]:
        return session.scalars(select(Call)).one(), list(session.scalars(select(Turn).order_by(Turn.sequence)))

    call, turns = await database.run(read)
    assert (call.agent, call.channel, call.peer, call.end_reason) == ("demo", "phone", "+15550100", "caller left")
    assert call.started == BEGAN
    assert call.ended == BEGAN + timedelta(seconds=30)
    assert [item.sequence for item in turns] == [0, 1]
    assert turns[0].stages_ms == {"end_of_turn": 310.5, "first_sound": 480.0}
    assert turns[0].heard == "We open at nine."
    assert turns[0].interrupted is True
    assert turns[0].error is None


async def test_a_turn_of_no_call_and_a_turn_twice_are_refused(database: Database) -> None:
    with pytest.raises(IntegrityError) as refused:
        await database.run(record_turn, turn(0, "CA-none"))
    assert "when do you open" not in str(refused.value)
    await database.run(record_call, CALL)
    await database.run(record_turn, turn(0))
    with pytest.raises(IntegrityError):
        await database.run(record_turn, turn(0))


async def test_what_fails_leaves_nothing_behind(database: Database) -> None:
    def half(session: Session) -> None:
        record_call(session, CALL)
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.run(half)
    assert await database.run(lambda session: session.scalars(select(Call)).all()) == []


async def test_many_writers_at_once_all_get_their_turn(database: Database) -> None:
    await database.run(record_call, CALL)

    def read_then_write(session: Session, sequence: int) -> None:
        session.scalars(select(Call)).one()
        record_turn(session, turn(sequence))

    await asyncio.gather(*(database.run(read_then_write, number) for number in range(40)))
    assert len(await database.run(lambda session: session.scalars(select(Turn.id)).all())) == 40


async def test_who_only_reads_waits_for_no_writer_and_sees_one_state(database: Database) -> None:
    await database.run(record_call, CALL)
    release = threading.Event()

    def write(session: Session) -> None:
        finish_call(session, "CA1", "caller left", BEGAN)
        session.flush()
        release.wait(10)

    def read(session: Session) -> str | None:
        return session.scalars(select(Call)).one().end_reason

    writing = asyncio.ensure_future(database.run(write))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(database.read(read), 4) is None
    release.set()
    await writing
    assert await database.read(read) == "caller left"


async def test_what_a_reader_writes_is_not_kept(database: Database) -> None:
    await database.read(lambda session: session.add(Account(id="a", name="a", created=BEGAN)))
    assert await database.read(lambda session: session.get(Account, "a")) is None


async def test_a_look_on_the_loop_waits_for_no_writer_and_writes_nothing(database: Database) -> None:
    await database.run(record_call, CALL)
    looking = Database(database.engine.url.render_as_string(), looks_on_loop=True)
    threads: list[int] = []

    def look(session: Session) -> str | None:
        threads.append(threading.get_ident())
        return session.scalars(select(Call.end_reason)).one()

    def write(session: Session) -> None:
        session.add(Account(id="a", name="a", created=BEGAN))
        session.flush()

    try:
        with database.engine.begin() as holds:
            finish_call(Session(holds), "CA1", "caller left", BEGAN)
            assert await looking.look(look) is None
        assert await looking.look(look) == "caller left"
        assert await database.look(look) == "caller left"  # of a process whose loop has better things to do
        assert [thread == threading.get_ident() for thread in threads] == [True, True, False]
        with pytest.raises(OperationalError, match="readonly"):
            await looking.look(write)
        assert await looking.look(look) == "caller left"
    finally:
        looking.close()
    with pytest.raises(DatabaseError, match="closed"):
        await looking.look(look)


def test_sqlite_is_set_up_for_readers_beside_a_writer(database: Database) -> None:
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_moments_keep_their_time_zone_or_are_refused(database: Database) -> None:
    east = datetime(2026, 5, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    database.run_here(lambda session: session.add(Account(id="a", name="a", created=east)))
    assert database.run_here(lambda session: session.get_one(Account, "a")).created == BEGAN
    with pytest.raises(Exception, match="without a time zone"):
        database.run_here(lambda session: session.add(Account(id="b", name="b", created=datetime(2026, 5, 1))))


def test_the_first_start_makes_an_account_and_a_random_key(database: Database) -> None:
    issued = database.run_here(first_key)
    assert issued is not None
    assert issued.secret.startswith("sk_live_")
    assert len(issued.secret) >= 48
    assert database.run_here(first_key) is None
    assert database.run_here(authenticate, issued.secret) is not None


def test_a_bootstrap_key_is_the_first_key(database: Database) -> None:
    key = "sk_live_chosen_by_the_operator_01"
    issued = database.run_here(first_key, key)
    assert issued is not None
    assert issued.secret == key
    found = database.run_here(authenticate, key)
    assert found is not None
    assert found.name == "first"


def test_a_key_is_created_used_listed_and_revoked(database: Database) -> None:
    database.run_here(first_key)
    issued = database.run_here(create_key, "laptop")
    assert issued.info.last_used is None
    used = database.run_here(authenticate, issued.secret)
    assert used is not None
    assert used.last_used is not None
    assert [key.name for key in database.run_here(list_keys)] == ["first", "laptop"]
    assert database.run_here(revoke_key, issued.info.prefix).revoked is not None
    assert database.run_here(authenticate, issued.secret) is None


@pytest.mark.parametrize("wrong", ["", "sk_live_", "sk_live_nonsense", "é" * 20, "\ud800"])
def test_what_is_no_key_is_not_authenticated(database: Database, wrong: str) -> None:
    database.run_here(first_key)
    assert database.run_here(authenticate, wrong) is None


def test_keys_that_begin_alike_are_told_apart(database: Database) -> None:
    first, second = "sk_live_same_beginning_of_key_one", "sk_live_same_beginning_of_key_two"
    database.run_here(first_key, first)

    def add(session: Session) -> None:
        account = session.scalars(select(Account)).one()
        session.add(ApiKey(id="k2", account_id=account.id, name="x", prefix=second[:16], hash="0" * 64, created=BEGAN))

    database.run_here(add)
    assert database.run_here(authenticate, first) is not None
    assert database.run_here(authenticate, second) is None
    with pytest.raises(LookupError, match="is the id or prefix of 2 keys"):
        database.run_here(revoke_key, first[:16])


def test_the_key_itself_is_nowhere_in_the_file(database: Database, settings: Settings) -> None:
    issued = database.run_here(first_key)
    assert issued is not None
    database.close()
    stored = b"".join(path.read_bytes() for path in settings.data_dir.iterdir())
    assert issued.info.prefix.encode() in stored
    assert issued.secret.encode() not in stored


def test_a_key_needs_an_account(database: Database) -> None:
    with pytest.raises(LookupError, match="no such account"):
        database.run_here(create_key, "x")


async def test_a_database_that_answers_is_well_and_one_that_does_not_says_so(database: Database) -> None:
    assert await database.check() is None
    release = threading.Event()
    held = [asyncio.ensure_future(database.run(lambda session: release.wait(10))) for _ in range(2)]
    await asyncio.sleep(0)
    assert await database.check(within=0.05) == "the database does not answer within 0.05 s"
    release.set()
    await asyncio.gather(*held)


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DatabaseError, match=r"cannot create .*file"):
        Database(f"sqlite:///{tmp_path}/file/visavis.db")
    (tmp_path / "visavis.db").write_text("this is no database, and long enough to be told from one" * 20)
    broken = Database(f"sqlite:///{tmp_path}/visavis.db")
    with pytest.raises(DatabaseError, match=r"cannot be brought up to date: .*not a database"):
        broken.migrate()
    broken.close()
    with pytest.raises(DatabaseError, match="SQLite needs a file"):
        Database("sqlite://")


def test_a_writer_that_waits_too_long_for_another_process_is_told_so_as_by_any_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_S", 0.01)
    impatient = Database(database.engine.url.render_as_string())
    try:
        with database.engine.begin() as holds, pytest.raises(OperationalError, match="locked"):
            holds.execute(text("SELECT 1"))
            impatient.run_here(lambda session: session.execute(text("SELECT 1")))
        assert impatient.run_here(lambda session: session.scalar(text("SELECT 1"))) == 1  # the connection is whole
    finally:
        impatient.close()
