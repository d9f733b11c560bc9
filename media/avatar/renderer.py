"""The seam between a face's states and pictures of it: live sessions and files draw through the same `Renderer`."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from media.audio.frames import Samples
from media.avatar.face import FaceState
from media.avatar.landmarks import Picture
from media.avatar.pack import SIDE, AvatarPack
from media.avatar.puppet.renderer import Puppet
from media.worker import ModelWorker

I420: Final = (SIDE * 3 // 2, SIDE)
"""Shape of a frame: 512 rows of Y, then U and V at half the size, as video encoders take it."""

_AVATARS_KEPT = 32


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture of a face. `i420`: uint8, shape [768, 512], BT.601 limited range."""

    i420: npt.NDArray[np.uint8]

    def rgb(self) -> Picture:
        """The same as RGB, [512, 512, 3]; colour has half the resolution."""
        return np.asarray(cv2.cvtColor(self.i420, cv2.COLOR_YUV2RGB_I420), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What a frame is to show: the face, and for networks that listen the sound around it.

    `sound`: 16 kHz, the renderer's `hears` seconds before and after the frame's middle; None in silence.
    """

    face: FaceState
    sound: Samples | None = None


@dataclass(frozen=True, slots=True)
class Hearing:
    """How much sound a renderer needs with a frame, in seconds before and after its middle."""

    before: float = 0.0
    after: float = 0.0


class Avatar(Protocol):
    """A pack made ready by one renderer; only that renderer knows what is in it. Shared by all sessions."""

    @property
    def pack(self) -> AvatarPack:
        """What it was made of."""
        ...


class Renderer(Protocol):
    """Draws frames for all sessions of a process."""

    @property
    def name(self) -> str:
        """What draws: "puppet", or the kind of network."""
        ...

    @property
    def hears(self) -> Hearing:
        """The sound it wants with each `Moment`."""
        ...

    @property
    def workers(self) -> list[ModelWorker]:
        """The workers it draws with, for metrics."""
        ...

    async def prepare(self, pack: AvatarPack) -> Avatar:
        """Make a pack ready to be drawn, or find it ready. Takes up to a second; sessions may share the result."""
        ...

    async def render(self, avatar: Avatar, moment: Moment, *, deadline: float) -> Frame:
        """Draw one frame, needed at `deadline` on the monotonic clock.

        Raises `media.worker.WorkerFull` when the machine is behind: show the last frame, draw the next.
        """
        ...

    def close(self) -> None:
        """Stop the work; frames that wait fail with `media.worker.WorkerClosed`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PuppetAvatar:
    """A pack as the puppet draws it."""

    pack: AvatarPack
    puppet: Puppet


class PuppetRenderer:
    """`Renderer` for the puppet: about 4 ms of one core a frame. `threads`: cores it may use at once."""

    def __init__(self, *, threads: int = 1, capacity: int = 64) -> None:
        self._worker = ModelWorker("puppet", threads=threads, capacity=capacity)
        self._ready: OrderedDict[str, asyncio.Task[PuppetAvatar]] = OrderedDict()

    @property
    def name(self) -> str:
        """The puppet."""
        return "puppet"

    @property
    def hears(self) -> Hearing:
        """Nothing: the face's state says all."""
        return Hearing()

    @property
    def workers(self) -> list[ModelWorker]:
        """See `Renderer.workers`."""
        return [self._worker]

    async def prepare(self, pack: AvatarPack) -> PuppetAvatar:
        """See `Renderer.prepare`; the 32 packs used last are kept ready."""
        digest = pack.digest
        task = self._ready.get(digest)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(self._prepared(pack))
            self._ready[digest] = task
        self._ready.move_to_end(digest)
        while len(self._ready) > _AVATARS_KEPT:
            self._ready.popitem(last=False)
        return await asyncio.shield(task)

    async def render(self, avatar: Avatar, moment: Moment, *, deadline: float) -> Frame:
        """See `Renderer.render`."""
        puppet = puppet_of(avatar)
        return await self._worker.run(lambda: draw(puppet, moment.face), deadline=deadline)

    def close(self) -> None:
        """See `Renderer.close`."""
        self._worker.close()

    async def _prepared(self, pack: AvatarPack) -> PuppetAvatar:
        soon = time.monotonic() + 1.0
        return PuppetAvatar(pack, await self._worker.run(lambda: Puppet(pack), deadline=soon))


def puppet_of(avatar: Avatar) -> Puppet:
    """The puppet in an avatar that a `PuppetRenderer` prepared. Raises `TypeError` for any other."""
    if not isinstance(avatar, PuppetAvatar):
        raise TypeError(f"{type(avatar).__name__} was not prepared by a PuppetRenderer")
    return avatar.puppet


def draw(puppet: Puppet, face: FaceState) -> Frame:
    """One frame, at once, on this thread."""
    return to_frame(puppet.draw(face))


def to_frame(rgba: npt.NDArray[np.uint8]) -> Frame:
    """An RGBA picture as a frame; 0.2 ms."""
    return Frame(np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2YUV_I420), np.uint8))
