"""Phonemes from espeak-ng, which runs in a helper process (`espeak_helper.py`) and never in ours."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import espeakng_loader

from media.speech.synthesis.errors import LanguageNotSupported, PhonemiserError, PhonemiserStopped
from media.speech.synthesis.g2p.align import split_words
from media.worker import ModelWorker

ANSWER_TIMEOUT = 2.0
"""Seconds the helper may take for one request; a clause takes it well under a millisecond."""

START_TIMEOUT = 10.0
"""Seconds the helper may take for its first answer, on a machine that is busy starting everything else."""

MOST_RESTARTS, RESTART_WINDOW = 5, 60.0
"""The helper is brought back at most this often within so many seconds; then requests fail at once."""

REMEMBERED_WORDS = 8192
REMEMBERED_SEGMENTS = 1024

_SWITCHES = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9-]+)?\)")
_HELPER = Path(__file__).with_name("espeak_helper.py")
_READ_SIZE = 1 << 16
_LONGEST_ANSWER = 1 << 20
_PATIENCE = 0.3

K = TypeVar("K")
V = TypeVar("V")

log = logging.getLogger(__name__)


def helper_command() -> list[str]:
    """The command that runs the helper: isolated and without `site`, it is up in some 70 ms."""
    library, data = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    return [sys.executable, "-I", "-S", str(_HELPER), library, data]


class _HelperDied(Exception):
    """The helper ended or closed its pipe in the middle of a request."""


class EspeakPhonemiser:
    """`Phonemiser` over a helper process, restarted when it dies. Its pipe is served by one thread of its own.

    `command` is for tests: another program that speaks the helper's protocol.
    """

    def __init__(self, command: Sequence[str] | None = None, *, timeout: float = ANSWER_TIMEOUT) -> None:
        self._command = list(command) if command is not None else helper_command()
        self._timeout = timeout
        self._words: _Memory[tuple[str, str], str] = _Memory(REMEMBERED_WORDS)
        self._segments: _Memory[tuple[str, tuple[str, ...]], tuple[str, ...]] = _Memory(REMEMBERED_SEGMENTS)
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: deque[float] = deque()
        self._answered = False
        self._closed = False
        self._start()
        self._worker = ModelWorker("phonemiser", capacity=256)

    @property
    def pid(self) -> int | None:
        """The helper's process id, None while there is none."""
        return self._process.pid if self._process is not None else None

    async def phonemise(self, segments: Sequence[Sequence[str]], *, language: str, deadline: float) -> list[list[str]]:
        """See `Phonemiser`. Segments spoken before are answered without asking the helper."""
        keys = [(language, tuple(segment)) for segment in segments]
        if self._closed:
            raise PhonemiserStopped("the phonemiser has been closed")
        known = [self._segments.get(key) for key in keys]
        found = [segment for segment in known if segment is not None]
        if len(found) < len(keys):
            found = await self._worker.run(lambda: [self._segment(key) for key in keys], deadline=deadline)
        return [list(segment) for segment in found]

    def close(self) -> None:
        """End the helper: it leaves when its input ends, and is killed if it does not."""
        if self._closed:
            return
        self._closed = True
        self._worker.close(_PATIENCE)
        self._stop()  # a request that hangs ends with its helper
        self._worker.close(_PATIENCE)

    def _segment(self, key: tuple[str, tuple[str, ...]]) -> tuple[str, ...]:
        """The phonemes of a segment's words; on the worker's thread."""
        segment = self._segments.get(key)
        if segment is None:
            language, words = key
            alone = {word: self._words.get((language, word)) for word in words}
            unknown = [word for word, phonemes in alone.items() if phonemes is None]
            clause, *answers = self._ask(language, [" ".join(words), *unknown])
            for word, phonemes in zip(unknown, answers, strict=True):
                alone[word] = phonemes
                self._words.put((language, word), phonemes)
            segment = tuple(split_words(clause, [alone[word] or "" for word in words]))
            self._segments.put(key, segment)
        return segment

    def _ask(self, language: str, texts: list[str]) -> list[str]:
        request = json.dumps({"voice": language, "texts": texts}).encode() + b"\n"
        try:
            answer = self._exchange(request)
        except _HelperDied:
            log.warning("the phonemiser's helper died and is started again")
            try:
                answer = self._exchange(request)
            except _HelperDied as error:
                raise PhonemiserError(f"the phonemiser's helper dies of this text: {texts[0][:80]!r}") from error
        if "error" in answer:
            raise LanguageNotSupported(f"{answer['error']}; `espeak-ng --voices` lists what there is")
        phonemes = answer.get("phonemes")
        if not isinstance(phonemes, list) or len(phonemes) != len(texts):
            self._stop()
            raise PhonemiserError("the phonemiser's helper gave an answer to another question")
        return [_SWITCHES.sub("", str(text)) for text in phonemes]

    def _exchange(self, request: bytes) -> dict[str, Any]:
        """Send one request and wait for its answer, starting the helper if there is none."""
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise PhonemiserStopped("the phonemiser's helper is not running")
        try:
            process.stdin.write(request)
            process.stdin.flush()
            line = _read_line(process.stdout, self._timeout if self._answered else max(START_TIMEOUT, self._timeout))
            answer: dict[str, Any] = json.loads(line)
        except TimeoutError as error:
            self._stop()
            raise PhonemiserError(f"the phonemiser's helper gave no answer within {self._timeout:g} s") from error
        except (OSError, EOFError, ValueError) as error:
            self._stop()
            raise _HelperDied from error
        self._answered = True
        return answer

    def _start(self) -> None:
        now = time.monotonic()
        while self._starts and self._starts[0] < now - RESTART_WINDOW:
            self._starts.popleft()
        if self._closed or len(self._starts) > MOST_RESTARTS:
            raise PhonemiserStopped(
                "the phonemiser has been closed"
                if self._closed
                else f"the phonemiser's helper died {len(self._starts)} times within {RESTART_WINDOW:g} s: is "
                "espeakng-loader whole? Reinstall it with: pip install --force-reinstall espeakng-loader"
            )
        self._starts.append(now)
        self._answered = False
        try:
            # A session of its own: Ctrl-C in a terminal must not reach it before we have spoken our last word.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise PhonemiserStopped(f"cannot start the phonemiser's helper {self._command[0]}: {error}") from error

    def _stop(self) -> None:
        """End the helper if it runs, and reap it."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _read_line(pipe: IO[bytes], timeout: float) -> bytes:
    """One line from a pipe. Raises `TimeoutError`, or `EOFError` where the pipe ends first."""
    limit = time.monotonic() + timeout
    received = bytearray()
    poller = select.poll()
    poller.register(pipe, select.POLLIN | select.POLLHUP)
    while not received.endswith(b"\n"):
        left = limit - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            raise TimeoutError
        data = _read_available(pipe)
        if not data or len(received) > _LONGEST_ANSWER:
            raise EOFError
        received += data
    return bytes(received)


def _read_available(pipe: IO[bytes]) -> bytes:
    read1 = getattr(pipe, "read1", None)
    data: bytes = read1(_READ_SIZE) if read1 is not None else pipe.read(1)
    return data


class _Memory(Generic[K, V]):
    """What was asked last, for the event loop and the worker's thread at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            if len(self._items) > self._most:
                self._items.popitem(last=False)
