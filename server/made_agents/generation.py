"""Agents in the making: ordered and paid in one transaction, made in the background, ready or failed in another.

The row is the order: as long as its status is processing, the server that took it makes it, also after a restart. Files
that came with the request lie in a folder of the agent's own until it is made. Credits are settled or given back in the
transaction that changes the status, so both happen once.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from media.channel import Channel, ChannelClosed, ChannelFull, WhenFull
from media.speech.protocols import Voice
from server.avatars.library import AvatarLibrary
from server.avatars.preview import film, speak
from server.avatars.records import new_avatar_id
from server.avatars.studio import NOBODY_WAITS, AvatarStudio
from server.credits import ledger
from server.database import Database
from server.database.tables import MadeAgent
from server.made_agents.making import FETCHED, Made, Maker, NotMade, TryAgain
from server.made_agents.naming import persona_of
from server.made_agents.records import (
    AgentRecord,
    agent_by_id,
    agents_in_work,
    change_agent,
    insert_agent,
    new_short_id,
)
from server.made_agents.sources import KINDS, Sources
from server.owners import Owner

WAITING: Final = 256
"""Agents in the making at most, of all accounts."""
AT_ONCE: Final = 2
ATTEMPTS: Final = 4
PAUSES: Final = (2.0, 15.0, 60.0)
"""Seconds before each further attempt."""
ATTEMPT_SECONDS: Final = 240.0
GIVEN_UP: Final = timedelta(hours=1)
"""After so long an agent in the making is one whose server is gone for good."""
OUR_FAULT: Final = "The agent could not be made because of a fault of the server. Please try again later."
ITEM: Final = "agent"
"""What the account's usage counts it as."""

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class TooManyInWork(Exception):
    """So many agents are in the making that one more has to wait; the text says whose."""


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """`price`: credits of one agent. `per_account`: agents in the making at once for an account.

    `home`: names this server's data folder, where its orders' files lie.
    """

    price: int
    per_account: int
    home: str


class Generations:
    """Takes orders and makes them. `start` and `close` once, on the event loop.

    `voice` opens a voice by its name, None for the server's own.
    """

    def __init__(
        self,
        database: Database,
        library: AvatarLibrary,
        studio: AvatarStudio,
        *,
        maker: Maker,
        folder: Path,
        options: GenerationOptions,
        voice: Callable[[str | None], Awaitable[Voice]],
    ) -> None:
        self._database = database
        self._library = library
        self._studio = studio
        self._maker = maker
        self._folder = folder
        self._options = options
        self._voice = voice
        self._orders: Channel[str] = Channel(WAITING, WhenFull.REFUSE)
        self._files = ThreadPoolExecutor(1, "agent-files")
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Go on with what a restart has interrupted, and begin to take orders."""
        for record in await self._database.run(agents_in_work):
            if record.source.get("home") == self._options.home:
                self._enqueue(record.id)
        for _ in range(AT_ONCE):
            self._own(self._serve())

    async def close(self) -> None:
        """Stop; what is not done is gone on with at the next start."""
        self._orders.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._files.shutdown)

    # Orders

    async def prepare(self, owner: Owner, sources: Sources) -> AgentRecord:
        """An order, its files on disk; to be given to `order` and `begin`, or to `discard`. Raises `OSError`."""
        now = datetime.now(UTC)
        record = AgentRecord(
            id=new_short_id(),
            owner=owner,
            name=persona_of(sources.prompt).name,
            status="processing",
            definition={"system_prompt": sources.prompt} if sources.prompt else {},
            created=now,
            updated=now,
            # The face's id is chosen now, so that an attempt finds what one before it has left.
            source={**sources.as_json(), "home": self._options.home, "attempts": 0, "avatar": new_avatar_id()},
        )
        await self.on_disk(sources.save, self._folder / record.id)
        return record

    def order(self, session: Session, record: AgentRecord) -> None:
        """Take the credits and note the order, all or nothing.

        Raises `TooManyInWork`, or `server.credits.InsufficientCredits`.
        """
        account = record.owner.account
        in_work = select(func.count()).select_from(MadeAgent).where(MadeAgent.status == "processing")
        if (session.scalar(in_work) or 0) >= WAITING:
            raise TooManyInWork("Too many agents are being made on this server")
        if (session.scalar(in_work.where(MadeAgent.account_id == account)) or 0) >= self._options.per_account:
            raise TooManyInWork(f"{self._options.per_account} of your agents are being made")
        insert_agent(session, record)
        ledger.reserve(session, account or "", self._options.price, job_id=record.id, item=ITEM)

    def begin(self, record: AgentRecord) -> None:
        """Make it, now that it is ordered."""
        self._enqueue(record.id)

    async def discard(self, record: AgentRecord) -> None:
        """It was not ordered after all."""
        await self.on_disk(self._clear, record.id, whole=True)

    async def sweep(self, now: datetime) -> None:
        """Fail the orders of servers that are gone, and remove the files of agents that are not there any more."""
        for record in await self._database.run(agents_in_work):
            if now - record.created > GIVEN_UP:
                await self._fail(record.id, OUR_FAULT)
        before = now.timestamp() - GIVEN_UP.total_seconds()
        for name in await self.on_disk(self._old_folders, before):
            if await self._database.run(agent_by_id, name) is None:
                await self.on_disk(self._clear, name, whole=True)

    async def on_disk(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Run what reads, writes or takes long on a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._files, lambda: work(*given, **named))

    # Making

    async def _serve(self) -> None:
        while True:
            try:
                agent_id = await self._orders.get()
            except ChannelClosed:
                return
            try:
                await self._attempt(agent_id)
            except Exception:  # the database is away: the next start, or the sweep, sees to this one
                log.exception("an agent in the making was left", agent=agent_id)

    async def _attempt(self, agent_id: str) -> None:
        record = await self._database.run(_begun, agent_id)
        if record is None:
            return
        attempt = int(record.source["attempts"])
        if attempt > ATTEMPTS:  # it has ended the whole server more than once
            await self._fail(agent_id, OUR_FAULT)
            return
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await self._make(record)
        except NotMade as error:
            await self._fail(agent_id, str(error))
        except Exception as error:
            ours = not isinstance(error, TryAgain)
            if ours:
                log.exception("an agent could not be made", agent=agent_id, attempt=attempt)
            if attempt >= ATTEMPTS:
                await self._fail(agent_id, OUR_FAULT if ours else str(error))
            else:
                self._own(self._again(agent_id, PAUSES[min(attempt, len(PAUSES)) - 1]))

    async def _make(self, record: AgentRecord) -> None:
        began = time.monotonic()
        folder = self._folder / record.id
        if not all((folder / kind).is_file() for kind in record.source["files"]):
            raise NotMade("The files that were sent are lost. Please send them again.")
        made = await self._maker.make(record.source["prompt"], record.source["urls"], folder)
        await self._library.delete(record.source["avatar"])
        avatar = await self._library.add(
            made.pack,
            made.picture,
            record.owner,
            source_hash=made.source_hash,
            voice=made.voice,
            avatar_id=record.source["avatar"],
        )
        kept = False
        try:
            await self._film(avatar.id, made)
            fields = {
                "status": "ready",
                "name": made.name,
                "definition": made.definition,
                "avatar_id": avatar.id,
                "voice": made.voice,
                "source": {"prompt": record.source["prompt"]},
            }
            kept = await self._database.run(_finish, record.id, fields)
        finally:
            if not kept:
                await asyncio.shield(self._library.delete(avatar.id))
        await self.on_disk(self._clear, record.id, whole=False)
        log.info("an agent was made", agent=record.id, voice=made.voice, seconds=round(time.monotonic() - began, 1))

    async def _film(self, avatar_id: str, made: Made) -> None:
        """The film in which the agent greets. It can do without, so its failures are only logged."""
        try:
            voice = await self._voice(made.voice)
            speech = await speak(voice, made.definition["greeting"], within=NOBODY_WAITS)
            path = self._library.preview(avatar_id)
            await self._studio.run(lambda: film(made.pack, speech, path), within=NOBODY_WAITS)
            await self._library.note_preview(avatar_id)
        except Exception:  # whatever voice, encoder or disk may raise
            log.exception("a new agent could not be filmed", avatar=avatar_id)

    async def _fail(self, agent_id: str, text: str) -> None:
        record = await self._database.run(agent_by_id, agent_id)
        fields = {"status": "failed", "error_message": text}
        if record is not None and await self._database.run(_finish, agent_id, fields):
            await self._library.delete(record.source["avatar"])
            log.info("an agent was not made", agent=agent_id, reason=text)
        await self.on_disk(self._clear, agent_id, whole=True)

    async def _again(self, agent_id: str, pause: float) -> None:
        await asyncio.sleep(pause)
        self._enqueue(agent_id)

    def _enqueue(self, agent_id: str) -> None:
        try:
            self._orders.put_nowait(agent_id)
        except (ChannelFull, ChannelClosed):  # its row is still there: the next start goes on with it
            log.warning("an agent in the making has to wait for a restart", agent=agent_id)

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # On the files' thread

    def _clear(self, agent_id: str, *, whole: bool) -> None:
        """Remove what an agent was made of; the voice's reference stays unless all of it is to go."""
        folder = self._folder / agent_id
        if whole:
            shutil.rmtree(folder, ignore_errors=True)
            return
        shutil.rmtree(folder / FETCHED, ignore_errors=True)
        for kind in KINDS:
            (folder / kind).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is a reference in it
            folder.rmdir()

    def _old_folders(self, before: float) -> list[str]:
        if not self._folder.is_dir():
            return []
        return [path.name for path in self._folder.iterdir() if path.is_dir() and path.stat().st_mtime < before]


def _begun(session: Session, agent_id: str) -> AgentRecord | None:
    """Count an attempt; None where there is nothing to make any more."""
    row = session.get(MadeAgent, agent_id, with_for_update=True)
    if row is None or row.status != "processing":
        return None
    source: dict[str, Any] = {**row.source, "attempts": int(row.source.get("attempts", 0)) + 1}
    return change_agent(session, agent_id, only="processing", source=source)


def _finish(session: Session, agent_id: str, fields: dict[str, Any]) -> bool:
    """End an order and its payment; whether it was still open."""
    if change_agent(session, agent_id, only="processing", **fields) is None:
        return False
    if fields["status"] == "ready":
        ledger.settle(session, agent_id)
    else:
        ledger.refund(session, agent_id)
    return True
