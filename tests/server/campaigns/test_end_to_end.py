"""A campaign from its CSV to its results: real endpoints, sockets and books, and a carrier on a bad day."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path

import pytest

from server.credits import ledger
from tests.bench.carrier_world import CREDITS, MINUTE, CarrierWorld, carrier_world
from tests.peers.carrier import Misbehaviour, Person

PATH = "/api/voice-agent/campaigns"
OUTCOMES = ("answered", "busy", "no-answer", "answered", "failed")


async def until_over(world: CarrierWorld, campaign: str) -> dict[str, object]:
    async with asyncio.timeout(60):
        while True:
            data = dict((await world.http.get(f"{PATH}/{campaign}")).json()["data"])
            if data["status"] != "running":
                return data
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_a_campaign_from_its_list_to_its_results(tmp_path: Path) -> None:
    bad = Misbehaviour(late=0.5, lateness=0.5, twice=0.5, dropped=0.2, seed=5)
    numbers = {f"+14155553{index:03}": OUTCOMES[index % len(OUTCOMES)] for index in range(15)}
    async with carrier_world(tmp_path, bad) as world:
        world.carrier.people = {number: Person(outcome=outcome) for number, outcome in numbers.items()}
        world.talkers.seconds = dict.fromkeys(numbers, 0.5)
        answer = await world.http.post(
            PATH,
            json={
                "name": "Appointments",
                "agentId": "demo",
                "csv": "phoneNumber,name\r\n" + "".join(f"{number},=Ann\r\n" for number in numbers),
                "window": {"from": "00:00", "until": "23:59"},
                "concurrency": 5,
            },
        )
        assert answer.status_code == 201, answer.text
        campaign = answer.json()["data"]["id"]
        data = await until_over(world, campaign)
        assert (data["status"], data["outcomes"]) == (
            "completed",
            {"answered": 6, "busy": 3, "failed": 3, "no-answer": 3},
        )
        await world.carrier.quiet()
        dialled = sorted(call.called for call in world.carrier.calls.values())
        assert dialled == sorted(numbers)
        table = (await world.http.get(f"{PATH}/{campaign}/results.csv")).text
        rows = list(csv.DictReader(io.StringIO(table, newline="")))
        assert {row["phoneNumber"]: row["outcome"] for row in rows} == numbers
        costs = {row["outcome"]: row["cost"] for row in rows}
        assert costs == {"answered": str(MINUTE), "busy": "0", "failed": "0", "no-answer": "0"}
        assert {row["name"] for row in rows} == {"'=Ann"}
        assert all(row["lastCallAt"] and row["callId"] and row["attempts"] == "1" for row in rows)
        assert world.database.read_here(ledger.audit) == []
        assert world.database.read_here(ledger.balance, world.account) == CREDITS - 6 * MINUTE
