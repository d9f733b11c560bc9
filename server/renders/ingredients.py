"""What a render is made of: pictures and sound of strangers, fetched and decoded within limits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from media import decoding
from media.audio.wav import write_wav
from media.avatar.errors import PortraitRefused
from media.decoding import MediaError, Picture
from media.speech.synthesis.errors import SynthesisError
from media.studio.control import Control
from media.studio.errors import NothingToSpeak, OptionInvalid, RenderCancelled
from server.fetching import FetchError
from server.jobs.handlers import JobContext, JobFailed, StoredFile
from server.renders.script import ScriptFailed
from server.storage import QuotaExceeded

SOUND_RATE: Final = 48_000
LONGEST_SIDE: Final = 2048
"""Larger pictures are reduced to this when they are decoded."""
MAX_PICTURE_BYTES: Final = 32 << 20
MAX_SOUND_BYTES: Final = 256 << 20

_AGAIN_S: Final = 1.0


async def picture_at(context: JobContext, url: str, field: str) -> Picture:
    """The picture a URL names. Raises `JobFailed`."""
    path = await _fetched(context, url, field, MAX_PICTURE_BYTES)
    with explained(field):
        return await decoding.decode_image(path, max_side=LONGEST_SIDE)


async def sound_at(context: JobContext, url: str, field: str, *, longest: float) -> Path:
    """The sound a URL names, mono, at most `longest` seconds, as a WAV file of ours: ten minutes are 115 MB otherwise.

    Raises `JobFailed`.
    """
    path = await _fetched(context, url, field, MAX_SOUND_BYTES)
    with explained(field):
        samples = await decoding.decode_audio(path, rate=SOUND_RATE, max_seconds=longest)
    path.unlink(missing_ok=True)
    decoded = context.work_dir / f"{field}.wav"
    await asyncio.to_thread(write_wav, decoded, samples, SOUND_RATE)
    return decoded


async def _fetched(context: JobContext, url: str, field: str, most: int) -> Path:
    target = context.work_dir / field
    for last in (False, True):
        try:
            await _abandonable(lambda: context.fetch(url, target, max_bytes=most))
        except FetchError as error:
            if last or not error.retryable:
                raise JobFailed(f"{field}: {error.message}", error.code.value.upper()) from error
            await asyncio.sleep(_AGAIN_S)
        else:
            break
    context.check()
    return target


async def _abandonable(work: Callable[[], object]) -> None:
    """Run blocking work whose end nobody waits for once we are cancelled; its own time limit ends it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to who waits
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name="fetching", daemon=True).start()
    await done


def store(context: JobContext, key: str, path: Path, media_type: str) -> StoredFile:
    """Put an output into storage. Raises `JobFailed` where the account has no room for it."""
    try:
        return context.put(key, path, media_type)
    except QuotaExceeded as error:
        raise JobFailed(str(error), "STORAGE_FULL") from error


def control(context: JobContext, phase: str) -> Control:
    """A render's line to its job: progress, waiting for live conversations, and the end of either."""

    def progress(done: float) -> None:
        context.phase(phase, done)
        context.yield_to_calls()

    return Control(progress, lambda: context.cancelled)


@contextmanager
def explained(field: str) -> Iterator[None]:
    """Turn what is wrong with the order into `JobFailed`, which says so to who gave it; other errors pass."""
    try:
        yield
    except MediaError as error:
        if error.retryable:
            raise
        raise JobFailed(f"{field}: {error.message}", error.code.value.upper()) from error
    except PortraitRefused as error:
        raise JobFailed(f"{field}: {error}", error.code.value.upper()) from error
    except (NothingToSpeak, SynthesisError) as error:
        raise JobFailed(f"{field}: {error}", "NOTHING_TO_SPEAK") from error
    except OptionInvalid as error:
        raise JobFailed(str(error), "OPTION_INVALID") from error
    except ScriptFailed as error:
        raise JobFailed(f"{field}: {error}", "NO_SCRIPT") from error
    except RenderCancelled:
        raise  # the job itself knows why: its next check ends it
