"""Recordings on their way into storage: real SQLite, real files, a process that is really killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from media.audio.two_channel import Channel
from server.calling import steps
from server.database import Database
from server.database.tables import Account, PhoneCall
from server.phone.book import Outcome
from server.phone.recording import CallRecorder
from server.phone.recordings import Recordings, forget_recording, recording_key
from server.settings import StorageSettings
from server.storage import LocalStore, Storage, StorageFailed
from server.storage.s3 import S3Files
from server.storage.store import Store
from tests.server.phone.recorded import RATE, read
from tests.server.storage.conftest import ANNA, BEN, Clock, storage_of

QUOTA = 1_000_000


class Disk(LocalStore):
    """A store that is away when told so, and slow when told so."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.away = False
        self.before_write: Callable[[], object] = lambda: None

    def write(self, location: str, source: Path, media_type: str) -> None:
        self.before_write()
        if self.away:
            raise StorageFailed("The disk is away")
        super().write(location, source, media_type)


def two_accounts(session: Session) -> None:
    for account in (ANNA, BEN):
        session.add(Account(id=account, name=account, plan="enterprise", created=datetime.now(UTC)))


@pytest.fixture
def calls(database: Database) -> Database:
    database.run_here(two_accounts)
    return database


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "files")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(calls: Database, disk: Store, clock: Clock, tmp_path: Path) -> Storage:
    return storage_of(calls, disk, clock, tmp_path, quota=QUOTA)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def new_call(database: Database, account: str = ANNA) -> str:
    def work(session: Session) -> str:
        call = steps.add(
            session,
            account_id=account,
            agent_id="demo",
            direction="inbound",
            carrier="twilio",
            own_number="+14155550100",
            peer="+14155550123",
            price=0,
            now=datetime.now(UTC),
        )
        return call.call_id

    return database.run_here(work)


def row(database: Database, call_id: str) -> tuple[str | None, str | None]:
    """A call's recording and outcome."""

    def work(session: Session) -> tuple[str | None, str | None]:
        found = session.get_one(PhoneCall, call_id)
        return found.recording, found.outcome

    return database.read_here(work)


class Running:
    """A service whose clock is moved by hand."""

    def __init__(self, database: Database, storage: Storage, folder: Path) -> None:
        self.now = 100.0
        self.service = Recordings(database, storage, folder, days=30, clock=lambda: self.now)

    def talk(self, recorder: CallRecorder, seconds: float, level: float = 0.5) -> None:
        """Both speak for so long."""
        for _ in range(round(seconds * 50)):
            recorder.agent(np.full(160, level, np.float32), self.now)
            self.now += 0.02
            recorder.caller(np.full(160, -level, np.float32), self.now)


@asynccontextmanager
async def running(database: Database, storage: Storage, folder: Path) -> AsyncIterator[Running]:
    made = Running(database, storage, folder)
    made.service.start()
    try:
        yield made
    finally:
        await made.service.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


def stored(storage: Storage, call_id: str) -> bytes:
    info = storage.stat(recording_key(call_id))
    assert info is not None
    assert info.media_type == "audio/wav"
    return b"".join(storage.read(info))


def empty(folder: Path) -> bool:
    return not list(folder.glob("*"))


async def test_a_call_is_recorded_and_stored_for_its_account(calls: Database, storage: Storage, folder: Path) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 4.0)
        key = await recorder.close()
        assert key == recording_key(call_id)
        assert row(calls, call_id) == (key, None)
        await until(lambda: storage.stat(key) and empty(folder))
    sound = read(stored(storage, call_id))
    assert sound.shape == (2, 4 * RATE)
    assert (sound[Channel.CALLER] == -16384).all()
    assert (sound[Channel.AGENT] == 16384).all()
    info = storage.stat(key, ANNA)
    assert info is not None
    assert info.expires is not None
    assert info.expires - info.created == timedelta(days=30)


async def test_recordings_are_deleted_when_their_time_is_over(
    calls: Database, storage: Storage, folder: Path, clock: Clock
) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        await recorder.close()
    clock.wait(days=29)
    assert storage.sweep() == 0
    clock.wait(days=2)
    assert storage.sweep() == 1
    assert storage.stat(recording_key(call_id)) is None


async def test_an_account_without_room_gets_no_recording_and_its_call_says_so(
    calls: Database, storage: Storage, folder: Path
) -> None:
    call_id = new_call(calls)
    storage.put("uploads/a/b.bin", bytes(QUOTA - 1000), media_type="text/plain", account_id=ANNA)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        assert await recorder.close() is None
    assert row(calls, call_id) == (None, Outcome.NOT_RECORDED)
    assert empty(folder)
    assert storage.used(BEN) == 0


