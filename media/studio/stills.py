"""Posters of an avatar, and a short film of it to show whoever has just made it."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image

from media.audio.frames import AudioFrame, Samples
from media.avatar.driver import FaceDriver, Mood
from media.avatar.face import FaceState
from media.avatar.film import Encoding, Film
from media.avatar.landmarks import Picture
from media.avatar.soundtrack import Speech
from media.speech.protocols import SpokenPhoneme, Voice
from media.studio.control import Control, finished
from media.studio.errors import NothingToSpeak, OptionInvalid
from media.studio.framing import Framing, Portrait, view_of
from media.studio.scene import Scene
from media.studio.talking import render_talking

PREVIEW: Final = Framing(size=512, aspect=1.0)
"""What a preview shows unless asked otherwise."""

MOST_PREVIEW: Final = 200
"""Characters of a preview's text."""

_QUALITY = 82
_FAST = Encoding(preset="superfast", quality=21)


def still(portrait: Portrait, *, framing: Framing = PREVIEW, face: FaceState | None = None) -> bytes:
    """A picture of the avatar as WebP: looking at the viewer unless `face` says otherwise. Takes about 0.2 s."""
    face = face if face is not None else _attentive()
    frame = Scene(portrait, view_of(portrait, framing)).paint(face)
    buffer = io.BytesIO()
    Image.fromarray(_rgb(frame)).save(buffer, "WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()


async def render_preview(
    portrait: Portrait,
    voice: Voice,
    text: str,
    out: Path,
    *,
    framing: Framing = PREVIEW,
    deadline: float = 0.0,
) -> Film:
    """The avatar saying a sentence, as an MP4: about half the sentence's own length after the call.

    `deadline` on the monotonic clock orders the voice's work among that of sessions. Cancelling it
    leaves nothing half-done. Raises `OptionInvalid`, `NothingToSpeak`, and what the voice raises.
    """
    if len(text) > MOST_PREVIEW:
        raise OptionInvalid("text", f"{len(text)} characters; a preview says at most {MOST_PREVIEW}")
    samples: list[Samples] = []
    phonemes: list[SpokenPhoneme] = []
    async for chunk in voice.synthesise(text, deadline=deadline):
        samples.append(chunk.samples)
        phonemes += chunk.phonemes
    sound = np.concatenate(samples)
    if not len(sound):
        raise NothingToSpeak("the text holds no word that can be spoken")
    speech = Speech(AudioFrame(sound, voice.rate, 0), tuple(phonemes), voice.rate)
    stop = threading.Event()
    control = Control(cancelled=stop.is_set)
    work = asyncio.to_thread(render_talking, portrait, speech, out, framing=framing, control=control, encoding=_FAST)
    return await finished(work, stop.set)


def _attentive() -> FaceState:
    driver = FaceDriver()
    driver.set_mood(Mood.LISTENING, -1.0)
    return driver.state(0.0)


def _rgb(frame: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Picture:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420), np.uint8)
