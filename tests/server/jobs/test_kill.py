"""A server and workers that are killed lose nothing and pay once. The long run: python -m tests.bench.jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.database import Database
from tests.peers.webhook_receiver import receiving
from tests.server.jobs.killing import killed_server, run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_at_random_lose_no_job_no_credit_and_no_message(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    with killed_server(tmp_path, url) as server, receiving() as receiver:
        database = Database(url or f"sqlite:///{tmp_path}/data/visavis.db", threads=2)
        try:
            found = run(server, database, receiver, jobs=20, kills=4)
        finally:
            database.close()
    assert found.wrong == [], (tmp_path / "server.log").read_text()[-3000:]
    assert found.statuses == {"completed": 20}
    assert sum(found.kills.values()) == 4
