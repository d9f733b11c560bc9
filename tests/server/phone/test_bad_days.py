"""Transfers while everything goes wrong at once: each call comes to an end, once, and nothing of it is left."""

from __future__ import annotations

import asyncio
import random

import pytest

from server.phone.options import CallBrief
from telephony.twilio.rest import TwilioCalls
from tests.peers.carrier import Carrier, Misbehaviour, Person
from tests.peers.phone_caller import PhoneCaller
from tests.server.phone.fakes import COOK, FakeSession
from tests.server.phone.serving import Server, serving

OURS = "c" * 32
CALLS = 20


async def acts(server: Server, session: FakeSession, brief: CallBrief | None, chance: random.Random) -> None:
    """A session does what it is for: it transfers the caller, tells the person of the call, or says goodbye."""
    opening = brief.opening if brief is not None and brief.opening is not None else ""
    await session.running.wait()
    if opening.startswith("Hello, this is the assistant"):
        answer = chance.choice(["Yes.", "No.", "Who is it?"])
        session.link.notify("transcript", {"turn": 1, "text": answer, "final": True})
        await asyncio.sleep(0.05)
    elif "could not reach" not in opening:
        data: dict[str, object] = {"target": COOK, "name": "the cook", "warm": chance.random() < 0.7, "summary": "It."}
        session.link.notify("transfer", data)
    session.link.hang_up("over")
    session.done.set()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_transferred_call_ends_once_whatever_goes_wrong(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.phone.warm.LOOKED_FOR", (0.1, 0.2, 0.3, 0.3))
    bad = Misbehaviour(late=0.5, lateness=0.3, twice=0.5, dropped=0.2, jittered=0.1, refused=0.2, failed=0.2, seed=seed)
    chance = random.Random(seed)

    async def leaves(line: PhoneCaller) -> None:
        await asyncio.wait([asyncio.create_task(line.over.wait())], timeout=chance.uniform(0.5, 3.0))

    async with Carrier(OURS, misbehaviour=bad, pace=0.05) as carrier:
        calls = TwilioCalls(carrier.account, OURS, api=carrier.url)
        people = [
            Person(rings=0.0, talks=0.1),
            Person(outcome="busy", rings=0.0),
            Person(outcome="no-answer", rings=0.1),
        ]
        async with serving(auth_token=OURS, calls=calls, max_sessions=100, seconds=60) as server:
            carrier.people[COOK] = people[seed % len(people)]

            async def agent() -> None:
                async with asyncio.TaskGroup() as group:
                    while True:
                        session = await server.factory.sessions.get()
                        brief = server.factory.briefs[server.factory.made.index(session)]
                        group.create_task(acts(server, session, brief, chance))

            working = asyncio.create_task(agent())
            made = [carrier.dial(f"{server.url}/telephony/voice", Person(leaves, talks=1.0)) for _ in range(CALLS)]
            await carrier.quiet()
            while server.factory.active_sessions:
                await asyncio.sleep(0.01)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            assert all(call.over.is_set() for call in carrier.calls.values())
            assert {(call.status, call.error.partition(":")[0]) for call in made} <= {
                ("completed", ""),
                ("completed", "31920 stream"),
            }  # the socket was cut
            ended = [call_id for call_id, _ in server.book.closed]
            assert len(ended) == len(set(ended)), "a call ended twice"
            assert server.live.ids() == set()
        await calls.close()
