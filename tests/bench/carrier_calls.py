"""Hundreds of calls through the stand-in carrier on its worst day: `python -m tests.bench.carrier_calls --calls 500`.

Real endpoints, sockets, books and ledger (SQLite); only the conversations are fakes that say a tone. Callbacks come
late, twice and out of order, sockets are cut, frames come late, the carrier's API answers 429 and 503 (having done what
was asked, or not). At the end every call must be what the carrier knows of it, the ledger exact to the credit, and
no task, thread, descriptor or file left. Exits 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import math
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import structlog
from sqlalchemy import select

from server.calling import keeper
from server.credits import ledger
from server.database.tables import PhoneCall
from telephony.progress import CallState
from tests.bench.carrier_world import (
    CREDITS,
    INBOUND_MINUTE,
    MINUTE,
    OWN,
    PLAIN,
    RECORDED,
    CarrierWorld,
    carrier_world,
)
from tests.bench.processes import machine
from tests.peers.carrier import Call, Misbehaviour, Person
from tests.peers.phone_caller import PhoneCaller

KINDS: Final[Mapping[str, int]] = {
    "answered, the agent hangs up": 34,
    "answered, the callee hangs up": 12,
    "busy": 8,
    "no answer": 8,
    "failed": 4,
    "cancelled while it rings": 4,
    "hung up over the API": 4,
    "inbound, the agent hangs up": 16,
    "inbound, the caller hangs up": 10,
}
"""Calls of each kind in a hundred."""
LONG_EVERY: Final = 50
"""One call of so many lasts into its second minute, in long runs, where the agent hangs up."""
SETTLES_S: Final = 240.0
"""All calls are what they will be by then, those of which the carrier never told included."""
LONG_RUN: Final = 150
"""A run of so many calls has long ones."""


def bad_day(seed: int) -> Misbehaviour:
    """Everything goes wrong at times."""
    return Misbehaviour(
        late=0.4, lateness=2.0, twice=0.3, dropped=0.1, jittered=0.03, refused=0.08, failed=0.08, seed=seed
    )


@dataclass
class Findings:
    """What came of a run. `wrong`: everything that is not as it must be."""

    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    unasked: int = 0
    callbacks: int = 0
    asked_again: int = 0
    minutes: int = 0
    spent: int = 0
    recordings: int = 0
    at_once: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Planned:
    """One call. `number`: the other's; `talk`: seconds until the agent hangs up; `stay`: until the other one does."""

    kind: str
    number: str
    agent: str
    talk: float
    stay: float | None

    @property
    def inbound(self) -> bool:
        """Whether they call us."""
        return self.kind.startswith("inbound")

    def person(self) -> Person:
        """Who is at the other end."""
        outcome = {"busy": "busy", "no answer": "no-answer", "failed": "failed"}.get(self.kind, "answered")
        return Person(self._act, outcome, rings=1.0 if self.kind == "cancelled while it rings" else 0.1)

    async def _act(self, line: PhoneCaller) -> None:
        try:
            async with asyncio.timeout(self.stay):
                await line.over.wait()
        except TimeoutError:
            return


def plan(calls: int, seed: int) -> list[Planned]:
    """So many calls of all kinds, in a mixed order; every number is called once."""
    chance = random.Random(seed)
    kinds = [kind for kind, share in KINDS.items() for _ in range(share)]
    made = []
    for index in range(calls):
        kind = kinds[index * len(kinds) // calls]
        talk = chance.uniform(1.0, 3.0)
        if calls >= LONG_RUN and index % LONG_EVERY == 0 and "agent hangs up" in kind:
            talk = 62.0
        other_hangs_up = "callee hangs up" in kind or "caller hangs up" in kind
        stay = chance.uniform(0.3, 1.5) if other_hangs_up else None
        number = f"+1415{5560000 + index}"
        made.append(Planned(kind, number, RECORDED if index % 5 == 0 else PLAIN, talk, stay))
    chance.shuffle(made)
    return made


async def make(world: CarrierWorld, planned: Planned, found: Findings, chance: random.Random) -> None:
    """Make one call and follow it to its end at the carrier."""
    world.talkers.seconds[planned.number] = 60.0 if planned.kind == "hung up over the API" else planned.talk
    if planned.inbound:
        call = world.carrier.dial(
            f"{world.url}/telephony/voice?agent={planned.agent}", planned.person(), caller=planned.number, called=OWN
        )
        await call.over.wait()
        return
    world.carrier.people[planned.number] = planned.person()
    call_id = await order(world, planned, found, chance)
    if call_id is None:
        return
    placed = await at_carrier(world, planned.number)
    if placed is None:  # refused or lost: whoever keeps the calls finds out
        found.unasked += 1
        return
    if planned.kind == "cancelled while it rings":
        await hang_up(world, call_id, found)
    elif planned.kind == "hung up over the API":
        while placed.line is None and not placed.over.is_set():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        while not placed.over.is_set():  # the carrier's API may be down: the client asks again
            await hang_up(world, call_id, found)
            await asyncio.sleep(0.5)
    await placed.over.wait()


async def order(world: CarrierWorld, planned: Planned, found: Findings, chance: random.Random) -> str | None:
    """Order the call as a careful client does, with a key; now and then twice."""
    body = {"agentId": planned.agent, "phoneNumber": planned.number, "variables": {"name": "Ann"}}
    headers = {"idempotency-key": f"call-{planned.number}"}
    ids = set()
    for _ in range(2 if chance.random() < 0.1 else 1):
        answer = await ask(world, found, "POST", "/outbound", json=body, headers=headers)
        if answer.status_code != 200:
            found.wrong.append(f"{planned.kind}: ordered with {answer.status_code} {answer.text}")
            return None
        ids.add(str(answer.json()["data"]["callId"]))
    if len(ids) != 1:
        found.wrong.append(f"{planned.kind}: one key, {len(ids)} calls")
    return ids.pop()


async def hang_up(world: CarrierWorld, call_id: str, found: Findings) -> None:
    """End a call over the API: 503 where the carrier cannot be told."""
    answer = await ask(world, found, "DELETE", f"/{call_id}")
    if answer.status_code not in (200, 503):
        found.wrong.append(f"hung up with {answer.status_code} {answer.text}")


async def ask(world: CarrierWorld, found: Findings, method: str, path: str, **more: Any) -> httpx.Response:
    """Ask the API; again where an idle connection was closed under the request (RFC 9112, 9.5)."""
    while True:
        try:
            answer = await world.http.request(method, f"/api/voice-agent/calls{path}", **more)
        except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):
            found.asked_again += 1
            continue
        found.answers[answer.status_code] += 1
        return answer


