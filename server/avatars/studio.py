"""The threads on which portraits become avatars and avatars speak their first sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

import numpy as np

from media.avatar.enrol import best_of, enrol_picture, frame_worth
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
    """Enrols on one thread and draws on another, for everybody: live conversations need the other cores.

    `landmarker` loads the networks; it is called on the first thread when the first portrait comes. `close` once.
    """

    def __init__(self, landmarker: Callable[[], FaceLandmarker] | None = None) -> None:
        self._faces = ModelWorker("portraits", threads=1, capacity=MOST_WAITING)
        self._films = ModelWorker("films", threads=1, capacity=MOST_WAITING)
        self._load = landmarker or _packaged_landmarker
        self._landmarker: FaceLandmarker | None = None

    async def enrol(self, picture: Picture, name: str, *, within: float = NOBODY_WAITS) -> AvatarPack:
        """Make a pack of a picture, due in `within` seconds.

        Raises `PortraitRefused`, `media.models.ModelError` or `StudioBusy`.
        """
        return await self.look(lambda: enrol_picture(picture, self._networks(), name=name), within=within)

    async def best_frame(self, pictures: Sequence[Picture], *, within: float = NOBODY_WAITS) -> Picture:
        """The frame of a video that suits an avatar best. Raises as `enrol` does.

        Each frame is a job of its own: whoever comes with one picture does not wait for a whole video.
        """
        judged: list[tuple[Picture, float | None]] = []
        for picture in pictures:
            worth = await self.look(partial(lambda shown: frame_worth(shown, self._networks()), picture), within=within)
            judged.append((picture, worth))
        return best_of(judged)

    async def look(self, work: Callable[[], T], *, within: float) -> T:
        """Run a blocking job of recognition, due in `within` seconds. Raises `StudioBusy`, or what `work` raises."""
        return await _run(self._faces, work, within)

    async def run(self, work: Callable[[], T], *, within: float) -> T:
        """The same for a job of drawing, on the other thread."""
        return await _run(self._films, work, within)

    async def warm_up(self) -> None:
        """Load the networks and let them run once. Raises as `enrol` does."""
        await self.look(lambda: self._networks().detect(np.zeros((256, 256, 3), np.uint8)), within=NOBODY_WAITS)

    def close(self) -> None:
        """Refuse what comes and fail what waits; a film that is being drawn is left to itself."""
        self._faces.close(timeout=0.2)
        self._films.close(timeout=0.2)

    def _networks(self) -> FaceLandmarker:
        if self._landmarker is None:
            self._landmarker = self._load()
        return self._landmarker


async def _run(worker: ModelWorker, work: Callable[[], T], within: float) -> T:
    try:
        return await worker.run(work, deadline=time.monotonic() + within)
    except WorkerFull as error:
        raise StudioBusy("Too many avatars are being made at the moment: try again in a few seconds") from error


def _packaged_landmarker() -> FaceLandmarker:
    return FaceLandmarker(model_dir(MODEL))