async def test_room_that_is_gone_when_the_recording_is_to_be_stored_is_a_refusal_too(
    calls: Database, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = new_call(calls)
    monkeypatch.setattr(storage, "room", lambda _account: QUOTA)  # as it was a moment before
    storage.put("uploads/a/b.bin", bytes(QUOTA - 1000), media_type="text/plain", account_id=ANNA)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        assert await recorder.close() == recording_key(call_id)
        await until(lambda: row(calls, call_id) == (None, Outcome.NOT_RECORDED) and empty(folder))
    assert storage.stat(recording_key(call_id)) is None


async def test_a_call_in_which_no_time_passed_has_no_recording(calls: Database, storage: Storage, folder: Path) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        assert await made.service.open(call_id).close() is None
    assert row(calls, call_id) == (None, None)
    assert empty(folder)


async def test_a_store_that_is_away_keeps_the_recording_for_the_next_start(
    calls: Database, storage: Storage, folder: Path, disk: Disk
) -> None:
    call_id = new_call(calls)
    disk.away = True
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        assert await recorder.close() == recording_key(call_id)
    assert [path.suffix for path in folder.glob("*")] == [".wav"]
    disk.away = False
    async with running(calls, storage, folder):
        await until(lambda: empty(folder))
    assert read(stored(storage, call_id)).shape == (2, RATE)


async def test_calls_that_still_go_on_when_the_server_stops_are_recorded_up_to_then(
    calls: Database, storage: Storage, folder: Path
) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        made.talk(made.service.open(call_id), 1.0)
    assert read(stored(storage, call_id)).shape == (2, RATE)
    assert empty(folder)


async def test_a_call_that_ends_after_everything_else_keeps_its_recording_for_the_next_start(
    calls: Database, storage: Storage, folder: Path
) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 3.0)
        await until(lambda: list(folder.glob("*.part")))
        made.service._recorders.clear()  # as where the time to stop was over before its turn came
    assert await recorder.close() is None
    assert len(list(folder.glob("*.part"))) == 1


async def test_an_upload_that_takes_long_does_not_hold_the_servers_end_up(
    calls: Database, storage: Storage, folder: Path, disk: Disk
) -> None:
    call_id = new_call(calls)
    go_on = threading.Event()
    disk.before_write = lambda: go_on.wait(20)
    made = Running(calls, storage, folder)
    made.service.start()
    recorder = made.service.open(call_id)
    made.talk(recorder, 1.0)
    await recorder.close()
    async with asyncio.timeout(10):
        await made.service.close()
    assert not empty(folder)
    go_on.set()
    await until(lambda: empty(folder))


async def test_a_second_stream_of_a_call_goes_on_after_the_first(
    calls: Database, storage: Storage, folder: Path
) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        for level in (0.25, 0.5):
            recorder = made.service.open(call_id)
            made.talk(recorder, 1.0, level)
            assert await recorder.close() == recording_key(call_id)
    agent = read(stored(storage, call_id))[Channel.AGENT]
    assert len(agent) == 3 * RATE
    assert (agent[:RATE] == 8192).all()
    assert not agent[RATE : 2 * RATE].any()
    assert (agent[2 * RATE :] == 16384).all()
    assert empty(folder)


async def test_streams_are_joined_in_a_bucket_and_noted_in_postgresql_too(
    postgres_url: str, s3_settings: StorageSettings, clock: Clock, folder: Path, tmp_path: Path
) -> None:
    database = Database(postgres_url, threads=4)
    try:
        database.migrate()
        database.run_here(two_accounts)
        storage = storage_of(database, S3Files(s3_settings), clock, tmp_path, quota=QUOTA)
        call_id = new_call(database)
        async with running(database, storage, folder) as made:
            for level in (0.25, 0.5):
                recorder = made.service.open(call_id)
                made.talk(recorder, 1.0, level)
                await recorder.close()
            await until(lambda: empty(folder))
        assert row(database, call_id) == (recording_key(call_id), None)
        assert read(stored(storage, call_id)).shape == (2, 3 * RATE)
    finally:
        database.close()


async def test_a_second_stream_that_sounds_as_the_first_is_not_taken_for_it(
    calls: Database, storage: Storage, folder: Path
) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        for _ in range(3):
            recorder = made.service.open(call_id)
            made.talk(recorder, 1.0)
            await recorder.close()
    assert read(stored(storage, call_id)).shape == (2, 5 * RATE)


async def test_a_first_stream_is_kept_where_the_second_finds_no_room(
    calls: Database, storage: Storage, folder: Path
) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        key = await recorder.close()
        await until(lambda: empty(folder))
        storage.put("uploads/a/b.bin", bytes(storage.room(ANNA) - 1000), media_type="text/plain", account_id=ANNA)
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        assert await recorder.close() is None
    assert row(calls, call_id) == (key, Outcome.NOT_RECORDED)
    assert read(stored(storage, call_id)).shape == (2, RATE)


async def test_a_store_that_fails_with_the_second_stream_loses_neither(
    calls: Database, storage: Storage, folder: Path, disk: Disk
) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0, 0.25)
        await recorder.close()
        await until(lambda: empty(folder))
        disk.away = True
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0, 0.5)
        await recorder.close()
    disk.away = False
    async with running(calls, storage, folder):
        await until(lambda: empty(folder))
    assert read(stored(storage, call_id)).shape == (2, 3 * RATE)