async def at_carrier(world: CarrierWorld, number: str) -> Call | None:
    """The carrier's call to a number; None where there is none within a while."""
    for _ in range(60):
        for call in world.carrier.calls.values():
            if call.called == number:
                return call
        await asyncio.sleep(0.05)
    return None


async def run(folder: Path, calls: int, *, at_once: int, seed: int = 1, hurry: bool = False) -> Findings:
    """Make the calls, look for what is wrong with them, and for what they have left behind."""
    patience = keeper.UNHEARD
    if hurry:
        keeper.UNHEARD = patience / 6  # type: ignore[misc]
    scratch, before_dir = folder / "scratch", tempfile.tempdir
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    try:
        await once(folder / "warm", Findings(), plan(4, seed), Misbehaviour(), at_once=4, seed=seed)
        before = resources()
        found = Findings(calls=calls)
        began = time.monotonic()
        await once(folder / "run", found, plan(calls, seed), bad_day(seed), at_once=at_once, seed=seed)
        found.seconds = time.monotonic() - began
        found.wrong += await left_behind(before, scratch)
    finally:
        tempfile.tempdir = before_dir
        keeper.UNHEARD = patience  # type: ignore[misc]
    return found


async def once(
    folder: Path, found: Findings, planned: list[Planned], misbehaviour: Misbehaviour, *, at_once: int, seed: int
) -> None:
    """One world from its start to its end, with these calls in it."""
    folder.mkdir()
    chance = random.Random(seed)
    places = asyncio.Semaphore(at_once)
    async with carrier_world(folder, misbehaviour) as world:

        async def one(call: Planned) -> None:
            async with places:
                await make(world, call, found, chance)

        async with asyncio.TaskGroup() as group:
            for call in planned:
                group.create_task(one(call))
        await world.carrier.quiet()
        await settle(world, found)
        check(world, planned, found)
        found.at_once = world.talkers.most


async def settle(world: CarrierWorld, found: Findings) -> None:
    """Wait until no call goes on and nothing is being stored."""
    ended = tuple(state.value for state in CallState if state.ended)
    going_on = select(PhoneCall.call_id, PhoneCall.state, PhoneCall.sid).where(PhoneCall.state.not_in(ended))
    give_up = time.monotonic() + SETTLES_S
    while left := (await world.database.read(lambda session: session.execute(going_on).all())):
        if time.monotonic() > give_up:
            found.wrong += [f"call {call_id} is still {state} ({sid})" for call_id, state, sid in left]
            return
        await asyncio.sleep(0.2)
    while any((world.data / "recordings").glob("*")) and time.monotonic() < give_up:
        await asyncio.sleep(0.2)


