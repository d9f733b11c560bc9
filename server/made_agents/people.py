"""Everything that people make, put together: avatars, agents, their endpoints, and the sweeping after them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import BaseRoute

from agents.definition import AgentDefinition
from agents.llm.openai_compatible import ChatTimeouts, OpenAiCompatibleChat
from media import decoding
from media.speech.synthesis.voice import SynthesisVoice
from server.avatars import page as page_avatars
from server.avatars.library import AvatarLibrary
from server.avatars.page import PageAvatarOptions, PageAvatars
from server.avatars.studio import AvatarStudio
from server.browser.access import PageAccess, Visitor
from server.browser.agents import Posters
from server.database import Database
from server.fetching import Fetcher
from server.gate.registry import Endpoint
from server.made_agents.endpoints import AgentCreation
from server.made_agents.files import AgentFiles
from server.made_agents.generation import GenerationOptions, Generations
from server.made_agents.loaded import LoadedAgents
from server.made_agents.making import Maker
from server.made_agents.naming import Namer, asked_persona
from server.made_agents.service import AgentService
from server.middleware import BodyBounds
from server.renders.voices import voices_here
from server.settings import Settings
from server.signing import LinkSigner, SigningKey

SWEEP_SECONDS: Final = 600.0
IN_WORK: Final = 10
"""Agents in the making at once for an account."""
NAMING_SECONDS: Final = 15.0
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

    def __init__(self, settings: Settings, database: Database, host: Host, key: SigningKey, fetcher: Fetcher) -> None:
        self._settings = settings
        self._host = host
        self._fetcher = fetcher
        self._chat: OpenAiCompatibleChat | None = None
        self.studio = AvatarStudio()
        self.library = AvatarLibrary(database, settings.data_dir / "avatars")
        self.agents = AgentService(
            database,
            self.library,
            host.people,
            configured=host.definitions,
            voices=lambda: packaged(host.voice_names()),
        )
        self.files = AgentFiles(self.library, LinkSigner(key.derive("agent files")), settings.public_url)
        self.generations = Generations(
            database,
            self.library,
            self.studio,
            maker=Maker(self.studio, self._fetcher, self._voices, self._namer),
            folder=settings.data_dir / "agents",
            options=GenerationOptions(settings.prices.agent, IN_WORK, key.derive("home").hex()[:16]),
            voice=host.voice,
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

    def routes(self) -> list[BaseRoute]:
        """Files by signed links, to be mounted at the root."""
        return self.files.routes()

    def endpoints(self) -> list[Endpoint]:
        """The agent creation service, to be registered."""
        creation = AgentCreation(self.generations, self.agents, self.library, self.files, self._fetcher.policy)
        return creation.endpoints()

    def pack_of(self, agent_id: str) -> Path | None:
        """See `AgentService.pack_of`; for `server.faces.faces.Faces`."""
        return self.agents.pack_of(agent_id)

    async def start(self) -> None:
        """Go on with what a restart has interrupted; begin to sweep, and to get ready for the first picture."""
        await self.generations.start()
        self._own(self._sweep())
        self._own(self._warm_up())

    async def close(self) -> None:
        """Stop, and finish what is being written. A second call does nothing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.generations.close()
        await self.library.close()
        if self._chat is not None:
            await self._chat.close()
        await asyncio.to_thread(self.studio.close)
        await asyncio.to_thread(decoding.close)

    def _likeness(self, visitor: Visitor) -> str | None:
        """The configured agent that a visitor's is like: the server's own, or one that is open to this visitor."""
        own = self._settings.telephony.default_agent
        open_ones = [each for each in self._host.definitions() if visitor.agents is None or each in visitor.agents]
        return own if own in open_ones else next(iter(open_ones), None)

    def _voices(self) -> list[str]:
        """The voices that an agent may get: those of the server's own language."""
        here = voices_here(self._settings.tts.voice)
        return [name for name in here.offered if here.language_of(name) == here.default_language]

    def _namer(self) -> Namer | None:
        """The language model that names agents, where there is one that can."""
        llm = self._settings.llm
        if llm.base_url is None:
            return None
        if self._chat is None:
            timeouts = ChatTimeouts(first_token=NAMING_SECONDS, total=NAMING_SECONDS)
            key = llm.api_key.get_secret_value()
            self._chat = OpenAiCompatibleChat(llm.base_url, llm.model, api_key=key, timeouts=timeouts, max_tokens=200)
        return partial(asked_persona, model=self._chat)

    async def _voice_of(self, agent_id: str) -> SynthesisVoice:
        return await self._host.voice(self._host.definitions()[agent_id].voice.name)

    async def _sweep(self) -> None:
        while True:
            try:
                now = datetime.now(UTC)
                await self.agents.sweep(now)
                await self.generations.sweep(now)
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
