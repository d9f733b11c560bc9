"""People's agents in memory: loaded once, held by sessions, let go when there is no room."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.definition import AgentError
from server.made_agents.loaded import LoadedAgents
from server.made_agents.records import AgentRecord
from server.owners import Owner

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class FakeAgent:
    """What of `server.agents.Agent` is used here."""

    def __init__(self, agent_id: str) -> None:
        self.id = agent_id
        self.prepared = False
        self.closed = False

    async def prepare(self) -> None:
        self.prepared = True

    async def close(self) -> None:
        assert not self.closed
        self.closed = True


class Loader:
    """Makes them; waits until `go` is set, fails while `broken`."""

    def __init__(self) -> None:
        self.made: list[FakeAgent] = []
        self.go = asyncio.Event()
        self.go.set()
        self.broken = False

    async def __call__(self, record: AgentRecord) -> Any:
        await self.go.wait()
        if self.broken:
            raise AgentError("its voice is gone")
        self.made.append(FakeAgent(record.id))
        return self.made[-1]


def record(agent_id: str, updated: datetime = NOW) -> AgentRecord:
    return AgentRecord(agent_id, Owner(visitor="v"), "Ada", "ready", {}, NOW, updated)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_who_ask_at_once_load_it_once_and_its_phrases_are_spoken_ahead() -> None:
    loader = Loader()
    loader.go.clear()
    loaded = LoadedAgents(loader, 2)
    asked = [asyncio.ensure_future(loaded.load(record("a"))) for _ in range(3)]
    await settle()
    with pytest.raises(KeyError):
        loaded.hold("a", "session")
    loader.go.set()
    assert len({id(agent) for agent in await asyncio.gather(*asked)}) == 1
    await settle()
    assert loader.made[0].prepared
    await loaded.close()
    assert [agent.closed for agent in loader.made] == [True]


async def test_the_one_not_used_longest_is_let_go_first() -> None:
    loader = Loader()
    loaded = LoadedAgents(loader, 2)
    for name in ("a", "b", "a", "c"):
        await loaded.load(record(name))
    await settle()
    assert [(agent.id, agent.closed) for agent in loader.made] == [("a", False), ("b", True), ("c", False)]
    await loaded.close()


async def test_an_agent_in_a_session_is_closed_only_after_it() -> None:
    loader = Loader()
    loaded = LoadedAgents(loader, 1)
    await loaded.load(record("a"))
    agent: Any = loaded.hold("a", "session")
    loaded.forget("a")
    await settle()
    assert not agent.closed
    with pytest.raises(KeyError):
        loaded.hold("a", "another")
    loaded.release("another")
    loaded.release("session")
    loaded.release("session")
    await settle()
    assert agent.closed
    await loaded.close()


async def test_a_changed_row_is_loaded_anew() -> None:
    loader = Loader()
    loaded = LoadedAgents(loader, 4)
    first = record("a")
    await loaded.load(first)
    await loaded.load(replace(first, updated=NOW + timedelta(seconds=1)))
    await settle()
    assert [agent.closed for agent in loader.made] == [True, False]
    await loaded.close()


async def test_what_could_not_be_loaded_is_tried_again() -> None:
    loader = Loader()
    loaded = LoadedAgents(loader, 4)
    loader.broken = True
    with pytest.raises(AgentError):
        await loaded.load(record("a"))
    with pytest.raises(KeyError):
        loaded.hold("a", "session")
    loader.broken = False
    assert (await loaded.load(record("a"))).id == "a"
    await loaded.close()


async def test_closing_ends_what_is_being_loaded_and_closes_what_sessions_hold() -> None:
    loader = Loader()
    loaded = LoadedAgents(loader, 4)
    await loaded.load(record("a"))
    agent: Any = loaded.hold("a", "session")
    loader.go.clear()
    waiting = asyncio.ensure_future(loaded.load(record("b")))
    await settle()
    await loaded.close()
    assert agent.closed
    assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError
