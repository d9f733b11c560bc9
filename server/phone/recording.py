"""The recording of one call: both voices in one WAV file, written as the call goes on.

16-bit PCM at 8 kHz, the other one left, the agent right. The file is a whole WAV file after every write, whatever
becomes of the process. A chunk before the sound has the marks of the streams that are in it, so that none is ever in it
twice: each file's name ends with its own.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from media.audio.frames import Samples, to_int16
from media.audio.g711 import PHONE_RATE
from media.audio.two_channel import Channel, Piece, TwoChannels
from media.audio.wav import HEADER_BYTES, wav_header

FRAME_BYTES: Final = 2 * len(Channel)
"""Bytes of a sample of both channels."""

MARK_BYTES: Final = 8
_CHUNK: Final = struct.Struct("<4sI")
_MARKS: Final = b"vvid"
_BEFORE_MARKS: Final = HEADER_BYTES - _CHUNK.size
LONGEST_HEADER: Final = 4096
"""Bytes, with the marks of hundreds of streams."""

BLOCK_S: Final = 0.5
"""Audio is written in blocks of this length."""

MOST_WAITING: Final = 512
"""Blocks of all calls that wait for the disk, at most 16 MiB; what comes then is silence in its call's recording."""

CLOSE_S: Final = 0.8
"""A recording that takes longer to end ends without its call waiting for it."""

log = structlog.get_logger(__name__)


def mark_of(path: Path) -> bytes:
    """The mark of a stream, which the name of its file ends with."""
    return path.stem.rpartition(".")[2].encode()[:MARK_BYTES].ljust(MARK_BYTES, b"-")


def header(frames: int, marks: Sequence[bytes]) -> bytes:
    """The beginning of a recording of so many samples of both channels, with the marks of the streams in it."""
    chunk = _CHUNK.pack(_MARKS, MARK_BYTES * len(marks)) + b"".join(marks)
    return wav_header(frames, PHONE_RATE, len(Channel), chunk)


def marks_in(beginning: bytes) -> tuple[list[bytes], int]:
    """The marks in a recording's beginning (`LONGEST_HEADER` of it), and where its sound begins.

    Raises `ValueError` for what is no recording of ours.
    """
    if len(beginning) >= _SOUND:
        kind, size = _CHUNK.unpack_from(beginning, _BEFORE_MARKS)
        first = _BEFORE_MARKS + _CHUNK.size
        if kind == _MARKS and size and size % MARK_BYTES == 0 and first + size + _CHUNK.size <= len(beginning):
            marks = [beginning[at : at + MARK_BYTES] for at in range(first, first + size, MARK_BYTES)]
            return marks, first + size + _CHUNK.size
    raise ValueError("no recording of a call")


_SOUND: Final = len(header(0, [bytes(MARK_BYTES)]))
"""Where the sound of one stream begins."""


class RecordingFile:
    """One file. Its methods block. An error ends the recording, not the call: what was written by then is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = mark_of(path)
        self._descriptor = -1
        self._failed = False
        self._frames = 0

    def write(self, pieces: Sequence[Piece]) -> None:
        """Put these samples in their places; between them is silence."""
        if self._failed:
            return
        try:
            self._open()
            for piece in pieces:
                if len(piece.samples):
                    self._write(piece)
            _write_all(self._descriptor, header(self._frames, [self._mark]), 0)
        except OSError as error:
            self._failed = True
            log.warning("a recording ends before its call", file=self.path.name, reason=error.strerror)

    def finish(self, pieces: Sequence[Piece], length: int) -> int:
        """The last samples, and silence up to so many; returns how many bytes the file has, 0 if there is none.

        Raises `OSError`; then `mend` may end it later.
        """
        self.write(pieces)
        if self._descriptor < 0:
            return 0
        try:
            if not self._failed:
                os.ftruncate(self._descriptor, _SOUND + length * FRAME_BYTES)
            return _mend(self._descriptor, self._mark)
        finally:
            os.close(self._descriptor)
            self._descriptor, self._failed = -1, True

    def _open(self) -> None:
        if self._descriptor >= 0:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # until it is closed, also by the end of the process

    def _write(self, piece: Piece) -> None:
        offset = _SOUND + piece.index * FRAME_BYTES
        both = np.zeros((len(piece.samples), len(Channel)), "<i2")
        there = os.pread(self._descriptor, both.nbytes, offset)
        both.reshape(-1).view(np.uint8)[: len(there)] = np.frombuffer(there, np.uint8)
        both[:, piece.channel] = to_int16(piece.samples)
        _write_all(self._descriptor, both.tobytes(), offset)
        self._frames = max(self._frames, piece.end)


@contextmanager
def locked(path: Path) -> Iterator[int | None]:
    """A descriptor of this file, which nobody else has meanwhile; None where somebody has, or it is not there.

    Raises `OSError`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def mend(path: Path) -> int | None:
    """Make a file whole whose process was killed; returns its bytes, None while somebody still writes it.

    Raises `OSError`.
    """
    with locked(path) as descriptor:
        return None if descriptor is None else _mend(descriptor, mark_of(path))


