"""Media from strangers, decoded where it can do no harm: a process of its own for each file, with limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from media.audio.frames import Samples
from media.decoding.errors import MediaError, MediaProblem
from media.decoding.info import MediaInfo
from media.decoding.limits import (
    FRAME_LIMITS,
    MIB,
    MOST_RESULT_BYTES,
    PICTURE_LIMITS,
    PROBE_LIMITS,
    SOUND_LIMITS,
    Limits,
)
from media.decoding.pictures import PICTURE_FORMATS, Picture
from media.decoding.process import Helper, HelperGone, HelperSlow, Spare, bytes_file, map_result, result_file

Source: TypeAlias = bytes | Path
"""A whole file: its bytes, or where it lies."""

MOST_WAITING = 64
"""More requests than this at once are refused as busy."""
MOST_FRAMES = 500

_TOLD = frozenset(str(problem) for problem in MediaProblem if problem is not MediaProblem.FAILED)
_BUSY = "Too many files are being decoded. Please try again in a minute."
_TOO_SLOW = "The file takes too long to decode."
_FAILED = "The file could not be decoded."

log = logging.getLogger(__name__)


class SafeDecoder:
    """Decodes a few files at a time, each in a helper process that ends afterwards; serves any event loop.

    `parallel` bounds the processes that work; one more waits, started, for the next request. `start` is for tests.
    """

    def __init__(self, *, parallel: int | None = None, start: Callable[[], Helper] = Helper) -> None:
        threads = parallel or max(1, min(4, (os.cpu_count() or 2) // 2))
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="decoding")
        self._spare = Spare(start)
        self._waiting = 0
        self._running: set[_Job] = set()
        self._lock = threading.Lock()

    async def image(
        self,
        source: Source,
        *,
        limits: Limits = PICTURE_LIMITS,
        max_side: int | None = None,
        formats: Sequence[str] = PICTURE_FORMATS,
    ) -> Picture:
        """See `media.decoding.decode_image`."""
        most = limits.pixels if max_side is None else min(limits.pixels, max_side * max_side)
        work = {"work": "picture", "max_side": max_side, "formats": list(formats)}
        answer, file = await self._run(source, work, limits, 3 * most)
        with _closing(file):
            return _pictures(answer, file, 1)[0]

    async def audio(self, source: Source, *, rate: int, max_seconds: float, limits: Limits = SOUND_LIMITS) -> Samples:
        """See `media.decoding.decode_audio`."""
        work = {"work": "sound", "rate": rate, "max_seconds": max_seconds}
        answer, file = await self._run(source, work, limits, int(4 * rate * (max_seconds + 2)))
        with _closing(file):
            length = _whole(answer.get("samples"))
            return np.frombuffer(map_result(file, 4 * length), np.float32)

    async def frames(
        self,
        source: Source,
        *,
        count: int | None = None,
        at: Sequence[float] | None = None,
        max_side: int = 1280,
        limits: Limits = FRAME_LIMITS,
    ) -> list[Picture]:
        """See `media.decoding.video_frames`."""
        if (count is None) == (at is None):
            raise ValueError("give either count or at")
        wanted = count if count is not None else len(at or ())
        if not 0 < wanted <= MOST_FRAMES:
            raise ValueError(f"from 1 to {MOST_FRAMES} frames at once")
        work = {"work": "frames", "count": count, "at": None if at is None else list(at), "max_side": max_side}
        answer, file = await self._run(source, work, limits, 3 * wanted * max_side * max_side)
        with _closing(file):
            return _pictures(answer, file, wanted)

    async def probe(self, source: Source, *, limits: Limits = PROBE_LIMITS) -> MediaInfo:
        """See `media.decoding.probe`."""
        answer, file = await self._run(source, {"work": "probe"}, limits, 1)
        os.close(file)
        try:
            return MediaInfo(**answer["info"])
        except (KeyError, TypeError) as error:
            raise MediaError(MediaProblem.FAILED, _FAILED) from error

    def close(self) -> None:
        """End all helpers; requests under way fail."""
        self._spare.close()
        with self._lock:
            running = list(self._running)
        for job in running:
            job.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _run(
        self, source: Source, work: dict[str, Any], limits: Limits, result_bytes: int
    ) -> tuple[dict[str, Any], int]:
        """The helper's answer and the file with its result, for the caller to close."""
        if result_bytes > MOST_RESULT_BYTES:
            raise ValueError(f"the result might take {result_bytes} bytes, more than {MOST_RESULT_BYTES}")
        request = work | {
            "pixels": limits.pixels,
            "memory": limits.memory,
            "cpu_s": limits.cpu_s,
            "wall_s": limits.wall_s,
            "result_bytes": result_bytes,
        }
        job = _Job(self._spare, source, request, limits)
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise MediaError(MediaProblem.BUSY, _BUSY)
            self._waiting += 1
            self._running.add(job)
        try:
            return await self._finish(job)
        finally:
            with self._lock:
                self._waiting -= 1
                self._running.discard(job)

    async def _finish(self, job: _Job) -> tuple[dict[str, Any], int]:
        running = self._threads.submit(job.run)
        future = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not running.cancel():
                job.cancel()
                while not future.done():  # ends at once: its helper is dead
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait({future})
                if not future.cancelled() and future.exception() is None:
                    os.close(future.result()[1])
            raise


