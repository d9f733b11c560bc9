"""Posters: a picture of an avatar in the frame of its films."""

from __future__ import annotations

import io
from typing import Final

import cv2
import numpy as np
from PIL import Image

from media.avatar.driver import FaceDriver, Mood
from media.avatar.face import FaceState
from media.avatar.landmarks import Picture
from media.studio.framing import Framing, Portrait, view_of
from media.studio.scene import Scene

SQUARE: Final = Framing(size=512, aspect=1.0)
"""What a still shows unless asked otherwise."""

_QUALITY = 82


def still(portrait: Portrait, *, framing: Framing = SQUARE, face: FaceState | None = None) -> bytes:
    """A picture of the avatar as WebP: looking at the viewer unless `face` says otherwise. Takes about 0.2 s."""
    face = face if face is not None else _attentive()
    frame = Scene(portrait, view_of(portrait, framing)).paint(face)
    buffer = io.BytesIO()
    Image.fromarray(_rgb(frame)).save(buffer, "WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()


def _attentive() -> FaceState:
    driver = FaceDriver()
    driver.set_mood(Mood.LISTENING, -1.0)
    return driver.state(0.0)


def _rgb(frame: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Picture:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420), np.uint8)
