"""The platform's endpoints behind the gate, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.database import Database
from server.fetching import UrlPolicy
from server.gate.auth import Authenticator
from server.platform.engines import Engines
from server.platform.platform import platform_endpoints
from server.settings import Settings
from tests.server.gate.serving import Served, served


@pytest.fixture
def engines(settings: Settings) -> Engines:
    """No engines."""
    return Engines(settings.models)


@pytest.fixture
async def service(settings: Settings, database: Database, engines: Engines) -> AsyncIterator[Served]:
    """The platform without limits."""
    authenticator = Authenticator(database)
    endpoints = platform_endpoints(settings, authenticator=authenticator, engines=engines, policy=UrlPolicy())
    async with served(settings, database, endpoints, authenticator=authenticator, enabled=False) as made:
        yield made
