"""What a render is made of: pictures and sound of strangers, fetched and decoded within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from media import decoding
from media.audio.frames import AudioFrame
from media.avatar.errors import PortraitRefused
from media.decoding import MediaError, Picture
from media.speech.synthesis.errors import SynthesisError
from media.studio.control import Control
from media.studio.errors import NothingToSpeak, OptionInvalid, RenderCancelled
from server.jobs.handlers import JobContext, JobFailed
from server.renders.script import ScriptFailed

SOUND_RATE: Final = 48_000
LONGEST_SIDE: Final = 2048
"""Larger pictures are reduced to this when they are decoded."""
MAX_PICTURE_BYTES: Final = 32 << 20
MAX_SOUND_BYTES: Final = 256 << 20


async def picture_at(context: JobContext, url: str, field: str) -> Picture:
    """The picture a URL names. Raises `JobFailed`."""
    path = await _fetched(context, url, field, MAX_PICTURE_BYTES)
    with explained(field):
        return await decoding.decode_image(path, max_side=LONGEST_SIDE)


async def sound_at(context: JobContext, url: str, field: str, *, longest: float) -> AudioFrame:
    """The sound a URL names, mono, at most `longest` seconds. Raises `JobFailed`."""
    path = await _fetched(context, url, field, MAX_SOUND_BYTES)
    with explained(field):
        samples = await decoding.decode_audio(path, rate=SOUND_RATE, max_seconds=longest)
    path.unlink(missing_ok=True)
    return AudioFrame(samples, SOUND_RATE, 0)


async def _fetched(context: JobContext, url: str, field: str, most: int) -> Path:
    target = context.work_dir / field
    with explained(field):
        await asyncio.to_thread(context.fetch, url, target, max_bytes=most)
    return target


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
