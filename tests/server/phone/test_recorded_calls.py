"""Whole calls through the stand-in carrier, recorded, stored and read back by Python's `wave`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from media.audio.frames import to_int16
from media.audio.g711 import decode_ulaw, encode_ulaw
from media.audio.two_channel import Channel
from server.database import Database
from server.database.tables import PhoneCall
from server.phone.recordings import Recordings, recording_key
from server.settings import Settings
from server.storage import Storage
from tests.peers.carrier import Carrier, Person
from tests.peers.carrier.misbehaviour import Misbehaviour
from tests.peers.phone_caller import Clip, PhoneCaller
from tests.server.calling.world import Calls, settings_of
from tests.server.phone.fakes import COOK, FakeSession, speech
from tests.server.phone.recorded import FRAME, RATE, Pcm, read
from tests.server.phone.serving import Server, serving


@dataclass
class Recorded:
    """A server that records, and its calls."""

    server: Server
    carrier: Carrier
    calls: Calls
    storage: Storage
    folder: Path

    @property
    def webhook(self) -> str:
        return f"{self.server.url}/telephony/voice"

    def row(self) -> PhoneCall:
        """The only call."""

        def one(session: Session) -> PhoneCall:
            return session.scalars(select(PhoneCall)).one()

        return self.calls.database.read_here(one)

    async def recording(self, call_id: str) -> Pcm:
        """A call's recording, once it is stored."""
        while (info := self.storage.stat(recording_key(call_id), self.calls.account)) is None:
            await asyncio.sleep(0.02)
        return read(b"".join(self.storage.read(info)))


@asynccontextmanager
async def recording(
    settings: Settings, database: Database, *, misbehaviour: Misbehaviour | None = None, seconds: float = 30.0
) -> AsyncIterator[Recorded]:
    calls = Calls(database, settings_of(settings))
    storage = Storage.of(settings, database)
    service = Recordings.of(settings, database, storage)
    service.start()
    try:
        async with (
            serving(recorders=service, book=calls.books, max_sessions=32, seconds=seconds) as server,
            Carrier(misbehaviour=misbehaviour) as carrier,
        ):
            phone = {"phone": server.factory.definition.phone.model_copy(update={"recording": True})}
            server.factory.definition = server.factory.definition.model_copy(update=phone)
            yield Recorded(server, carrier, calls, storage, settings.data_dir / "recordings")
    finally:
        await service.close()


def burst(seconds: float) -> Pcm:
    """Noise that nothing else on the line is like."""
    return to_int16(np.random.default_rng(5).uniform(-0.9, 0.9, round(seconds * RATE)).astype(np.float32))


def clip(sound: Pcm) -> Clip:
    codes = encode_ulaw(sound)
    cut = tuple(codes[i : i + FRAME] for i in range(0, len(codes), FRAME))
    return Clip("burst", cut, 0, len(cut) - 1)


def place(sound: Pcm, within: Pcm) -> int:
    """Where a sound lies in another; it is there, sample by sample."""
    wanted, there = sound.astype(np.float64), within.astype(np.float64)
    spectrum = np.fft.rfft(there, 2 * len(there)) * np.conj(np.fft.rfft(wanted, 2 * len(there)))
    found = int(np.argmax(np.fft.irfft(spectrum)[: len(there)]))
    assert np.abs(there[found : found + len(sound)] - wanted).max() <= 1, "32767 against 32768"
    return found


async def test_both_sides_of_a_call_are_in_its_recording(settings: Settings, database: Database) -> None:
    said = burst(0.6)

    async def talk(line: PhoneCaller) -> None:
        spoken = line.say(clip(said))
        await spoken.ended.wait()
        session: FakeSession = await world.server.factory.sessions.get()
        session.say(4000)
        await session.heard_all.wait()
        await asyncio.sleep(0.2)

    async with recording(settings, database) as world:
        call = world.carrier.dial(world.webhook, Person(talk))
        await world.carrier.quiet()
        row = world.row()
        sound = await world.recording(row.call_id)
        assert row.recording == recording_key(row.call_id)
        brief = world.server.factory.briefs[0]
    assert brief is not None
    assert brief.opening is not None
    assert "recorded" in brief.opening, "consent comes first"
    assert call.line is not None
    caller = place(decode_ulaw(encode_ulaw(said)), sound[Channel.CALLER])
    agent = int(np.flatnonzero(sound[Channel.AGENT])[0])
    recorded = decode_ulaw(encode_ulaw(sound[Channel.AGENT]))
    heard = decode_ulaw(b"".join(frame.frame for frame in call.line.heard))
    assert np.array_equal(recorded[recorded != 0], heard[heard != 0]), "what the other one's ear heard"
    assert agent >= caller + len(said) - FRAME, "the agent began when they had spoken"


