"""People's agents on both databases: who may create, see, talk to and remove them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.definition import AgentDefinition, AgentError
from server.avatars.library import AvatarLibrary
from server.database import Database, create_account
from server.made_agents.definition import DefinitionRefused
from server.made_agents.loaded import LoadedAgents
from server.made_agents.records import AgentRecord, agents_in_work, change_agent, insert_agent, new_short_id
from server.made_agents.service import AgentService
from server.owners import Asker, Owner
from tests.media.avatar.faces import drawn_pack

DEMO = AgentDefinition(name="Lucia", system_prompt="You are Lucia.", greeting="Lucia here.", language="it")
FIELDS = {"system_prompt": "You are Ada.", "greeting": "Hello!"}


class FakeAgent:
    """What of `server.agents.Agent` is used here."""

    def __init__(self, agent_id: str) -> None:
        self.id = agent_id
        self.closed = False

    async def prepare(self) -> None:
        """Say nothing."""

    async def close(self) -> None:
        self.closed = True


class World:
    """A service, who uses it, and what it has loaded."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.loaded_agents: list[FakeAgent] = []
        self.broken = False
        self.library = AvatarLibrary(database, folder / "avatars")
        self.loaded = LoadedAgents(self.load, 8)
        self.service = AgentService(
            database,
            self.library,
            self.loaded,
            configured=lambda: {"demo": DEMO},
            voices=lambda: ["piper-joe"],
        )
        self.first = Owner(account=database.run_here(create_account, "first", plan="free"))
        self.second = Owner(account=database.run_here(create_account, "second", plan="free"))
        self.visitor = Owner(visitor="visitor_1")

    async def load(self, record: AgentRecord) -> Any:
        if self.broken:
            raise AgentError("its voice is gone")
        self.loaded_agents.append(FakeAgent(record.id))
        return self.loaded_agents[-1]

    async def avatar(self, owner: Owner) -> str:
        picture = np.full((64, 64, 3), 128, np.uint8)
        return (await self.library.add(drawn_pack(), picture, owner, source_hash="a" * 64)).id

    async def agent(self, owner: Owner, **given: Any) -> AgentRecord:
        return await self.service.create_agent(owner, FIELDS, name="Ada", **given)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    in_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/visavis.db" if in_file else request.getfixturevalue("postgres_url")
    made = Database(url, threads=4)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    made = World(database, tmp_path)
    yield made
    await made.loaded.close()
    await made.library.close()


async def test_everybody_talks_to_their_own_agents_and_the_operator_to_the_first_accounts(world: World) -> None:
    agents = {owner: (await world.agent(owner)).id for owner in (world.first, world.second, world.visitor)}
    visitor, stranger = Owner(visitor="visitor_1"), Owner(visitor="visitor_2")
    allowed = {
        Asker(world.first): {world.first},
        Asker(world.second): {world.second},
        Asker(visitor): {world.visitor},
        Asker(stranger): set(),
        Asker(stranger, operator=True): {world.first},
        Asker(visitor, operator=True): {world.first, world.visitor},
        Asker(stranger, named=frozenset({agents[world.second]})): {world.second},
        Asker(): set(),
    }
    for asker, owners in allowed.items():
        ids = {agents[owner] for owner in owners}
        assert {card.id for card in await world.service.cards(asker)} == ids
        for agent_id in agents.values():
            assert await world.service.admits(agent_id, asker) == (agent_id in ids)
            assert (await world.service.card(agent_id, asker) is not None) == (agent_id in ids)


async def test_only_the_owner_reads_an_agents_row(world: World) -> None:
    agent = await world.agent(world.first)
    assert await world.service.get(agent.id, world.first) == agent
    assert await world.service.get(agent.id, world.second) is None
    assert [each.id for each in await world.service.of(world.first)] == [agent.id]
    assert await world.service.of(world.second) == []


@pytest.mark.parametrize("strange", ["", "a\x00b", "../x", "a" * 65, "agent_ü"])
async def test_what_is_no_id_is_nobody(world: World, strange: str) -> None:
    assert await world.service.get(strange, world.first) is None
    assert not await world.service.admits(strange, Asker(world.first))
    assert not await world.service.load(strange)


