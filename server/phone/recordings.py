"""The recordings of all calls: from a file in the data folder into storage, also after the process was killed.

A recording is `CALL.NONCE.part` while it is written and `CALL.NONCE.wav` when it is whole and its call knows of it;
then it goes into storage and out of the folder. What is found there at the start, or every few minutes, goes the same
way.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from media.audio.g711 import PHONE_RATE
from media.audio.two_channel import Piece
from server.database import Database, DatabaseError
from server.database.tables import PhoneCall
from server.phone.book import Outcome
from server.phone.recording import (
    FRAME_BYTES,
    LONGEST_HEADER,
    CallRecorder,
    RecordingFile,
    RecordingWriter,
    header,
    locked,
    marks_in,
    mend,
)
from server.settings import Settings
from server.storage import QuotaExceeded, Storage, StorageError, StorageFailed

MEDIA_TYPE: Final = "audio/wav"
FOLDER: Final = "recordings"
"""Below the data folder."""

SWEEP_S: Final = 300.0
STOP_S: Final = 0.5
"""What uploads get to end when the server stops; the next start does the rest."""

PAUSE_S: Final = 1.0
"""Silence between two streams of one call, before and after somebody else had the line."""

_PIECE: Final = 1 << 18

log = structlog.get_logger(__name__)


class Recordings:
    """Makes recorders and keeps what they record. `start` once, `close` once, on the event loop."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        folder: Path,
        *,
        days: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._storage = storage
        self._folder = folder
        self._keep_for = timedelta(days=days)
        self._clock = clock
        self._writer = RecordingWriter()
        self._open: set[Path] = set()
        self._recorders: set[CallRecorder] = set()
        self._ending: set[asyncio.Task[str | None]] = set()
        self._ready: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._stopped = asyncio.Event()

    @classmethod
    def of(cls, settings: Settings, database: Database, storage: Storage) -> Recordings:
        """As the settings say."""
        return cls(database, storage, settings.data_dir / FOLDER, days=settings.telephony.recording_days)

    def start(self) -> None:
        """Begin to store, first what an earlier process has left behind."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, args=(loop,), name="recordings-storing", daemon=True)
        self._thread.start()

    def open(self, call_id: str) -> CallRecorder:
        """Begin to record a call. Another stream of the same call goes on where the one before ended."""
        path = self._folder / f"{call_id}.{secrets.token_hex(4)}.part"
        file = RecordingFile(path)
        self._open.add(path)

        def finish(pieces: Sequence[Piece], length: int) -> asyncio.Task[str | None]:
            self._recorders.discard(recorder)
            ending = asyncio.create_task(self._end(path, self._writer.finish(file, pieces, length)))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            return ending

        recorder = CallRecorder(lambda pieces: self._writer.put(file, pieces), finish, clock=self._clock)
        self._recorders.add(recorder)
        return recorder

    async def close(self) -> None:
        """End the recordings that still run, and store what `STOP_S` is enough for."""
        try:
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*(recorder.close() for recorder in list(self._recorders)))
                if self._ending:
                    await asyncio.wait(list(self._ending))
                self._ready.put(None)
                if self._thread is not None:
                    await self._stopped.wait()
        except TimeoutError:
            log.warning("recordings are left for the next start")
        finally:
            self._stopping = True
            self._ready.put(None)
            self._writer.close()

    async def _end(self, path: Path, finished: Future[int]) -> str | None:
        """Enter a recording that has ended; returns its key."""
        try:
            whole = await run_in_threadpool(self._enter, path, await asyncio.wrap_future(finished))
        except (OSError, SQLAlchemyError, DatabaseError) as error:
            log.warning("a recording waits in the data folder", file=path.name, reason=type(error).__name__)
            return None
        except Exception:  # nobody awaits it for sure; the file stays for the next sweep
            log.exception("a recording could not be entered", file=path.name)
            return None
        finally:
            self._open.discard(path)
        if whole is None:
            return None
        self._ready.put(whole)
        return recording_key(_call_of(path))

    # On threads

    def _enter(self, path: Path, size: int) -> Path | None:
        """Let a call know of its recording; returns what the file is called now, None where it is not kept.

        Raises `OSError` and what the database raises.
        """
        call_id = _call_of(path)
        key = recording_key(call_id)
        account_id = self._database.read_here(_account_of, call_id)
        if account_id is None:
            log.warning("a recording of no call is deleted", file=path.name)
        elif size > self._storage.room(account_id):
            self._refuse(call_id, key, account_id)
        elif size and self._database.run_here(_noted, call_id, key):
            return path.rename(path.with_suffix(".wav"))
        path.unlink(missing_ok=True)
        return None

    def _refuse(self, call_id: str, key: str, account_id: str) -> None:
        log.warning("no room for a recording", call=call_id, account=account_id)
        stored = self._storage.stat(key, account_id) is not None  # of an earlier stream
        self._database.run_here(_refused, call_id, None if stored else key)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Store what is ready until there is no more to come."""
        due = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= due:
                self._guarded(self._sweep)
                due = time.monotonic() + SWEEP_S
            try:
                path = self._ready.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                continue
            if path is None:
                break
            self._guarded(partial(self._store, path))
        with contextlib.suppress(RuntimeError):  # nobody waits any more, the loop is closed
            loop.call_soon_threadsafe(self._stopped.set)

    def _guarded(self, work: Callable[[], object]) -> None:
        """One recording's trouble is not another's; what fails is tried again by the next sweep."""
        try:
            work()
        except (OSError, StorageError, SQLAlchemyError, DatabaseError) as error:
            log.warning("a recording waits in the data folder", reason=type(error).__name__)
        except Exception:  # a fault of ours must not end the storing of all others
            log.exception("a recording could not be stored")

    def _sweep(self) -> None:
        """Store everything in the folder that nobody writes any more; what is too old goes."""
        oldest = time.time() - self._keep_for.total_seconds()
        for path in sorted(self._folder.glob("*.*"), key=_age) if self._folder.is_dir() else ():
            if self._stopping:
                return
            if _age(path) < oldest:
                path.unlink(missing_ok=True)
            else:
                self._guarded(partial(self._rescue, path))

    def _rescue(self, path: Path) -> None:
        found: Path | None = path
        if path.suffix == ".part":
            if path in self._open or (size := mend(path)) is None:
                return
            found = self._enter(path, size)
            log.info("a recording outlived its process", call=_call_of(path), kept=found is not None)
        if found is not None:
            self._store(found)

    def _store(self, path: Path) -> None:
        """Put a whole recording into storage. Raises `OSError` and what the database raises."""
        call_id = _call_of(path)
        key = recording_key(call_id)
        with locked(path) as descriptor:
            if descriptor is None:  # another process does it, or it is done
                return
            account_id = self._database.read_here(_wanted_by, call_id, key)
            if account_id is not None:
                try:
                    self._put(key, path, account_id)
                except StorageFailed:
                    raise
                except QuotaExceeded:
                    self._refuse(call_id, key, account_id)
                except StorageError as error:
                    log.warning("a recording was refused", call=call_id, reason=str(error))
            path.unlink(missing_ok=True)
        if account_id is not None and self._database.read_here(_wanted_by, call_id, key) is None:
            self._storage.delete(key, account_id)  # it was deleted meanwhile

    def _put(self, key: str, path: Path, account_id: str) -> None:
        """Store a recording, after what is stored of its call already.

        Both are one file in the folder before it takes the stored one's place: a failure loses neither, and whoever
        was killed on the way goes on where it ended.
        """
        earlier = self._storage.stat(key, account_id)
        if earlier is not None:
            new, begin = marks_in(_beginning(path))
            old, sound = marks_in(b"".join(self._storage.read(earlier, 0, min(earlier.size, LONGEST_HEADER))))
            if new[-1] in old:
                return
            if old[-1] not in new:
                with self._storage.scratch_file() as both:
                    _join(both, [*old, *new], self._storage.read(earlier, sound), _pieces(path, begin))
                    both.replace(path)
        self._storage.put(key, path, media_type=MEDIA_TYPE, account_id=account_id, keep=self._keep_for)


def recording_key(call_id: str) -> str:
    """Where in storage the recording of a call is."""
    return f"recordings/{call_id}.wav"


def forget_recording(session: Session, account_id: str, call_id: str) -> str | None:
    """An account's call has no recording any more; returns the key that it had, None where it had none.

    Raises `LookupError` where the account has no such telephone call.
    """
    row = session.get(PhoneCall, call_id)
    if row is None or row.account_id != account_id:
        raise LookupError(call_id)
    key, row.recording = row.recording, None
    return key


def _refused(session: Session, call_id: str, key: str | None) -> None:
    row = session.get(PhoneCall, call_id)
    if row is not None:
        row.recording = None if row.recording == key else row.recording
        row.outcome = row.outcome or Outcome.NOT_RECORDED


def _account_of(session: Session, call_id: str) -> str | None:
    row = session.get(PhoneCall, call_id)
    return None if row is None else row.account_id


def _noted(session: Session, call_id: str, key: str) -> bool:
    row = session.get(PhoneCall, call_id)
    if row is not None:
        row.recording = key
    return row is not None


def _wanted_by(session: Session, call_id: str, key: str) -> str | None:
    """The account whose call still has this recording."""
    row = session.get(PhoneCall, call_id)
    return row.account_id if row is not None and row.recording == key else None


def _call_of(path: Path) -> str:
    return path.stem.rpartition(".")[0]


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_HEADER)


def _pieces(path: Path, begin: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while piece := file.read(_PIECE):
            yield piece


def _join(out: Path, marks: Sequence[bytes], earlier: Iterator[bytes], later: Iterator[bytes]) -> None:
    """One recording of two: the sound of the earlier one, a pause, the sound of the later one."""
    pause = bytes(round(PAUSE_S * PHONE_RATE) * FRAME_BYTES)
    begin = len(header(0, marks))
    with out.open("wb") as target:
        target.seek(begin)
        for piece in chain(earlier, [pause], later):
            target.write(piece)
        frames = (target.tell() - begin) // FRAME_BYTES
        target.seek(0)
        target.write(header(frames, marks))
