"""The families' endpoints, put together."""

from __future__ import annotations

import functools
from typing import Protocol

from server.avatars.library import AvatarLibrary
from server.avatars.studio import AvatarStudio
from server.calling.calling import Calling
from server.families import avatars
from server.families.avatars import Avatars
from server.families.campaigns import Campaigns
from server.families.desk import Desk
from server.families.do_not_call import DoNotCallList
from server.families.generation import LocalEngines
from server.families.phone_calls import PhoneCalls
from server.families.phone_numbers import PhoneNumbers
from server.families.recordings import CallRecordings
from server.families.talking_videos import TalkingVideos
from server.families.videos import Videos
from server.families.voice_agents import VoiceAgents
from server.fetching import Fetched, Fetcher
from server.gate.registry import Endpoint
from server.jobs.jobs import Jobs
from server.made_agents.service import AgentService
from server.platform.engines import Engines
from server.renders.voices import voices_here
from server.settings import Settings
from server.storage import Storage


class MadeThings(Protocol):
    """What people make. `server.made_agents.people.People` implements it."""

    library: AvatarLibrary
    studio: AvatarStudio
    agents: AgentService


class Families:
    """F1, F5, and of F2 the voice agents, their calls, and the engines of voices and talking heads.

    `fetcher`: gets what users' URLs name.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        jobs: Jobs,
        files: Storage,
        made: MadeThings,
        fetcher: Fetcher,
        calling: Calling,
    ) -> None:
        self._fetcher = fetcher
        voices = functools.cache(lambda: voices_here(settings.tts.voice))
        desk = Desk(jobs, files.sign, settings.prices.of, fetcher.policy, voices)
        llm = settings.llm
        self._engines = LocalEngines(desk)
        self._parts = (
            Avatars(desk, made.library, made.studio, fetch=self._picture, files=files),
            Videos(desk, made.library, small_writer=not llm.base_url),
            TalkingVideos(desk, files),
            VoiceAgents(
                desk,
                made.agents,
                models=[name for name in (llm.model, llm.fallback_model) if llm.base_url and name],
            ),
            PhoneCalls(calling.dialler, calling.live, sign=files.sign, configured=calling.configured),
            PhoneNumbers(calling.numbers),
            DoNotCallList(),
            Campaigns(settings, calling.owners),
            CallRecordings(files),
        )

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [endpoint for part in self._parts for endpoint in part.endpoints()]

    def register(self, engines: Engines) -> None:
        """Serve the models of voices and talking heads from now on."""
        self._engines.register(engines)

    async def _picture(self, url: str) -> Fetched:
        return await self._fetcher.fetch(
            url, max_bytes=avatars.MAX_BYTES, max_seconds=avatars.FETCH_S, kinds=("image",)
        )