async def test_what_was_cut_off_is_not_in_the_recording(settings: Settings, database: Database) -> None:
    async def talk(line: PhoneCaller) -> None:
        session: FakeSession = await world.server.factory.sessions.get()
        session.say(40_000)
        await line.until_audible(0.0, 10.0)
        for _ in range(25):
            await line.tick()
        positions.append(session.link.flush())
        session.playout.pause(positions[0])
        for _ in range(25):
            await line.tick()

    positions: list[int] = []
    async with recording(settings, database) as world:
        call = world.carrier.dial(world.webhook, Person(talk))
        await world.carrier.quiet()
        sound = await world.recording(world.row().call_id)
    agent, whole = sound[Channel.AGENT], to_int16(speech(40_000).samples)
    agent, whole = agent[agent != 0], whole[whole != 0]  # a machine that stood still for a moment leaves a gap
    assert np.array_equal(agent, whole[: len(agent)])
    assert abs(len(agent) - positions[0]) <= 4, "as the ledger says"
    assert call.line is not None
    assert call.line.cleared_at, "the carrier was told to drop the rest"
    assert len(agent) < 20_000


async def test_agents_that_do_not_record_leave_nothing(settings: Settings, database: Database) -> None:
    async def talk(line: PhoneCaller) -> None:
        await world.server.factory.sessions.get()

    async with recording(settings, database) as world:
        world.server.factory.definition = world.server.factory.definition.model_copy(
            update={"phone": world.server.factory.definition.phone.model_copy(update={"recording": False})}
        )
        world.carrier.dial(world.webhook, Person(talk))
        await world.carrier.quiet()
        assert world.row().recording is None
        brief = world.server.factory.briefs[0]
        assert brief is not None
        assert "recorded" not in (brief.opening or "")
    assert not world.folder.exists()


async def test_a_call_that_comes_back_from_a_transfer_is_one_recording(settings: Settings, database: Database) -> None:
    async with recording(settings, database) as world:
        world.carrier.people[COOK] = Person(outcome="busy", rings=0.0)
        call = world.carrier.dial(world.webhook, Person())
        for turn in range(2):
            session = await world.server.factory.sessions.get()
            await session.running.wait()
            session.say(4000)
            await session.heard_all.wait()
            if turn == 0:
                session.link.notify("transfer", {"target": COOK, "name": "the cook"})
            session.link.hang_up("transfer" if turn == 0 else "goodbye")
            session.done.set()
        await world.carrier.quiet()
        while list(world.folder.glob("*")):
            await asyncio.sleep(0.02)
        sound = await world.recording(world.row().call_id)
    assert [name for name, _ in call.log] == ["Stream", "Dial", "Stream", "Hangup"]
    agent = sound[Channel.AGENT]
    spoken = to_int16(speech(4000).samples)
    assert np.array_equal(agent[agent != 0], np.tile(spoken[spoken != 0], 2)), "what was said before and after"
    assert sound.shape[1] >= 2 * 4000 + RATE, "and a pause between them"


@pytest.mark.parametrize("seed", [1, 2])
async def test_calls_on_a_bad_day_are_all_recorded_and_leave_no_file_behind(
    settings: Settings, database: Database, seed: int
) -> None:
    async def answer() -> None:
        while True:
            session = await world.server.factory.sessions.get()
            session.say(4000)

    async def talk(line: PhoneCaller) -> None:
        line.say(clip(burst(0.4)))
        await line.until_quiet(0.3, 3.0)

    bad = Misbehaviour(dropped=0.4, jittered=0.3, seed=seed)
    async with recording(settings, database, misbehaviour=bad, seconds=60) as world:
        answering = asyncio.create_task(answer())
        calls = [world.carrier.dial(world.webhook, Person(talk), caller=f"+1500555{n:04}") for n in range(8)]
        await world.carrier.quiet()
        answering.cancel()
        rows = world.calls.database.read_here(lambda session: list(session.scalars(select(PhoneCall))))
        assert len(rows) == len(calls)
        for row in rows:
            if row.recording is None:
                continue
            sound = await world.recording(row.call_id)
            assert sound.shape[1] > 0
        assert sum(row.recording is not None for row in rows) >= 6, "but those cut at once"
        while list(world.folder.glob("*")):
            await asyncio.sleep(0.02)
