"""`Renderer` over a lip-sync network: the frames of all sessions, batched by deadline, in one worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.face import FaceState, mouth
from media.avatar.landmarks import Picture
from media.avatar.neural.adapter import LipSyncAdapter, PreparedFace, laid_back
from media.avatar.pack import AvatarPack
from media.avatar.renderer import Avatar, Frame, Hearing, Moment, PuppetAvatar, PuppetRenderer, to_frame
from media.worker import ModelWorker, WorkerClosed, WorkerFull

log = logging.getLogger(__name__)

_SILENT = 1e-4  # louder than this the network paints, else the puppet's closed mouth is as good and cheaper
_FAILURES = 3  # in a row, after which the network is given up


@dataclass(frozen=True, slots=True, eq=False)
class NeuralAvatar:
    """A pack as the network sees it, and as the puppet moves it."""

    pack: AvatarPack
    face: PreparedFace
    still: PuppetAvatar


@dataclass(slots=True, eq=False)
class _Wanted:
    avatar: NeuralAvatar
    moment: Moment
    deadline: float
    frame: asyncio.Future[Frame]


class NeuralRenderer:
    """Batches what all sessions want next, the earliest deadline first, up to `most` frames in one inference.

    While one batch is inferred the next gathers, and what was painted before it is laid back and moved by the puppet on
    `threads` threads of its own, so that the network never waits for that.
    When the network fails three times in a row it is given up, `fallen_back` says so and why, and the puppet draws on.
    Use it from one event loop. `capacity`: frames that may wait.
    """

    def __init__(self, adapter: LipSyncAdapter, *, most: int = 16, capacity: int = 64, threads: int = 2) -> None:
        self._adapter = adapter
        self._most = most
        self._capacity = capacity
        self._network = ModelWorker(adapter.name, capacity=capacity)
        self._puppet = PuppetRenderer(threads=threads, capacity=2 * capacity)
        self._finishing = ModelWorker(f"{adapter.name}-drawing", threads=threads, capacity=2 * capacity)
        self._unfinished: set[asyncio.Task[None]] = set()
        self._waiting: list[_Wanted] = []
        self._busy: asyncio.Task[None] | None = None
        self._failures = 0
        self._closed = False
        self.fallen_back: str | None = None
        self.batches: list[int] = []

    @property
    def name(self) -> str:
        """The network's, or "puppet" once it has been given up."""
        return self._puppet.name if self.fallen_back else self._adapter.name

    @property
    def hears(self) -> Hearing:
        """What the network does."""
        return self._adapter.hears

    @property
    def workers(self) -> list[ModelWorker]:
        """See `Renderer.workers`."""
        return [self._network, self._finishing, *self._puppet.workers]

    async def prepare(self, pack: AvatarPack) -> NeuralAvatar | PuppetAvatar:
        """See `Renderer.prepare`."""
        still = await self._puppet.prepare(pack)
        if self.fallen_back:
            return still
        soon = time.monotonic() + 1.0
        try:
            face = await self._network.run(lambda: self._adapter.prepare(pack), deadline=soon)
        except (WorkerFull, WorkerClosed):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, a face must be shown
            self._give_up(error)
            return still
        return NeuralAvatar(pack, face, still)

    async def render(self, avatar: Avatar, moment: Moment, *, deadline: float) -> Frame:
        """See `Renderer.render`."""
        if self._closed:
            raise WorkerClosed(self.name)
        if not isinstance(avatar, NeuralAvatar):
            return await self._puppet.render(avatar, moment, deadline=deadline)
        if self.fallen_back or moment.sound is None or float(np.abs(moment.sound).max(initial=0.0)) < _SILENT:
            return await self._puppet.render(avatar.still, moment, deadline=deadline)
        if len(self._waiting) >= self._capacity:
            raise WorkerFull(self.name)
        wanted = _Wanted(avatar, moment, deadline, asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        if self._busy is None or self._busy.done():
            self._busy = asyncio.create_task(self._serve(), name=f"{self.name}-batches")
        return await wanted.frame

    def close(self) -> None:
        """See `Renderer.close`."""
        self._closed = True
        for wanted in self._waiting:
            if not wanted.frame.done():
                wanted.frame.set_exception(WorkerClosed(self.name))
        self._waiting.clear()
        for worker in (self._network, self._finishing, self._puppet):
            worker.close()

    async def _serve(self) -> None:
        """While frames wait: one batch after the other. While one is inferred, the next gathers."""
        while self._waiting:
            await asyncio.sleep(0)  # let the sessions that woke together ask for their frames
            self._waiting = [wanted for wanted in self._waiting if not wanted.frame.done()]  # not the cancelled ones
            self._waiting.sort(key=lambda wanted: wanted.deadline)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if batch:
                await self._infer(batch)

    async def _infer(self, batch: Sequence[_Wanted]) -> None:
        try:
            pictures = await self._network.run(lambda: self._painted(batch), deadline=batch[0].deadline)
        except (WorkerFull, WorkerClosed) as error:
            _fail(batch, error)
            return
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, a face must be shown
            self._failures += 1
            log.warning("lip_sync_failed", extra={"network": self._adapter.name, "error": str(error)})
            if self._failures >= _FAILURES:
                self._give_up(error)
            await self._puppet_instead(batch)
            return
        self._failures = 0
        self.batches = [*self.batches[-99:], len(batch)]
        for wanted, picture in zip(batch, pictures, strict=True):
            task = asyncio.create_task(self._finish(wanted, picture), name=f"{self._adapter.name}-frame")
            self._unfinished.add(task)
            task.add_done_callback(self._unfinished.discard)

    async def _finish(self, wanted: _Wanted, picture: Picture) -> None:
        if wanted.frame.done():
            return
        try:
            frame = await self._finishing.run(lambda: _moved(wanted, picture), deadline=wanted.deadline)
        except (WorkerFull, WorkerClosed) as error:
            _fail([wanted], error)
        except Exception as error:  # noqa: BLE001 - a picture of the wrong form: a face must be shown
            log.warning("lip_sync_failed", extra={"network": self._adapter.name, "error": str(error)})
            await self._puppet_instead([wanted])
        else:
            if not wanted.frame.done():
                wanted.frame.set_result(frame)

    async def _puppet_instead(self, batch: Sequence[_Wanted]) -> None:
        for wanted in batch:
            try:
                frame = await self._puppet.render(wanted.avatar.still, wanted.moment, deadline=wanted.deadline)
            except (WorkerFull, WorkerClosed) as error:
                _fail([wanted], error)
            else:
                if not wanted.frame.done():
                    wanted.frame.set_result(frame)

    def _painted(self, batch: Sequence[_Wanted]) -> list[Picture]:
        hears = self._adapter.hears
        windows = self._adapter.audio_windows([_fitted(wanted.moment.sound, hears) for wanted in batch])
        faces = [wanted.avatar.face for wanted in batch]
        return self._adapter.infer(list(zip(faces, windows, strict=True)))

    def _give_up(self, error: Exception) -> None:
        self.fallen_back = f"{self._adapter.name}: {error}"
        log.error("lip_sync_given_up", extra={"network": self._adapter.name, "error": str(error)})


def _moved(wanted: _Wanted, picture: Picture) -> Frame:
    """The portrait with its mouth repainted, moved by the puppet."""
    layer = laid_back(wanted.avatar.pack, wanted.avatar.face, picture)
    face: FaceState = wanted.moment.face.with_mouth(mouth())
    return to_frame(wanted.avatar.still.puppet.draw(face, layer=layer))


def _fitted(sound: Samples | None, hears: Hearing) -> Samples:
    """The sound at the length that was asked for, silence where it is short."""
    count = round((hears.before + hears.after) * SPEECH_RATE)
    given = np.zeros(0, np.float32) if sound is None else sound[:count]
    return np.pad(given, (0, count - len(given)))


def _fail(batch: Sequence[_Wanted], error: Exception) -> None:
    for wanted in batch:
        if not wanted.frame.done():
            wanted.frame.set_exception(error)
