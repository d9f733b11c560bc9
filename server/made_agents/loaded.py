"""People's agents that are loaded now: a bounded number of them, the one not used longest is let go first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from media.worker import WorkerError
from server.agents import Agent
from server.made_agents.records import AgentRecord

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Entry:
    """An agent, when its row was changed last, and the sessions that hold it."""

    updated: datetime
    loading: asyncio.Task[Agent]
    sessions: set[str] = field(default_factory=set)
    dropped: bool = False


class LoadedAgents:
    """Agents by id. An agent is closed when it is let go and no session holds it any more.

    `load` makes an agent of its record. `close` waits for what is being closed; sessions are to be over by then.
    """

    def __init__(self, load: Callable[[AgentRecord], Awaitable[Agent]], capacity: int) -> None:
        self._load = load
        self._capacity = capacity
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._held: dict[str, _Entry] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._preparing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def load(self, record: AgentRecord) -> Agent:
        """The agent of this record, loaded anew where its row has changed. Raises what `load` raises."""
        entry = self._entries.get(record.id)
        if entry is None or entry.updated != record.updated:
            self.forget(record.id)
            entry = _Entry(record.updated, asyncio.get_running_loop().create_task(self._loaded(record)))
            self._entries[record.id] = entry
        self._entries.move_to_end(record.id)
        while len(self._entries) > self._capacity:
            self.forget(next(iter(self._entries)))
        try:
            return await asyncio.shield(entry.loading)
        except Exception:
            if self._entries.get(record.id) is entry:
                del self._entries[record.id]
            raise

    def get(self, agent_id: str) -> Agent:
        """An agent to look at; whoever keeps it holds it. Raises `KeyError` where it is not loaded."""
        return self._ready(agent_id).loading.result()

    def hold(self, agent_id: str, session_id: str) -> Agent:
        """The agent for a session, which `release` ends. Raises `KeyError` where it is not loaded."""
        entry = self._ready(agent_id)
        self._entries.move_to_end(agent_id)
        entry.sessions.add(session_id)
        self._held[session_id] = entry
        return entry.loading.result()

    def release(self, session_id: str) -> None:
        """The session is over; one that holds no agent is not minded."""
        entry = self._held.pop(session_id, None)
        if entry is not None:
            entry.sessions.discard(session_id)
            if entry.dropped and not entry.sessions:
                self._own(self._close(entry))

    def forget(self, agent_id: str) -> None:
        """Let an agent go: it was changed or removed, or there is no room."""
        entry = self._entries.pop(agent_id, None)
        if entry is not None:
            entry.dropped = True
            if not entry.sessions:
                self._own(self._close(entry))

    async def close(self) -> None:
        """Let all go; returns when they are closed."""
        self._closed = True
        for task in self._preparing:
            task.cancel()
        for agent_id, entry in list(self._entries.items()):
            entry.loading.cancel()
            self.forget(agent_id)
        for session_id in list(self._held):
            self.release(session_id)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ready(self, agent_id: str) -> _Entry:
        entry = self._entries.get(agent_id)
        if entry is None or not entry.loading.done() or entry.loading.cancelled() or entry.loading.exception():
            raise KeyError(agent_id)
        return entry

    async def _loaded(self, record: AgentRecord) -> Agent:
        agent = await self._load(record)
        if not self._closed:
            self._own(self._prepare(agent), self._preparing)
        return agent

    async def _prepare(self, agent: Agent) -> None:
        """Speak its phrases ahead, behind everything that somebody waits for."""
        try:
            await agent.prepare()
        except WorkerError as error:
            log.info("phrases were not prepared", agent=agent.id, reason=type(error).__name__)
        except Exception:  # its phrases are spoken when they are needed
            log.exception("phrases were not prepared", agent=agent.id)

    async def _close(self, entry: _Entry) -> None:
        await asyncio.wait([entry.loading])  # not cancelled: others may be waiting for it
        if not entry.loading.cancelled() and entry.loading.exception() is None:
            await entry.loading.result().close()

    def _own(self, work: Coroutine[None, None, None], group: set[asyncio.Task[None]] | None = None) -> None:
        task = asyncio.get_running_loop().create_task(work)
        for owner in (self._tasks, group):
            if owner is not None:
                owner.add(task)
                task.add_done_callback(owner.discard)