class RecordingWriter:
    """Writes the recordings of all calls, in order, on a thread of its own: nobody who speaks waits for a disk.

    It takes `MOST_WAITING` blocks; what comes while it is full is refused, and stays silent. The thread begins with the
    first one.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.refused = 0
        self._most = most
        self._waiting: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, file: RecordingFile, pieces: Sequence[Piece]) -> bool:
        """Have these written; False where there is no room for them."""
        with self._changed:
            if self._closed or len(self._waiting) >= self._most:
                self.refused += 1
                return False
            self._take(lambda: file.write(pieces))
        return True

    def finish(self, file: RecordingFile, pieces: Sequence[Piece], length: int) -> Future[int]:
        """Have a file ended, after what waits; the result is what `RecordingFile.finish` returns or raises.

        There is always room for that, but in a writer that was closed: then it is an `OSError` too.
        """
        done: Future[int] = Future()

        def work() -> None:
            try:
                done.set_result(file.finish(pieces, length))
            except OSError as error:
                done.set_exception(error)
            except BaseException as error:  # a fault of ours: whoever waits is told all the same
                done.set_exception(error)
                raise

        with self._changed:
            if self._closed:
                done.set_exception(OSError(errno.EPIPE, "nothing is written any more"))
                return done
            self._take(work)
        return done

    def close(self) -> None:
        """Write what waits, then end; does not wait for that."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _take(self, work: Callable[[], object]) -> None:
        """With the lock held."""
        self._waiting.append(work)
        self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="recordings-writer", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                work = self._waiting.popleft()
            try:
                work()
            except Exception:  # one call's recording must not end all others'
                log.exception("a block of a recording was not written")


Finish = Callable[[Sequence[Piece], int], "asyncio.Task[str | None]"]
"""Ends a recording's file and keeps it; the result is its storage key, None where it is not kept."""


class CallRecorder:
    """Records one call. Implements `server.phone.link.LineRecorder`; made by `server.phone.recordings.Recordings`.

    Times are those of `clock`; the recording begins when this is made. Nothing here blocks or raises.
    """

    def __init__(
        self,
        put: Callable[[Sequence[Piece]], bool],
        finish: Finish,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        began = clock()
        self._channels = TwoChannels(PHONE_RATE, began)
        self._put = put
        self._finish = finish
        self._clock = clock
        self._due = began + BLOCK_S
        self._ending: asyncio.Task[str | None] | None = None
        self._complained = False

    def caller(self, samples: Samples, at: float, *, lost: int = 0) -> None:
        """The other one was heard: samples at 8 kHz that arrived at `at`, `lost` ones before them did not."""
        if self._ending is None:
            self._channels.caller(samples, at, lost=lost)
            self._pass_on()

    def agent(self, samples: Samples, at: float) -> None:
        """The agent is heard from `at` on: samples at 8 kHz."""
        if self._ending is None:
            self._channels.agent(samples, at)
            self._pass_on()

    def cleared(self, at: float) -> None:
        """What the agent was to say from `at` on is not heard."""
        if self._ending is None:
            self._channels.cleared(at)

    async def close(self) -> str | None:
        """End the recording; returns the storage key under which it will be, None where it is not kept.

        Returns within `CLOSE_S`; uploading goes on behind it. A second call returns the same.
        """
        if self._ending is None:
            self._ending = self._finish(*self._channels.end(self._clock()))
        await asyncio.wait([self._ending], timeout=CLOSE_S)
        return self._ending.result() if self._ending.done() else None

    def _pass_on(self) -> None:
        """Give what has settled to the writer, a block at a time."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + BLOCK_S
        pieces = self._channels.settled(now)
        if pieces and not self._put(pieces) and not self._complained:
            self._complained = True
            log.warning("the disk is too slow: a recording has gaps")


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _mend(descriptor: int, mark: bytes) -> int:
    """Let the header say what the file holds; returns its bytes, 0 where it holds no sound."""
    frames = max(0, os.fstat(descriptor).st_size - _SOUND) // FRAME_BYTES
    if frames == 0:
        return 0
    size = _SOUND + frames * FRAME_BYTES
    os.ftruncate(descriptor, size)
    _write_all(descriptor, header(frames, [mark]), 0)
    return size
