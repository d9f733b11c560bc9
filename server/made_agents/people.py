"""Everything that people make, put together: avatars, agents, their endpoints, and the sweeping after them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import BaseRoute

from agents.definition import AgentDefinition
from media import decoding
from media.speech.synthesis.voice import SynthesisVoice
from server.avatars import page as page_avatars
from server.avatars.library import AvatarLibrary
from server.avatars.page import PageAvatarOptions, PageAvatars
from server.avatars.studio import AvatarStudio
from server.browser.access import PageAccess, Visitor
from server.browser.agents import Posters
from server.database import Database
from server.made_agents.loaded import LoadedAgents
from server.made_agents.service import AgentService
from server.middleware import BodyBounds
from server.settings import Settings

SWEEP_SECONDS: Final = 600.0
BODIES: Final[Mapping[str, BodyBounds]] = {page_avatars.PATH: page_avatars.BODY}
"""Paths of ours that accept larger bodies than others; for `server.app.create_app`."""

log = structlog.get_logger(__name__)


class Host(Protocol):
    """What agents run on. `server.engine.Engine` implements it."""

    @property
    def people(self) -> LoadedAgents:
        """People's agents that are loaded."""
        ...

    def definitions(self) -> Mapping[str, AgentDefinition]:
        """The configured agents' definitions."""
        ...

    def voice_names(self) -> list[str]:
        """The voices that agents may have, by name."""
        ...

    async def voice(self, name: str | None = None) -> SynthesisVoice:
        """A voice, opened; None for the server's own."""
        ...


class People:
    """The owner of all of it.

    `start` once the host has started, `close` before it is closed, both on the event loop.
    """

    def __init__(self, settings: Settings, database: Database, host: Host) -> None:
        self._settings = settings
        self._host = host
        self.studio = AvatarStudio()
        self.library = AvatarLibrary(database, settings.data_dir / "avatars")
        self.agents = AgentService(
            database,
            self.library,
            host.people,
            configured=host.definitions,
            voices=lambda: packaged(host.voice_names()),
        )
        self._tasks: set[asyncio.Task[None]] = set()

    def page_routes(self, page: PageAccess, posters: Posters | None) -> list[BaseRoute]:
        """The page's avatar endpoints, to be mounted at the root."""
        web = self._settings.web
        options = PageAvatarOptions(web.public_avatars, web.avatars_per_address, web.avatars_kept_h, web.avatars_max)
        return PageAvatars(
            page,
            self.library,
            self.agents,
            self.studio,
            options,
            voice=self._voice_of,
            likeness=self._likeness,
            posters=posters,
        ).routes()

    def pack_of(self, agent_id: str) -> Path | None:
        """See `AgentService.pack_of`; for `server.faces.faces.Faces`."""
        return self.agents.pack_of(agent_id)

    async def start(self) -> None:
        """Begin to sweep, and to get ready for the first picture."""
        self._own(self._sweep())
        self._own(self._warm_up())

    async def close(self) -> None:
        """Stop, and finish what is being written. A second call does nothing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.library.close()
        await asyncio.to_thread(self.studio.close)
        await asyncio.to_thread(decoding.close)

    def _likeness(self, visitor: Visitor) -> str | None:
        """The configured agent that a visitor's is like: the server's own, or one that is open to this visitor."""
        own = self._settings.telephony.default_agent
        open_ones = [each for each in self._host.definitions() if visitor.agents is None or each in visitor.agents]
        return own if own in open_ones else next(iter(open_ones), None)

    async def _voice_of(self, agent_id: str) -> SynthesisVoice:
        return await self._host.voice(self._host.definitions()[agent_id].voice.name)

    async def _sweep(self) -> None:
        while True:
            try:
                await self.agents.sweep(datetime.now(UTC))
            except (SQLAlchemyError, OSError) as error:
                log.warning("could not sweep", reason=type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _warm_up(self) -> None:
        """Load what the first picture needs, so that it is as quick as the second."""
        try:
            await self.studio.warm_up()
        except Exception:  # then the first picture says what is wrong
            log.exception("the networks that find faces could not be loaded")

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def packaged(names: list[str]) -> list[str]:
    """Of the voices those that strangers may choose: by a name of ours, not by a path."""
    return [name for name in names if "/" not in name and not name.endswith(".onnx")]
