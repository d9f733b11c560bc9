"""The families' endpoints behind the real gate, with jobs in a real database and faces that are drawn."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from media.avatar.errors import PortraitRefused, Refusal
from media.avatar.pack import AvatarPack
from media.decoding import Kind, Picture, sniff
from server.avatars.library import AvatarLibrary
from server.avatars.records import AvatarRecord
from server.credits import ledger
from server.database import Database, create_account, create_key
from server.families.avatars import Avatars
from server.families.desk import Desk
from server.families.talking_videos import TalkingVideos
from server.families.videos import Videos
from server.fetching import Fetched, FetchError, FetchProblem, UrlPolicy
from server.gate.registry import Endpoint
from server.jobs import durable
from server.jobs.claims import Claims
from server.jobs.compose import assemble
from server.jobs.handlers import JobResult, StoredFile
from server.jobs.states import JobView
from server.jobs.store import find
from server.owners import Owner
from server.renders.kinds import RENDERS
from server.renders.voices import Voices
from server.settings import Settings
from tests.media.avatar.faces import drawn_pack

CREDITS = 10_000
PRICES = {"content": 300, "avatar_video": 250, "talking_video": 200}
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


class KeptFiles:
    """Files in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, source: Path, *, media_type: str, account_id: str) -> None:
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)

    def sign(self, key: str) -> str:
        return f"https://files.example/{key}?signed"


class World:
    """All of it, and an account that orders things."""

    def __init__(self, settings: Settings, database: Database, *, small_writer: bool = False) -> None:
        self.database = database
        durable.prepare(settings.database_url)
        self.files = KeptFiles(settings.data_dir / "files")
        self.parts = assemble(settings, database, RENDERS, self.files.sign)
        self.claims = Claims(self.parts.jobs, self.parts.queue)
        self.library = AvatarLibrary(database, settings.data_dir / "avatars")
        self.studio, self.pages = DrawnStudio(), Pages()
        self.desk = Desk(self.parts.jobs, self.files.sign, PRICES.__getitem__, UrlPolicy(), lambda: VOICES)
        self.videos = Videos(self.desk, self.library, small_writer=small_writer)
        self.account = database.run_here(create_account, "tests", plan="enterprise", credits=CREDITS)
        self.headers = {"authorization": f"Bearer {database.run_here(create_key, 'tests', self.account).secret}"}

    def endpoints(self) -> list[Endpoint]:
        avatars = Avatars(self.desk, self.library, self.studio, fetch=self.pages, files=self.files)
        return [*avatars.endpoints(), *self.videos.endpoints(), *TalkingVideos(self.desk).endpoints()]

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
