"""The families' endpoints behind the real gate, with jobs in a real database and faces that are drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import numpy as np
from PIL import Image

from media.avatar.errors import PortraitRefused, Refusal
from media.avatar.pack import AvatarPack
from media.decoding import Kind, Picture, sniff
from server.agents import Agent
from server.avatars.library import AvatarLibrary
from server.avatars.records import AvatarRecord
from server.calling.calling import Calling
from server.credits import ledger
from server.database import Database, create_account, create_key
from server.families.avatars import Avatars
from server.families.desk import Desk
from server.families.do_not_call import DoNotCallList
from server.families.generation import LocalEngines
from server.families.phone_calls import PhoneCalls
from server.families.phone_numbers import PhoneNumbers
from server.families.talking_videos import TalkingVideos
from server.families.videos import Videos
from server.families.voice_agents import VoiceAgents
from server.fetching import Fetched, FetchError, FetchProblem, UrlPolicy
from server.gate.registry import Endpoint
from server.jobs import durable
from server.jobs.claims import Claims
from server.jobs.compose import assemble
from server.jobs.desk import JobDesk
from server.jobs.handlers import JobResult, StoredFile
from server.jobs.states import JobView
from server.jobs.store import find
from server.made_agents.loaded import LoadedAgents
from server.made_agents.records import AgentRecord
from server.made_agents.service import AgentService
from server.owners import Owner
from server.platform.engines import Engines
from server.platform.generation import GenerationDesk
from server.renders.kinds import RENDERS
from server.renders.voices import Voices
from server.settings import Settings
from server.settings.platform import ModelSettings, PriceSettings
from server.storage import Storage
from server.webhooks.desk import WebhookDesk
from tests.media.avatar.faces import drawn_pack
from tests.server.calling.here import Here

CREDITS = 10_000
MOST_ACTIVE = 6
"""Jobs under way at once."""
PRICES = PriceSettings(content=300, avatar_video=260, talking_video=200)
VOICES = Voices(("piper-joe", "kokoro:af_heart", "kokoro:ef_dora"), "piper-joe")


def png(width: int = 300, height: int = 300) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class DrawnStudio:
    """Finds the drawn face in every picture, or refuses it."""

    refusal: str = ""

    async def enrol(self, picture: Picture, name: str, *, within: float) -> AvatarPack:
        if self.refusal:
            raise PortraitRefused(Refusal.NO_FACE, self.refusal)
        return drawn_pack(name=name)

    async def run(self, work: Callable[[], bytes], *, within: float) -> bytes:
        return work()


@dataclass
class Pages:
    """What URLs lead to."""

    content: dict[str, bytes] = field(default_factory=dict)

    async def __call__(self, url: str) -> Fetched:
        if url not in self.content:
            raise FetchError(FetchProblem.REFUSED, "The server answered 404.")
        data = self.content[url]
        kind: Kind = sniff(data)
        return Fetched(kind, len(data), url, data=data)


async def _no_agent(record: AgentRecord) -> Agent:
    raise AssertionError(f"{record.id} is not to be talked to here")


class World:
    """All of it, and an account that orders things."""

    def __init__(self, settings: Settings, database: Database, *, small_writer: bool = False) -> None:
        self.database = database
        durable.prepare(settings.database_url)
        self.files = Storage.of(settings, database)
        self.parts = assemble(settings, database, RENDERS, self.files.sign)
        self.claims = Claims(self.parts.jobs, self.parts.queue)
        self.library = AvatarLibrary(database, settings.data_dir / "avatars")
        self.studio, self.pages = DrawnStudio(), Pages()
        self.desk = Desk(self.parts.jobs, self.files.sign, PRICES.of, UrlPolicy(), lambda: VOICES)
        self.videos = Videos(self.desk, self.library, small_writer=small_writer)
        self.agents = AgentService(
            database, self.library, LoadedAgents(_no_agent, 1), configured=dict, voices=lambda: VOICES.offered
        )
        self.here = Here()
        self.calling = Calling(settings, database, configured=lambda: ["demo"], live=self.here, files=self.files)
        self.account = database.run_here(create_account, "tests", plan="enterprise", credits=CREDITS)
        self.headers = {"authorization": f"Bearer {database.run_here(create_key, 'tests', self.account).secret}"}

    def endpoints(self) -> list[Endpoint]:
        avatars = Avatars(self.desk, self.library, self.studio, fetch=self.pages, files=self.files)
        engines = Engines(ModelSettings())
        LocalEngines(self.desk).register(engines)
        generation = GenerationDesk(PRICES, engines, UrlPolicy())
        people = VoiceAgents(self.desk, self.agents, models=["large-model"])
        jobs = JobDesk(self.parts.jobs, self.files.sign)
        hooks = WebhookDesk(self.parts.deliveries, UrlPolicy())
        phone = (
            PhoneCalls(self.calling.dialler, self.here, sign=self.files.sign, configured=self.calling.configured),
            PhoneNumbers(self.calling.numbers),
            DoNotCallList(),
        )
        parts = (avatars, self.videos, TalkingVideos(self.desk, self.files), generation, people, jobs, hooks, *phone)
        return [endpoint for part in parts for endpoint in part.endpoints()]

    async def avatar(self, account: str | None = None, voice: str | None = None) -> AvatarRecord:
        """An avatar of an account."""
        picture = np.full((64, 64, 3), 128, np.uint8)
        owner = Owner(account=account or self.account)
        return await self.library.add(drawn_pack(name="Anna"), picture, owner, source_hash="a" * 64, voice=voice)

    def stranger(self) -> dict[str, str]:
        """The headers of another account."""
        other = self.database.run_here(create_account, "other", plan="enterprise", credits=CREDITS)
        return {"authorization": f"Bearer {self.database.run_here(create_key, 'other', other).secret}"}

    def job(self, job_id: str) -> JobView:
        found = self.database.run_here(find, self.account, job_id)
        assert found is not None
        return found

    def store(self, key: str, account: str | None = None) -> None:
        """A file of an account."""
        self.files.put(key, b"content", media_type="video/mp4", account_id=account or self.account)

    def opened(self, url: object) -> str:
        """The key of the file that a signed URL opens now."""
        parts = urlsplit(str(url))
        query = dict(parse_qsl(parts.query))
        key = parts.path.removeprefix("/files/")
        assert self.files.urls.opens(key, query["expires"], query["signature"]), url
        return key

    def balance(self) -> int:
        return self.database.run_here(ledger.balance, self.account)

    def complete(self, job_id: str, keys: list[str], metadata: dict[str, Any]) -> None:
        """What a worker does with a job."""
        claim = self.database.run_here(self.claims.claim, job_id, f"{job_id}.0", "worker")
        assert claim is not None
        outputs = tuple(StoredFile(key, "video/mp4" if key.endswith("mp4") else "image/webp") for key in keys)
        assert self.database.run_here(self.claims.complete, job_id, claim.attempt, JobResult(outputs, metadata))

    def fail(self, job_id: str, text: str) -> None:
        """The same where it cannot be done."""
        claim = self.database.run_here(self.claims.claim, job_id, f"{job_id}.0", "worker")
        assert claim is not None
        assert self.database.run_here(self.claims.fail, job_id, claim.attempt, text, "FAILED")


@dataclass
class Client:
    """The account's client."""

    http: httpx.AsyncClient
    world: World

    async def post(self, path: str, **more: Any) -> httpx.Response:
        more.setdefault("headers", self.world.headers)
        return await self.http.post(path, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        more.setdefault("headers", self.world.headers)
        return await self.http.get(path, **more)