@pytest.mark.parametrize("step", ["stored", "joined"])
async def test_who_is_killed_while_storing_stores_nothing_twice(
    calls: Database, storage: Storage, folder: Path, tmp_path: Path, step: str
) -> None:
    """The file as it is left: stored and not yet removed, or joined and not yet stored."""
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        for level in (0.25, 0.5):
            recorder = made.service.open(call_id)
            made.talk(recorder, 1.0, level)
            await recorder.close()
            if step == "joined" and level == 0.25:
                await until(lambda: empty(folder))
                first = stored(storage, call_id)
        await until(lambda: empty(folder))
    both = stored(storage, call_id)
    (folder / f"{call_id}.0123abcd.wav").write_bytes(both)
    if step == "joined":
        storage.put(
            recording_key(call_id), first, media_type="audio/wav", account_id=ANNA
        )  # the join was not stored yet
    async with running(calls, storage, folder):
        await until(lambda: empty(folder))
    assert stored(storage, call_id) == both


async def test_a_recording_that_was_deleted_while_it_waited_is_not_stored(
    calls: Database, storage: Storage, folder: Path, disk: Disk
) -> None:
    call_id = new_call(calls)
    disk.away = True
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        await recorder.close()
    calls.run_here(forget_recording, ANNA, call_id)
    disk.away = False
    async with running(calls, storage, folder):
        await until(lambda: empty(folder))
    assert storage.stat(recording_key(call_id)) is None
    assert row(calls, call_id) == (None, None)


async def test_a_recording_that_is_deleted_while_it_is_being_stored_is_gone_afterwards(
    calls: Database, storage: Storage, folder: Path, disk: Disk
) -> None:
    call_id = new_call(calls)
    disk.before_write = lambda: calls.run_here(forget_recording, ANNA, call_id)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        await recorder.close()
        await until(lambda: empty(folder))
    assert storage.stat(recording_key(call_id)) is None
    assert storage.used(ANNA) == 0


KILLED = """
import sys, time
import numpy as np
from pathlib import Path
from server.phone.recording import RecordingFile, RecordingWriter
from media.audio.two_channel import Channel, Piece
file, writer = RecordingFile(Path(sys.argv[1])), RecordingWriter()
second = 0
while True:
    for channel in Channel:
        writer.put(file, [Piece(channel, second * 4000, np.full(4000, 0.5, np.float32))])
    second += 1
    if second == 20:
        print("talking", flush=True)
    time.sleep(0.01)
"""


@pytest.mark.parametrize("known", [True, False])
async def test_what_a_killed_process_has_recorded_is_stored_by_the_next_start(
    calls: Database, storage: Storage, folder: Path, known: bool
) -> None:
    call_id = new_call(calls) if known else "call_unknown"
    path = folder / f"{call_id}.0123abcd.part"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "talking\n"
        async with running(calls, storage, folder) as made:  # another process still writes it
            await asyncio.to_thread(made.service._sweep)
        assert path.exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    left = read(path)
    assert left.shape[1] >= 4000, "the header says what there is, although nobody ended the file"
    async with running(calls, storage, folder):
        await until(lambda: empty(folder))
    if not known:
        assert storage.stat(recording_key(call_id)) is None
        return
    assert row(calls, call_id) == (recording_key(call_id), None)
    sound = read(stored(storage, call_id))
    assert sound.shape[1] >= left.shape[1]
    assert (sound[:, :4000] == 16384).all()


async def test_what_is_older_than_recordings_are_kept_goes(calls: Database, storage: Storage, folder: Path) -> None:
    folder.mkdir()
    old = folder / f"{new_call(calls)}.0123abcd.wav"
    old.write_bytes(b"RIFF")
    before = time.time() - 31 * 86_400
    os.utime(old, (before, before))
    async with running(calls, storage, folder):
        await until(lambda: empty(folder))
    assert storage.used(ANNA) == 0


async def test_a_database_that_does_not_answer_keeps_the_recording(
    calls: Database, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = new_call(calls)

    def broken(*_: object, **__: object) -> object:
        raise OperationalError("SELECT", {}, Exception("locked"))

    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        with monkeypatch.context() as patch:
            patch.setattr(calls, "read_here", broken)
            assert await recorder.close() is None
        assert [path.suffix for path in folder.glob("*")] == [".part"]
        await asyncio.to_thread(made.service._sweep)
    assert read(stored(storage, call_id)).shape == (2, RATE)


async def test_only_its_owner_forgets_a_recording(calls: Database, storage: Storage, folder: Path) -> None:
    call_id = new_call(calls)
    async with running(calls, storage, folder) as made:
        recorder = made.service.open(call_id)
        made.talk(recorder, 1.0)
        key = await recorder.close()
    with pytest.raises(LookupError):
        calls.run_here(forget_recording, BEN, call_id)
    assert calls.run_here(forget_recording, ANNA, call_id) == key
    assert calls.run_here(forget_recording, ANNA, call_id) is None