class _Job:
    """One request on its way through a thread."""

    def __init__(self, spare: Spare, source: Source, request: dict[str, Any], limits: Limits) -> None:
        self._spare = spare
        self._source = source
        self._request = request
        self._limits = limits
        self._helper: Helper | None = None
        self._cancelled = False
        self._lock = threading.Lock()

    def run(self) -> tuple[dict[str, Any], int]:
        """Do it; blocks. Raises `MediaError`."""
        source = _open(self._source, self._limits.bytes)
        with _closing(source):
            result = result_file()
            try:
                return self._checked(self._ask(source, result)), result
            except BaseException:
                os.close(result)
                raise

    def cancel(self) -> None:
        """End it at once, whether it has begun or not."""
        with self._lock:
            self._cancelled = True
            if self._helper is not None:
                self._helper.stop()

    def _ask(self, source: int, result: int) -> dict[str, Any]:
        try:
            with self._lock:
                if self._cancelled:
                    raise MediaError(MediaProblem.FAILED, "Decoding was cancelled.")
                self._helper = self._spare.take()
            answer = self._helper.ask(self._request, source, result, self._limits.wall_s)
        except HelperSlow as slow:
            if slow.starved:
                raise MediaError(MediaProblem.BUSY, _BUSY) from slow
            raise MediaError(MediaProblem.TOO_COSTLY, _TOO_SLOW) from slow
        except HelperGone as gone:
            raise self._gone(gone) from gone
        except OSError as error:
            log.warning("No helper could be started to decode a file: %s", error)
            raise MediaError(MediaProblem.FAILED, _FAILED) from error
        with contextlib.suppress(OSError):  # the next request will try for itself
            self._spare.refill()
        return answer

    def _gone(self, gone: HelperGone) -> MediaError:
        if self._cancelled:
            return MediaError(MediaProblem.FAILED, "Decoding was cancelled.")
        if -gone.status in (signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM):
            return MediaError(MediaProblem.TOO_COSTLY, _TOO_SLOW)
        if gone.status < 0:
            log.warning("A decoder crashed with signal %d on a file from outside", -gone.status)
            return MediaError(MediaProblem.DAMAGED, "The file is damaged and cannot be read.")
        log.error("The decoding helper ended with status %d before it answered", gone.status)
        return MediaError(MediaProblem.FAILED, _FAILED)

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "problem" not in answer:
            return answer
        problem, message = answer["problem"], answer.get("message")
        if problem in _TOLD and isinstance(message, str):
            raise MediaError(MediaProblem(problem), message)
        log.error("Decoding a file failed unexpectedly: %s", answer.get("trace"))
        raise MediaError(MediaProblem.FAILED, _FAILED)


@contextlib.contextmanager
def _closing(file: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(file)


def _open(source: Source, most: int) -> int:
    length = len(source) if isinstance(source, bytes) else 0
    file = -1
    if isinstance(source, Path):
        try:
            file = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise MediaError(MediaProblem.FAILED, "The file is not there any more.") from error
        status = os.fstat(file)
        length = status.st_size if stat.S_ISREG(status.st_mode) else 0
    problem = None
    if length == 0:
        problem = MediaError(MediaProblem.EMPTY, "The file is empty.")
    elif length > most:
        problem = MediaError(
            MediaProblem.TOO_LARGE, f"The file has {length / MIB:.0f} MiB; at most {most / MIB:g} MiB are accepted."
        )
    if problem is not None:
        if file >= 0:
            os.close(file)
        raise problem
    return bytes_file(source) if isinstance(source, bytes) else file


def _pictures(answer: dict[str, Any], file: int, most: int) -> list[Picture]:
    shapes = answer.get("shapes")
    if not isinstance(shapes, list) or not 0 < len(shapes) <= most:
        raise MediaError(MediaProblem.FAILED, _FAILED)
    sizes = [(_whole(shape[0]), _whole(shape[1])) for shape in shapes if isinstance(shape, list) and len(shape) == 2]
    if len(sizes) != len(shapes):
        raise MediaError(MediaProblem.FAILED, _FAILED)
    whole: npt.NDArray[np.uint8] = np.frombuffer(map_result(file, sum(3 * h * w for h, w in sizes)), np.uint8)
    pictures, begin = [], 0
    for height, width in sizes:
        end = begin + 3 * height * width
        pictures.append(whole[begin:end].reshape(height, width, 3))
        begin = end
    return pictures


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value <= MOST_RESULT_BYTES:
        raise MediaError(MediaProblem.FAILED, _FAILED)
    return value
