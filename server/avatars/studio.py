"""The thread on which portraits become avatars and avatars speak their first sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import numpy as np

from media.avatar.enrol import best_frame, enrol_picture
from media.avatar.landmarks import MODEL, FaceLandmarker, Picture
from media.avatar.pack import AvatarPack
from media.models import model_dir
from media.worker import ModelWorker, WorkerFull

T = TypeVar("T")

MOST_WAITING: Final = 8
"""Jobs that wait at most; one more is refused."""
SOMEBODY_WAITS: Final = 3.0
"""Seconds within which a job is due whose result a person waits for. Jobs are done in the order they are due."""
NOBODY_WAITS: Final = 60.0


class StudioBusy(Exception):
    """So much is waiting that one more would only make everybody wait longer."""


class AvatarStudio:
    """Enrols and renders for everybody, one job at a time: live conversations need the other cores.

    `landmarker` loads the networks; it is called on the studio's thread when the first portrait comes. `close` once.
    """

    def __init__(self, landmarker: Callable[[], FaceLandmarker] | None = None) -> None:
        self.worker = ModelWorker("avatars", threads=1, capacity=MOST_WAITING)
        self._load = landmarker or _packaged_landmarker
        self._landmarker: FaceLandmarker | None = None

    async def enrol(self, picture: Picture, name: str, *, within: float = NOBODY_WAITS) -> AvatarPack:
        """Make a pack of a picture, due in `within` seconds.

        Raises `PortraitRefused`, `media.models.ModelError` or `StudioBusy`.
        """
        return await self.run(lambda: enrol_picture(picture, self._networks(), name=name), within=within)

    async def best_frame(self, pictures: Iterable[Picture], *, within: float = NOBODY_WAITS) -> Picture:
        """The frame of a video that suits an avatar best. Raises as `enrol` does."""
        return await self.run(lambda: best_frame(pictures, self._networks()), within=within)

    async def run(self, work: Callable[[], T], *, within: float) -> T:
        """Run a blocking job of drawing, due in `within` seconds. Raises `StudioBusy`, or what `work` raises."""
        try:
            return await self.worker.run(work, deadline=time.monotonic() + within)
        except WorkerFull as error:
            raise StudioBusy("Too many avatars are being made at the moment: try again in a few seconds") from error

    async def warm_up(self) -> None:
        """Load the networks and let them run once. Raises as `enrol` does."""
        await self.run(lambda: self._networks().detect(np.zeros((256, 256, 3), np.uint8)), within=NOBODY_WAITS)

    def close(self) -> None:
        """Refuse what comes and fail what waits; a film that is being drawn is left to itself."""
        self.worker.close(timeout=0.2)

    def _networks(self) -> FaceLandmarker:
        if self._landmarker is None:
            self._landmarker = self._load()
        return self._landmarker


def _packaged_landmarker() -> FaceLandmarker:
    return FaceLandmarker(model_dir(MODEL))