async def test_an_agent_has_a_face_of_its_owner_only(world: World) -> None:
    mine, theirs = await world.avatar(world.first), await world.avatar(world.second)
    agent = await world.agent(world.first, avatar_id=mine)
    assert world.service.pack_of(agent.id) is None
    assert await world.service.admits(agent.id, Asker(world.first))
    assert world.service.pack_of(agent.id) == world.library.pack(mine)
    for wrong in (theirs, "avatar_0000000000000000", "../x"):
        with pytest.raises(LookupError):
            await world.agent(world.first, avatar_id=wrong)


async def test_a_definition_that_may_not_be_is_refused_and_nothing_kept(world: World) -> None:
    with pytest.raises(DefinitionRefused, match="knowledge"):
        await world.service.create_agent(world.first, {**FIELDS, "knowledge": {"paths": ["/etc/passwd"]}}, name="Ada")
    with pytest.raises(DefinitionRefused, match="voice"):
        await world.agent(world.first, voice="/tmp/evil.onnx")
    assert await world.service.of(world.first) == []


async def test_agents_like_a_configured_one_speak_its_language(world: World) -> None:
    agent = await world.service.create_agent(world.visitor, {}, name="Ada", based_on="demo")
    card = await world.service.card(agent.id, Asker(world.visitor))
    assert card is not None
    assert (card.name, card.language, card.greeting) == ("Ada", "it", "Ada here.")


async def test_a_face_and_its_agents_go_together(world: World) -> None:
    avatar = await world.avatar(world.visitor)
    agent = await world.agent(world.visitor, avatar_id=avatar)
    asker = Asker(world.visitor)
    assert await world.service.admits(agent.id, asker)
    await world.service.delete_with_avatar(avatar)
    assert not await world.service.admits(agent.id, asker)
    assert not await world.service.load(agent.id)
    assert world.service.pack_of(agent.id) is None
    assert await world.library.get(avatar) is None
    await world.loaded.close()
    assert [each.closed for each in world.loaded_agents] == [True]


async def test_an_accounts_agent_outlives_its_face(world: World) -> None:
    avatar = await world.avatar(world.first)
    agent = await world.agent(world.first, avatar_id=avatar)
    await world.library.delete(avatar)
    found = await world.service.get(agent.id, world.first)
    assert found is not None
    assert found.avatar_id is None
    assert await world.service.admits(agent.id, Asker(world.first))


async def test_agents_that_are_not_ready_or_whose_time_is_over_are_not_talked_to(world: World) -> None:
    now = datetime.now(UTC)
    agent = await world.agent(world.first)
    for fields in ({"status": "processing"}, {"status": "failed"}, {"expires": now - timedelta(seconds=1)}):
        await world.service.change(agent.id, **{"status": "ready", "expires": None, **fields})
        assert not await world.service.admits(agent.id, Asker(world.first))
    await world.service.change(agent.id, expires=now + timedelta(minutes=1))
    assert await world.service.admits(agent.id, Asker(world.first))
    await world.service.sweep(now + timedelta(minutes=1))
    assert await world.service.get(agent.id, world.first) is None


async def test_one_that_cannot_be_loaded_is_not_there_until_it_can(world: World) -> None:
    agent = await world.agent(world.first)
    world.broken = True
    assert not await world.service.admits(agent.id, Asker(world.first))
    world.broken = False
    assert await world.service.admits(agent.id, Asker(world.first))


async def test_a_changed_agent_is_loaded_anew(world: World) -> None:
    agent = await world.agent(world.first)
    for greeting in ("Hello!", "Good day!"):
        await world.service.change(agent.id, definition={**FIELDS, "greeting": greeting})
        assert await world.service.admits(agent.id, Asker(world.first))
    assert len(world.loaded_agents) == 2


def test_a_status_changes_once(world: World) -> None:
    now = datetime.now(UTC)
    record = AgentRecord(new_short_id(), world.first, "Ada", "processing", {}, now, now)
    world.database.run_here(insert_agent, record)
    assert [each.id for each in world.database.run_here(agents_in_work)] == [record.id]
    change = partial(world.database.run_here, partial(change_agent, agent_id=record.id, only="processing"))
    ends = [change(status="ready"), change(status="failed")]
    assert [None if end is None else end.status for end in ends] == ["ready", None]
    assert world.database.run_here(agents_in_work) == []
