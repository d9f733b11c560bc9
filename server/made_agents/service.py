"""Agents that people make: created, found by those who may talk to them, changed and removed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.exc import IntegrityError

from agents.definition import AgentDefinition, AgentError
from server.avatars.library import AvatarLibrary
from server.browser.agents import AgentCard
from server.database import Database
from server.made_agents.definition import checked, definition_of, first_words
from server.made_agents.loaded import LoadedAgents
from server.made_agents.records import (
    AgentRecord,
    agent_by_id,
    agents_for,
    agents_of,
    change_agent,
    insert_agent,
    new_agent_id,
    remove_agent,
    remove_agents_with,
    remove_expired_agents,
)
from server.owners import Asker, Owner

FACES_KNOWN: Final = 10_000
"""Agents whose face is remembered; each takes part in a list or a call before its face is asked for."""

log = structlog.get_logger(__name__)


class AgentService:
    """The agents of accounts and of the page's visitors.

    `loaded` are those that can be talked to now; `configured` are the definitions of the settings' folder, `voices` the
    names of the voices that may be chosen.
    """

    def __init__(
        self,
        database: Database,
        library: AvatarLibrary,
        loaded: LoadedAgents,
        *,
        configured: Callable[[], Mapping[str, AgentDefinition]],
        voices: Callable[[], Collection[str]],
    ) -> None:
        self._database = database
        self._library = library
        self._loaded = loaded
        self._configured = configured
        self._voices = voices
        self._faces: OrderedDict[str, str | None] = OrderedDict()

    # Making and changing

    async def create_agent(
        self,
        owner: Owner,
        fields: Mapping[str, Any],
        *,
        name: str,
        avatar_id: str | None = None,
        voice: str | None = None,
        based_on: str | None = None,
        expires: datetime | None = None,
    ) -> AgentRecord:
        """Make an agent that can be talked to at once.

        `fields` are those of `AgentDefinition` (see `server.made_agents.definition`), with `based_on` only what differs
        from that agent of the settings' folder. Raises `DefinitionRefused`, or `LookupError` where the avatar
        is not there or not the owner's.
        """
        if based_on is None:
            checked({"name": name, **fields, **({"voice": {"name": voice}} if voice else {})}, self._voices())
        if avatar_id is not None:
            avatar = await self._library.get(avatar_id)
            if avatar is None or avatar.owner != owner:
                raise LookupError("there is no such avatar")
        now = datetime.now(UTC)
        record = AgentRecord(
            id=new_agent_id(),
            owner=owner,
            name=name,
            status="ready",
            definition=dict(fields),
            created=now,
            updated=now,
            based_on=based_on,
            avatar_id=avatar_id,
            voice=voice,
            expires=expires,
        )
        definition_of(record, self._configured())
        try:
            await self._database.run(insert_agent, record)
        except IntegrityError as error:  # the avatar was deleted this very moment
            raise LookupError("there is no such avatar") from error
        return record

    async def change(self, agent_id: str, **fields: Any) -> AgentRecord | None:
        """Set fields of a row; sessions that begin from now on have the agent as it is then."""
        return await self._database.run(lambda session: change_agent(session, agent_id, **fields))

    async def delete(self, agent_id: str) -> None:
        """Remove an agent. Its sessions go on to their end; its avatar is kept."""
        await self._database.run(remove_agent, agent_id)
        self._forget(agent_id)

    async def delete_with_avatar(self, avatar_id: str) -> None:
        """Remove an avatar of the page's visitor and the agents that were made with it."""
        for agent_id in await self._database.run(remove_agents_with, avatar_id):
            self._forget(agent_id)
        await self._library.delete(avatar_id)

    async def sweep(self, now: datetime) -> None:
        """Remove what was kept for a time that is over."""
        for agent_id in await self._database.run(remove_expired_agents, now):
            self._forget(agent_id)
        await self._library.sweep()

    # Finding

    async def get(self, agent_id: str, owner: Owner) -> AgentRecord | None:
        """Somebody's own agent, whatever its status."""
        record = await self._database.run(agent_by_id, agent_id)
        return record if record is not None and record.owner == owner else None

    async def of(self, owner: Owner) -> list[AgentRecord]:
        """What somebody has made, the newest first, at most 100."""
        return await self._database.run(agents_of, owner)

    async def cards(self, asker: Asker) -> Sequence[AgentCard]:
        """What somebody sees of the agents that it may talk to, beside the configured ones."""
        return [self._card(record) for record in await self._database.run(agents_for, asker)]

    async def card(self, agent_id: str, asker: Asker) -> AgentCard | None:
        """The same of one agent."""
        records = await self._database.run(agents_for, asker, agent_id)
        return self._card(records[0]) if records else None

    async def admits(self, agent_id: str, asker: Asker) -> bool:
        """Whether somebody may talk to this agent; if so, it is loaded now."""
        records = await self._database.run(agents_for, asker, agent_id)
        return bool(records) and await self._load(records[0])

    async def load(self, agent_id: str) -> bool:
        """Load an agent whose caller was admitted; whether it is still there."""
        record = await self._database.run(agent_by_id, agent_id)
        return record is not None and record.status == "ready" and await self._load(record)

    def pack_of(self, agent_id: str) -> Path | None:
        """Where the pack of an agent's face lies; None where it has none. For agents that were listed or loaded."""
        avatar_id = self._faces.get(agent_id)
        return None if avatar_id is None else self._library.pack(avatar_id)

    def know(self, record: AgentRecord) -> None:
        """Remember whose face an agent has, for `pack_of`."""
        self._faces[record.id] = record.avatar_id
        self._faces.move_to_end(record.id)
        while len(self._faces) > FACES_KNOWN:
            self._faces.popitem(last=False)

    async def _load(self, record: AgentRecord) -> bool:
        try:
            await self._loaded.load(record)
        except AgentError as error:
            log.warning("an agent cannot be loaded", agent=record.id, reason=str(error))
            return False
        self.know(record)
        return True

    def _card(self, record: AgentRecord) -> AgentCard:
        self.know(record)
        language, greeting = first_words(record, self._configured())
        return AgentCard(record.id, record.name, language, greeting)

    def _forget(self, agent_id: str) -> None:
        self._faces.pop(agent_id, None)
        self._loaded.forget(agent_id)
