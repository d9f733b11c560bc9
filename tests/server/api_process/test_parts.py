"""What the API process is made of: the server's own endpoints, without models."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.definition import load_agents
from server.api_process.child import ApiParts, ToldMetrics
from server.api_process.frames import SEEN_AT_ONCE
from server.commands.api import assemble
from server.database import Database
from server.engine import Engine
from server.gate.limits import Limiter
from server.metrics import Metrics
from server.settings import Settings

LIVE = {
    ("POST", "/api/voice-agent/calls/outbound"),
    ("DELETE", "/api/voice-agent/calls/{id}"),
    ("POST", "/api/voice-agent/agents"),
    ("POST", "/v1/avatars"),
    ("POST", "/v1/agent/generate"),
}


@pytest.fixture
async def parts(tmp_path: Path) -> ApiParts:
    """The parts, on an empty database."""
    settings = Settings.model_validate({"data_dir": tmp_path})
    database = Database(settings.database_url, threads=1)
    database.migrate()
    made = assemble(settings, database, Limiter(settings.limits, settings.plans), ToldMetrics())
    database.close()
    return made


async def test_only_what_needs_calls_or_models_is_left_to_the_server(parts: ApiParts) -> None:
    endpoints = parts.gate.registry.endpoints
    assert {(each.method, each.path) for each in endpoints if each.live} == LIVE
    assert len(endpoints) > 30


def test_what_was_answered_is_told_once_in_packets_of_bounded_size() -> None:
    metrics = ToldMetrics()
    for number in range(2 * SEEN_AT_ONCE + 1):
        metrics.request("GET", "/api/jobs", 200, float(number))
    told = [each.requests for each in metrics.take()]
    assert [len(each) for each in told] == [SEEN_AT_ONCE, SEEN_AT_ONCE, 1]
    assert [each[3] for packet in told for each in packet] == [float(n) for n in range(2 * SEEN_AT_ONCE + 1)]
    assert metrics.take() == []


def test_the_configured_agents_are_known_without_their_models(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path})
    database = Database(settings.database_url, threads=1)
    engine = Engine(settings, database, Metrics())
    assert engine.definitions() == {}
    engine.know_agents()
    assert engine.definitions() == load_agents(settings.agents_dir) != {}
    assert not engine.agents
    database.close()