def check(world: CarrierWorld, planned: list[Planned], found: Findings) -> None:
    """Compare the books with what the carrier knows."""
    rows = world.database.read_here(lambda session: list(session.scalars(select(PhoneCall))))
    by_peer = {row.peer: row for row in rows}
    carried: dict[str, list[Call]] = {}
    for call in world.carrier.calls.values():
        carried.setdefault(call.caller if call.direction == "inbound" else call.called, []).append(call)
    if len(by_peer) != len(rows) or len(rows) != len(planned):
        found.wrong.append(f"{len(planned)} calls were to be made, {len(rows)} are in the books")
    for each in planned:
        row, calls = by_peer.get(each.number), carried.get(each.number, [])
        if row is None or len(calls) > 1:
            found.wrong.append(f"{each.kind} {each.number}: {len(calls)} calls at the carrier, row {row}")
            continue
        found.wrong += [f"{each.kind} {row.call_id}: {text}" for text in compare(row, calls[0] if calls else None)]
        found.outcomes[row.state] += 1
        found.kinds[each.kind] += 1
        found.minutes += row.minutes
        found.spent += row.cost
        if row.answered is not None and each.agent == RECORDED and calls and calls[0].line is not None:
            found.recordings += row.recording is not None
            if row.recording is None or not (world.data / "files" / world.account / row.recording).is_file():
                found.wrong.append(f"{each.kind} {row.call_id}: was not recorded")
    found.wrong += world.database.read_here(ledger.audit)
    balance = world.database.read_here(ledger.balance, world.account)
    held = sum(row.cost for row in rows)
    if balance != CREDITS - held:
        found.wrong.append(f"the balance is {balance}, and the calls cost {held} of {CREDITS}")
    found.callbacks = len(world.carrier.callback_answers)
    if {status for status in world.carrier.callback_answers if status != 204}:
        found.wrong.append(f"callbacks were answered {Counter(world.carrier.callback_answers)}")


def compare(row: PhoneCall, call: Call | None) -> list[str]:
    """What a row says otherwise than the carrier."""
    wrong = []
    if call is None:
        if (row.state, row.sid, row.cost, row.minutes) not in (("failed", None, 0, 0), ("canceled", None, 0, 0)):
            wrong.append(f"{row.state}, {row.cost} credits, and the carrier knows no such call")
        return wrong
    if (row.sid, row.state) != (call.sid, call.status):
        wrong.append(f"{row.state} ({row.sid}), and the carrier says {call.status} ({call.sid}) {call.error}")
    price = INBOUND_MINUTE if call.direction == "inbound" else MINUTE
    minutes = max(1, math.ceil(call.seconds / 60)) if call.answered_at else 0
    if call.direction == "inbound" and abs(call.seconds - 60) <= 2:  # nobody tells us their seconds
        minutes = row.minutes
    if (row.minutes, row.cost, row.billed) != (minutes, minutes * price, True):
        wrong.append(f"{row.minutes} minutes for {row.cost} credits; {call.seconds} s are {minutes} minutes")
    return wrong


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process holds."""

    tasks: int
    threads: int
    descriptors: int

    def beyond(self, other: Resources) -> dict[str, int]:
        """How many more of each there are than there were."""
        counts = {each.name: getattr(self, each.name) - getattr(other, each.name) for each in fields(self)}
        return {name: count for name, count in counts.items() if count > 0}


def resources() -> Resources:
    """Those of this one."""
    gc.collect()
    threads = [thread for thread in threading.enumerate() if "AnyIO" not in thread.name]  # idle ones wait to be used
    process = psutil.Process()
    others = sum(".onnxruntime" in file.path for file in process.open_files())  # opens its own files when it likes
    return Resources(len(asyncio.all_tasks()), len(threads), process.num_fds() - others)


async def left_behind(before: Resources, scratch: Path, *, patience_s: float = 20.0) -> list[str]:
    """What is there now and was not before. The other ends of sockets close in their own time: `patience_s`."""
    give_up = time.monotonic() + patience_s
    while (more := resources().beyond(before)) and time.monotonic() < give_up:
        await asyncio.sleep(0.1)
    wrong = [f"{count} {name} were left: {_described(name)}" for name, count in more.items()]
    wrong += [f"file {path.name} was left" for path in scratch.rglob("*") if path.is_file()]
    return wrong


def _described(name: str) -> str:
    if name == "tasks":
        return str([repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()])
    if name == "threads":
        return str([thread.name for thread in threading.enumerate()])
    process = psutil.Process()
    return str([*(file.path for file in process.open_files()), *map(str, process.net_connections())])


def table(found: Findings) -> str:
    """The findings, to be read."""
    lines = [f"{found.calls} calls, at most {found.at_once} at once, in {found.seconds:.0f} s", ""]
    lines += ["| kind of call | calls |", "|---|---|"]
    lines += [f"| {kind} | {found.kinds[kind]} |" for kind in KINDS]
    lines += ["", "| final state | calls |", "|---|---|"]
    lines += [f"| {state} | {count} |" for state, count in sorted(found.outcomes.items())]
    lines += [
        "",
        f"the API answered {dict(found.answers)}, {found.asked_again} requests were sent again;"
        f" {found.unasked} calls the carrier did not take at once",
        f"{found.callbacks} callbacks were delivered",
        f"{found.minutes} minutes paid, {found.spent} credits; {found.recordings} recordings",
        f"wrong: {len(found.wrong)}",
        *found.wrong[:40],
    ]
    return "\n".join(lines)


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.carrier_calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(run(Path(name), options.calls, at_once=options.at_once, seed=options.seed))
    print(table(found))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
