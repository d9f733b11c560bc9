"""Starting, feeding, ending and reaping the helper processes."""

from __future__ import annotations

import contextlib
import json
import logging
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from media.decoding.errors import MediaError, MediaProblem
from media.decoding.helper import IDLE_S, MOST_REQUEST_BYTES, READY

START_S = 60.0
"""Seconds a helper may take to be ready, on a machine that is busy starting everything else."""
NICENESS = 10
"""Conversations go first."""
STARVED = 0.2
"""A helper that had less of the processor than this part of its time is not to blame for being slow."""
LEAVE_S = 2.0
"""A helper that closed its socket has so long to end by itself, so that its own exit status is known."""
NO_ANSWER = 0
"""`HelperGone.status` of a helper that said something, but nothing that is an answer."""

_ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
_FRESH_S = IDLE_S - 60.0
_MOST_ANSWER_BYTES = 1 << 20

log = logging.getLogger(__name__)


class HelperGone(Exception):
    """The helper ended without an answer: by its limits, by a crash, or because it was ended from here."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class HelperSlow(Exception):
    """Its time was over. `starved`: it hardly had the processor, so that the machine is to blame and not the file."""

    def __init__(self, *, starved: bool) -> None:
        super().__init__("starved" if starved else "slow")
        self.starved = starved


class Helper:
    """One helper process, for one request; only `stop` may be called by another thread than the one that asks.

    `program` is for tests: arguments of Python for another program that speaks the helper's protocol.
    """

    def __init__(self, program: Sequence[str] = ("-m", "media.decoding")) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _ONE_THREAD
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-s", "-E", "-B", *program, str(theirs.fileno())],
                    cwd=_ROOT,
                    env=environment,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # a Ctrl-C in the terminal is for the server alone
                )
            except OSError:
                ours.close()
                raise
        with contextlib.suppress(OSError):  # gone already: whoever asks it will see
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)
        self._link = ours
        self._started = time.monotonic()
        self._ended = threading.Lock()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_fresh(self) -> bool:
        """Whether it still waits for a request, and will for a while."""
        return time.monotonic() - self._started < _FRESH_S and self._process.poll() is None

    def ask(self, request: Mapping[str, Any], source: int, result: int, seconds: float) -> dict[str, Any]:
        """Have one request done; blocks. Raises `HelperGone`, and `HelperSlow` after so many seconds."""
        begun = 0.0
        try:
            self._wait_until_ready()
            begun = self._processor_seconds()
            line = json.dumps(request).encode()
            if len(line) > MOST_REQUEST_BYTES:
                raise ValueError("the request is too long")
            socket.send_fds(self._link, [line], [source, result])
            answer = self._answer(time.monotonic() + seconds)
        except TimeoutError as error:
            raise HelperSlow(starved=self._processor_seconds() - begun < seconds * STARVED) from error
        except ConnectionError as error:
            raise HelperGone(self._leave()) from error
        finally:
            self.end()
        return answer

    def end(self) -> int:
        """Kill and reap it, from any thread and as often as one likes; its exit status."""
        if self._process.returncode is None:
            self._process.kill()
        status = self._process.wait()
        with self._ended:
            self._link.close()
        return status

    def stop(self) -> None:
        """Kill it without waiting: whoever waits for its answer reaps it."""
        self._process.kill()

    def _leave(self) -> int:
        """The status of a helper that has closed its end and is about to go by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVE_S)
        return self.end()

    def _answer(self, deadline: float) -> dict[str, Any]:
        data = bytearray()
        while not data.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._link.settimeout(left)
            piece = self._link.recv(1 << 16)
            if not piece:
                raise HelperGone(self._leave())
            data += piece
            if len(data) > _MOST_ANSWER_BYTES:
                raise HelperGone(NO_ANSWER)
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:  # a decoder that was taken over may say anything
            raise HelperGone(NO_ANSWER) from error
        if not isinstance(answer, dict):
            raise HelperGone(NO_ANSWER)
        return answer

    def _wait_until_ready(self) -> None:
        self._link.settimeout(START_S)
        data = b""
        try:
            while len(data) < len(READY) and (piece := self._link.recv(len(READY) - len(data))):
                data += piece
        except TimeoutError as error:
            raise HelperSlow(starved=True) from error
        if data != READY:
            raise HelperGone(self._leave())

    def _processor_seconds(self) -> float:
        """What it has used; infinite where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):
            return float("inf")


class Spare:
    """At most one helper that has started already, so that a request need not wait for the libraries to load."""

    def __init__(self, start: Callable[[], Helper]) -> None:
        self._start = start
        self._helper: Helper | None = None
        self._lock = threading.Lock()
        self._closed = False

    def take(self) -> Helper:
        """The spare helper, or a new one."""
        with self._lock:
            helper, self._helper = self._helper, None
        if helper is not None and helper.is_fresh:
            return helper
        if helper is not None:
            helper.end()
        return self._start()

    def refill(self) -> None:
        """Start the next one."""
        with self._lock:
            if self._helper is None and not self._closed:
                self._helper = self._start()

    def close(self) -> None:
        """End the spare one and keep no other."""
        with self._lock:
            helper, self._helper, self._closed = self._helper, None, True
        if helper is not None:
            helper.end()


def result_file() -> int:
    """A nameless file for a helper's result, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("decoded", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def bytes_file(data: bytes) -> int:
    """`data` as a nameless file, at its beginning."""
    file = result_file()
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.lseek(file, 0, os.SEEK_SET)
    return file


def map_result(file: int, length: int) -> mmap.mmap:
    """The first `length` bytes of a result; the helper must have ended. Raises `MediaError` if there are fewer."""
    if os.fstat(file).st_size < length:  # touching pages behind the end would be our own death
        raise MediaError(MediaProblem.FAILED, "The file could not be decoded.")
    return mmap.mmap(file, length, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
