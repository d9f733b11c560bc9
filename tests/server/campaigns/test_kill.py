"""Processes that make a campaign's calls are killed at every step; nobody is called twice, and nobody forgotten."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from server.campaigns import store
from server.campaigns.contacts import Contact
from server.campaigns.rules import Rules, Window
from server.campaigns.store import CampaignView
from server.credits import ledger
from server.database import Database, create_account
from tests.bench.processes import ROOT, free_port
from tests.peers.carrier import Carrier, Person
from tests.server.campaigns.serving import TOKEN

CONTACTS = 10
CREDITS = 10_000
PRICE = 10
OUTCOMES = ("answered", "answered", "busy", "no-answer")
WITHIN_S = 150.0


class Mortal:
    """A process that is started again whenever it has died, as an init system would."""

    def __init__(self, url: str, carrier: Carrier, log: Path, chance: random.Random) -> None:
        self._arguments = (url, str(free_port()), carrier.url)
        self._log = log
        self._chance = chance
        self.deaths = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            with self._log.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tests.server.campaigns.serving",
                    *self._arguments,
                    str(self._chance.randint(2, 14)),
                    cwd=ROOT,
                    stdout=output,
                    stderr=output,
                )
            try:
                await process.wait()
                self.deaths += 1
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


def begun(database: Database, contacts: list[Contact]) -> tuple[str, str]:
    """An account and its campaign."""
    account = database.run_here(create_account, "first", plan="enterprise", credits=CREDITS)
    view = database.run_here(
        store.create,
        account,
        name="Reminders",
        agent_id="demo",
        rules=Rules(Window(time(0), time(23, 59)), concurrency=4),
        contacts=contacts,
        now=datetime.now(UTC),
    )
    return account, view.id


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "processes"), [("sqlite", 1), ("postgresql", 2)])
async def test_kills_at_any_step_call_nobody_twice(
    kind: str, processes: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path}/visavis.db"
    database = Database(url, threads=2)
    database.migrate()
    contacts = [Contact(f"+14155552{index:03}") for index in range(CONTACTS)]
    outcomes = {contact.number: OUTCOMES[index % len(OUTCOMES)] for index, contact in enumerate(contacts)}
    account, campaign = begun(database, contacts)

    def view() -> CampaignView:
        found = database.read_here(store.find, account, campaign)
        assert found is not None
        return found

    try:
        async with Carrier(TOKEN) as carrier:
            carrier.people = {number: Person(outcome=outcome) for number, outcome in outcomes.items()}
            log = tmp_path / "server.log"
            chance = random.Random(processes)
            mortals = [Mortal(url, carrier, log, chance) for _ in range(processes)]
            tasks = [asyncio.create_task(mortal.run()) for mortal in mortals]
            try:
                async with asyncio.timeout(WITHIN_S):
                    while view().status == "running":
                        await asyncio.sleep(0.1)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            dials = Counter(call.called for call in carrier.calls.values())
        assert dials == dict.fromkeys(outcomes, 1), log.read_text()[-3000:]
        assert view().outcomes == Counter(outcomes.values())
        results = database.read_here(store.results, account, campaign) or []
        assert {each.number: each.outcome for each in results} == outcomes
        assert database.read_here(ledger.audit) == []
        answered = list(outcomes.values()).count("answered")
        assert database.read_here(ledger.balance, account) == CREDITS - answered * PRICE
        assert sum(mortal.deaths for mortal in mortals) >= 2
    finally:
        database.close()
