"""Sessions over a plain WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from media.audio.frames import Samples, from_int16, to_int16
from media.audio.opus import OpusDecoder, OpusEncoder
from tests.server.browser.fakes import FakeSession, tone
from tests.server.browser.serving import Server, serving


async def ticket(server: Server) -> dict[str, Any]:
    content: dict[str, Any] = (await server.create()).json()["data"]
    return content


@asynccontextmanager
async def joined(server: Server, query: str = "") -> AsyncIterator[tuple[ClientConnection, FakeSession]]:
    session = await ticket(server)
    url = f"{server.socket_url}/api/sessions/{session['id']}/media{query}"
    async with connect(url, subprotocols=["visavis", f"token.{session['token']}"]) as websocket:  # type: ignore[list-item]
        assert websocket.subprotocol == "visavis"
        yield websocket, await server.factory.sessions.get()


async def event(websocket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of this kind; others, and audio, are passed over."""
    while True:
        message = await websocket.recv()
        if isinstance(message, str) and (content := json.loads(message))["type"] == kind:
            return dict(content)


async def closed(websocket: ClientConnection) -> tuple[int | None, str | None]:
    with suppress(ConnectionClosed):
        async for _ in websocket:
            pass
    return websocket.close_code, websocket.close_reason


def pcm(samples: Samples) -> bytes:
    return to_int16(samples).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
