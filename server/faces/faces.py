"""The faces of a server: one renderer for all sessions, the avatars of agents, their posters."""

from __future__ import annotations

import asyncio
import io
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from PIL import Image

from media.avatar.audio_visemes.network import packaged_network
from media.avatar.driver import FaceDriver
from media.avatar.errors import AvatarError
from media.avatar.pack import AvatarPack, load_pack, pack_digest
from media.avatar.renderer import Avatar, Frame, Moment, Renderer
from media.worker import ModelWorker, WorkerClosed
from server.browser.agents import Poster
from server.browser.video import SpeechTimeline, VideoSource
from server.faces.live import LiveFace, Studio
from server.faces.options import FaceOptions
from server.faces.portraits import enrol_portraits
from server.faces.renderers import open_renderer

log = structlog.get_logger(__name__)

PackFolder = Callable[[str], Path | None]
"""The folder of an agent's avatar pack, by the agent's id; None where it has none."""

_POSTERS_KEPT: Final = 64
_POSTER_QUALITY: Final = 88
_TAG: Final = 16
"""Characters of a pack's digest that name its poster."""


class Faces:
    """Gives each session its face. Implements `server.browser.agents.Posters`; `open` is a `VideoFactory`.

    Configured agents' portraits are given to `start`; of all others `packs` is asked, anew for each session. `start`
    once, `close` once, both on the event loop; after `close` no face is drawn any more.
    """

    def __init__(self, options: FaceOptions, *, packs: PackFolder = lambda _agent_id: None) -> None:
        self._options = options
        self._folder_of = packs
        self._configured: dict[str, AvatarPack] = {}
        self._tags: dict[str, str] = {}
        self._renderer: Renderer | None = None
        self._closed = False
        self._seeds = itertools.count(1)
        self._posters: OrderedDict[str, Poster] = OrderedDict()

    async def start(self, portraits: Mapping[str, Path]) -> None:
        """Enrol these agents' portraits and open the renderer, so that no caller waits. Raises `AgentError`."""
        self._configured = await asyncio.to_thread(enrol_portraits, portraits, self._options.cache)
        self._tags = {agent_id: pack.digest[:_TAG] for agent_id, pack in self._configured.items()}
        await asyncio.to_thread(packaged_network)
        self._renderer = await open_renderer(self._options)
        for pack in self._configured.values():
            await self._renderer.prepare(pack)

    async def close(self) -> None:
        """Stop drawing. A second call does nothing."""
        if not self._closed and self._renderer is not None:
            self._closed = True
            await asyncio.to_thread(self._renderer.close)

    def has_face(self, agent_id: str) -> bool:
        """Whether this agent has an avatar."""
        return agent_id in self._configured or self._folder_of(agent_id) is not None

    def open(self, agent_id: str, timeline: SpeechTimeline) -> VideoSource | None:
        """The face of a session of this agent; None where it has no avatar."""
        if self._renderer is None or self._closed or not self.has_face(agent_id):
            return None
        options = self._options
        studio = Studio(self._renderer, options.renderer, options.side, 1.0 / options.frame_rate)
        return LiveFace(studio, partial(self._avatar, agent_id), timeline, seed=next(self._seeds))

    def poster_tag(self, agent_id: str) -> str | None:
        """See `Posters.poster_tag`."""
        if agent_id in self._tags:
            return self._tags[agent_id]
        folder = self._folder_of(agent_id)
        try:
            return None if folder is None else pack_digest(folder)[:_TAG]
        except AvatarError as error:
            log.warning("no poster", agent=agent_id, reason=str(error))
            return None

    async def poster(self, agent_id: str) -> Poster | None:
        """See `Posters.poster`: the face at rest, as a session's first picture shows it; WebP."""
        tag, renderer = self.poster_tag(agent_id), self._renderer
        if tag is None or renderer is None or self._closed:
            return None
        if tag not in self._posters:
            try:
                avatar = await self._avatar(agent_id)
                moment = Moment(FaceDriver().state(0.0))
                frame = await renderer.render(avatar, moment, deadline=time.monotonic() + 1.0)
            except (AvatarError, WorkerClosed) as error:
                log.warning("no poster", agent=agent_id, reason=str(error) or type(error).__name__)
                return None
            self._posters[tag] = Poster(await asyncio.to_thread(_webp, frame), "image/webp", tag)
        self._posters.move_to_end(tag)
        while len(self._posters) > _POSTERS_KEPT:
            self._posters.popitem(last=False)
        return self._posters[tag]

    def workers(self) -> list[ModelWorker]:
        """The workers that draw, for metrics."""
        return [] if self._renderer is None else self._renderer.workers

    async def _avatar(self, agent_id: str) -> Avatar:
        """An agent's avatar, ready to be drawn. Raises `AvatarError`, or a `WorkerError`."""
        assert self._renderer is not None  # noqa: S101 - asked only after `start`
        pack = self._configured.get(agent_id)
        if pack is None:
            folder = self._folder_of(agent_id)
            if folder is None:
                raise AvatarError(f"the avatar of {agent_id} is gone")
            pack = await asyncio.to_thread(load_pack, folder)
        return await self._renderer.prepare(pack)


def _webp(frame: Frame) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame.rgb()).save(buffer, "WEBP", quality=_POSTER_QUALITY)
    return buffer.getvalue()
