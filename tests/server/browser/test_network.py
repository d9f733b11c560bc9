"""Sessions over networks that lose, delay, fall silent or are not there at all."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import numpy as np
import psutil
import pytest

from tests.peers.webrtc_caller import RATE, Relay, WebRtcCaller, calling
from tests.server.browser.fakes import FakeSession, tone
from tests.server.browser.serving import KEY, Server, serving


@asynccontextmanager
async def through(server: Server, relay: Relay) -> AsyncIterator[tuple[WebRtcCaller, FakeSession]]:
    try:
        async with calling(server.url, key=KEY, relay=relay) as caller:
            session = await server.factory.sessions.get()
            await caller.event("ready")
            yield caller, session
    finally:
        relay.close()


async def test_under_loss_and_jitter_the_caller_is_heard_whole() -> None:
    async with serving(within=30) as server, through(server, Relay(loss=0.05, jitter=0.1)) as (caller, session):
        await session.until(1.0)
        before = session.frames[-1].end
        caller.microphone.say(tone(8.0, RATE, 300.0))
        while caller.microphone.talking:
            await session.changed()
        await session.until(before / 16_000 + 8.0)
        voice = session.voice()[before + 6400 :]
        blocks = voice[: len(voice) // 320 * 320].reshape(-1, 320)
        sounding = np.sqrt(np.mean(blocks**2, axis=1)) > 0.02
        first, last = np.flatnonzero(sounding)[[0, -1]]
        assert np.mean(sounding[first : last + 1]) >= 0.94
        quality = [event for event in caller.events if event["type"] == "quality"][-1]
        assert quality["recovered"] > 0


async def test_a_short_blackout_survives() -> None:
    async with serving(lost_after=6.0, within=30) as server, through(server, Relay()) as (caller, session):
        await session.until(0.5)
        caller_relay = caller.relay
        assert caller_relay is not None
        caller_relay.cut = True
        await session.until(3.5)  # silence is heard meanwhile
        caller_relay.cut = False
        heard = session.frames[-1].end
        caller.microphone.say(tone(0.5, RATE))
        session.say(0.5)
        since = time.monotonic()
        await session.until(heard / 16_000 + 1.5)
        assert np.abs(session.voice()[heard:]).max() > 0.1
        await caller.until_audible(since)


async def test_a_connection_that_is_lost_is_given_up() -> None:
    async with serving(lost_after=3.0, within=30) as server, through(server, Relay()) as (caller, session):
        await session.until(0.3)
        assert caller.relay is not None
        caller.relay.cut = True
        await session.over.wait()
        assert session.left is not None
        assert session.left.startswith("nothing came for")
        while server.factory.active_sessions or len(server.endpoints._calls):
            await asyncio.sleep(0.01)


async def test_a_caller_that_never_connects_gives_its_place_back() -> None:
    async with serving(join_timeout=0.5, max_sessions=1) as server:
        relay = Relay()
        relay.cut = True
        async with calling(server.url, key=KEY, relay=relay):
            assert (await server.create()).status_code == 503
            while (await server.create()).status_code == 503:
                await asyncio.sleep(0.05)
        relay.close()


@pytest.mark.parametrize("kind", ["stun", "turn"])
async def test_a_dead_stun_or_turn_server_holds_nobody_up_for_long(kind: str) -> None:
    with silent_port() as port:
        urls: dict[str, Any] = {f"{kind}_urls": (f"{kind}:127.0.0.1:{port}",), "turn_secret": "shared"}
        async with serving(gather_timeout=0.3, **urls) as server:
            began = time.monotonic()
            async with calling(server.url, key=KEY) as caller:
                session = await server.factory.sessions.get()
                await session.until(0.2)
                assert time.monotonic() - began < 4.0, "aioice waits 5 s"
                await caller.connected()


@contextmanager
def silent_port() -> Iterator[int]:
    """A UDP port where somebody listens and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield silent.getsockname()[1]


@pytest.mark.slow
async def test_fifty_sessions_one_after_another_leave_nothing_behind() -> None:
    async with serving(within=120) as server:

        async def one() -> None:
            async with calling(server.url, key=KEY) as caller:
                session = await server.factory.sessions.get()
                await caller.connected()
                session.say(0.1)
                await session.until(0.06)
            await session.over.wait()
            while len(server.endpoints._calls):
                await asyncio.sleep(0.005)
            server.factory.made.clear()

        def held() -> tuple[int, int, int]:
            gc.collect()
            return threading.active_count(), len(asyncio.all_tasks()), psutil.Process().num_fds()

        for _ in range(3):
            await one()
        before = held()
        for _ in range(50):
            await one()
        for _ in range(100):  # the sockets of closed connections go with the next turns of the loop
            if all(now <= then for now, then in zip(held(), before, strict=True)):
                break
            await asyncio.sleep(0.02)
        assert all(now <= then for now, then in zip(held(), before, strict=True)), (before, held())