async def test_pcm_goes_both_ways_at_the_rate_that_was_asked_for(rate: int) -> None:
    async with serving() as server, joined(server, f"?audio=pcm16&rate={rate}") as (websocket, session):
        assert (await event(websocket, "ready"))["agent"] == "demo"
        for start in range(0, 10):
            await websocket.send(pcm(tone(1.0, rate)[start * rate // 50 : (start + 1) * rate // 50]))
        session.say(0.2)
        heard: list[bytes] = []
        while sum(map(len, heard)) < 2 * rate // 5:
            message = await websocket.recv()
            if isinstance(message, bytes):
                heard.append(message)
        assert {len(message) for message in heard} == {rate // 50 * 2}
        sound = from_int16(np.frombuffer(b"".join(heard), np.int16))
        assert np.allclose(sound[: rate // 10], tone(0.2, rate)[: rate // 10], atol=0.001)
        await session.heard_all.wait()
        await session.until(0.19)
        assert np.abs(session.voice()).max() > 0.25
        assert server.factory.asked[0][3] == "socket"


async def test_opus_goes_both_ways() -> None:
    async with serving() as server, joined(server, "?audio=opus") as (websocket, session):
        await event(websocket, "ready")
        encoder, decoder = OpusEncoder(16_000), OpusDecoder(24_000)
        for start in range(0, 4800, 320):
            await websocket.send(encoder.encode(tone(0.3, 16_000)[start : start + 320]))
        session.say(0.2)
        heard: list[Samples] = []
        while len(heard) < 10:
            message = await websocket.recv()
            if isinstance(message, bytes):
                heard.append(decoder.decode(message))
        assert np.abs(np.concatenate(heard)).max() > 0.2
        await session.until(0.3)
        assert np.abs(session.voice()).max() > 0.2


async def test_the_token_may_come_in_the_first_message() -> None:
    async with serving() as server:
        session = await ticket(server)
        async with connect(f"{server.socket_url}/api/sessions/{session['id']}/media") as websocket:
            await websocket.send(json.dumps({"type": "join", "token": session["token"]}))
            await event(websocket, "ready")


WRONG = '{"type": "join", "token": "wrong"}'


@pytest.mark.parametrize("first", ["", "{", "[]", '{"type": "join"}', WRONG, b"\x00\x00"])
async def test_without_the_right_token_nothing_opens(first: str | bytes) -> None:
    async with serving() as server:
        session = await ticket(server)
        async with connect(f"{server.socket_url}/api/sessions/{session['id']}/media") as websocket:
            await websocket.send(first)
            refused = await event(websocket, "error")
            assert refused["code"] in ("UNAUTHORIZED", "BAD_REQUEST")
            assert (await closed(websocket))[0] == 1008
        assert server.factory.made == []


async def test_a_client_that_says_nothing_at_first_is_not_waited_for() -> None:
    async with serving(join_timeout=0.1) as server:
        session = await ticket(server)
        async with connect(f"{server.socket_url}/api/sessions/{session['id']}/media") as websocket:
            assert (await closed(websocket))[0] == 1008


async def test_a_full_server_says_so() -> None:
    async with serving(max_sessions=1) as server:
        session = await ticket(server)
        server.factory.taken = 1
        async with connect(f"{server.socket_url}/api/sessions/{session['id']}/media") as websocket:
            await websocket.send(json.dumps({"type": "join", "token": session["token"]}))
            assert (await event(websocket, "error"))["code"] == "SERVER_FULL"
            assert (await closed(websocket))[0] == 1013


@pytest.mark.parametrize("query", ["?audio=mp3", "?rate=44100", "?rate=x", "?audio=pcm16&rate=8000"])
async def test_an_audio_format_that_is_not_known_is_refused(query: str) -> None:
    async with serving() as server:
        session = await ticket(server)
        async with connect(f"{server.socket_url}/api/sessions/{session['id']}/media{query}") as websocket:
            assert "16000, 24000, 48000" in (await event(websocket, "error"))["error"]


async def test_interrupted_speech_is_called_back_and_what_was_heard_is_reckoned() -> None:
    async with serving() as server, joined(server) as (websocket, session):
        session.say(5.0)
        for _ in range(20):
            while not isinstance(await websocket.recv(), bytes):
                pass
        await websocket.send(json.dumps({"type": "interrupt"}))
        await event(websocket, "clear")
        assert 0.2 < session.playout.heard_position / session.link.rate < 1.0
        session.say(0.1)
        assert isinstance(await websocket.recv(), bytes), "what is said after it follows it"


async def test_bad_audio_is_answered_and_the_session_goes_on() -> None:
    async with serving() as server, joined(server, "?audio=opus") as (websocket, session):
        await websocket.send(b"\xff")
        assert (await event(websocket, "error"))["code"] == "BAD_AUDIO"
        await websocket.send(json.dumps({"type": "text", "text": "still here"}))
        while not session.typed:
            await session.changed()


async def test_audio_far_faster_than_real_time_ends_the_session() -> None:
    async with serving() as server, joined(server, "?rate=16000") as (websocket, session):
        for _ in range(14):
            await websocket.send(pcm(np.zeros(8_000, np.float32)))
        assert (await closed(websocket)) == (1008, "the audio comes faster than real time")
        await session.over.wait()


async def test_a_client_that_sends_no_silence_is_heard_as_silent() -> None:
    async with serving() as server, joined(server) as (_, session):
        await session.until(0.2)
        assert not np.any(session.voice())


async def test_a_client_that_sends_nothing_at_all_is_given_up() -> None:
    async with serving(lost_after=0.5) as server, joined(server) as (websocket, session):
        assert (await closed(websocket))[0] == 1008
        await session.over.wait()
        assert session.left == "nothing came for 0.5 s"


async def test_either_side_may_hang_up() -> None:
    async with serving() as server:
        async with joined(server) as (websocket, session):
            session.link.hang_up("goodbye")
            session.done.set()
            assert (await event(websocket, "bye"))["reason"] == "goodbye"
            assert await closed(websocket) == (1000, "goodbye")
        async with joined(server) as (websocket, session):
            await session.running.wait()
        await session.over.wait()
        assert session.left == "the connection is gone"


async def test_a_session_that_breaks_closes_the_socket_and_frees_its_place() -> None:
    async with serving(max_sessions=1) as server:
        server.factory.broken = "run"
        async with joined(server) as (websocket, _):
            assert await closed(websocket) == (1011, "internal error")
        async with asyncio.timeout(5):
            while (await server.create()).status_code != 201:
                pass
