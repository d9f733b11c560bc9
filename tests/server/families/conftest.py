"""A client of the families' endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from media import decoding
from server.database import Database
from server.settings import Settings
from tests.server.families.world import MOST_ACTIVE, Client, World
from tests.server.gate.serving import served


@pytest.fixture
async def client(settings: Settings, database: Database) -> AsyncIterator[Client]:
    """An account with credits and no limits."""
    settings = settings.model_copy(
        update={"jobs": settings.jobs.model_copy(update={"active_per_account": MOST_ACTIVE})}
    )
    world = World(settings, database)
    async with served(settings, database, world.endpoints(), enabled=False) as service:
        yield Client(service.client, world)
    await world.calling.close()
    await world.library.close()


@pytest.fixture(scope="session", autouse=True)
def decoder() -> Iterator[None]:
    """The helper that decodes pictures ends with the tests."""
    yield
    decoding.close()
