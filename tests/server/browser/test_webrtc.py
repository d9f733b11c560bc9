from __future__ import annotations

import numpy as np
import pytest

from tests.peers.webrtc_caller import RATE, calling
from tests.server.browser.fakes import tone
from tests.server.browser.serving import KEY, serving


def frequency(samples: np.ndarray, rate: int) -> float:
    """The strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


async def test_caller_and_agent_hear_each_other() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        session.say(1.0)
        caller.microphone.say(tone(2.0, RATE, 880.0))
        await caller.until_audible()
        await session.heard_all.wait()
        await session.until(2.0)
        await caller.listen(0.3)
        loud = np.concatenate([h.samples for h in caller.heard if h.level > 0.1])
        assert len(loud) / RATE > 0.8
        assert abs(frequency(loud, RATE) - 440) < 10
        assert abs(frequency(session.voice()[8000:24000], 16_000) - 880) < 10
        ends = [frame.end for frame in session.frames]
        assert [frame.index for frame in session.frames[1:]] == ends[:-1], "gapless"
        assert server.factory.asked[0][0] == "demo"
        assert server.factory.asked[0][3] == "browser"


async def test_speech_that_is_interrupted_falls_silent_at_the_caller_and_the_rest_is_gone() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        session.say(10.0)
        await caller.event("ready")
        await caller.until_audible()
        await caller.listen(0.5)
        asked = caller.heard[-1].pts
        caller.send("interrupt")
        while not session.interrupted:
            await session.changed()
        await caller.listen(1.0)
        loud = [h.pts for h in caller.heard if h.level > 0.05]
        assert (loud[-1] - asked) / RATE < 0.5, "ten seconds were to be said"
        heard = session.playout.heard_position / session.link.rate
        assert abs(heard - len(loud) * 0.02) < 0.1, "what counts as heard is what was heard"
        assert session.playout.silent


async def test_paused_speech_goes_on_where_it_stopped() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        session.say(1.0)
        await caller.until_audible()
        await caller.listen(0.3)
        session.playout.pause(session.link.flush())
        await caller.listen(0.4)
        session.playout.resume()
        await session.heard_all.wait()
        await caller.listen(0.3)
        loud = sum(h.level > 0.1 for h in caller.heard) * 0.02
        assert abs(loud - 1.0) < 0.06, "nothing twice, nothing left out"


async def test_the_caller_types_presses_and_mutes() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        await caller.event("ready")
        caller.send("text", text="  hello  ")
        caller.send("key", digit="5")
        caller.send("ping", id=7)
        await caller.event("pong", id=7)
        assert session.typed == ["hello"]
        assert session.pressed == ["5"]
        caller.send("mute", muted=True)
        await caller.event("muted", muted=True)
        session.frames.clear()
        caller.microphone.say(tone(0.5, RATE))
        while len(session.frames) < 40:
            await session.changed()
        assert not np.any(session.voice())


async def test_events_that_were_said_before_the_channel_opened_arrive_first_and_in_order() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        for number in range(5):
            session.link.notify("word", {"turn": 1, "text": f"word {number}"})
        await caller.event("word", text="word 4")
        kinds = [event.get("text", event["type"]) for event in caller.events if event["type"] in ("ready", "word")]
        assert kinds == ["ready", *(f"word {number}" for number in range(5))]


async def test_messages_that_are_none_are_answered() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        await server.factory.sessions.get()
        await caller.event("ready")
        for message in (
            "{",
            "[]",
            '{"type": "launch"}',
            '{"type": "text"}',
            '{"type": "mute", "muted": 1}',
            "[" * 9000,
        ):
            caller.channel.send(message)
        caller.channel.send(b"\xff\x00")
        caller.send("ping", id="last")
        await caller.event("pong", id="last")
        assert sum(event["type"] == "error" and event["code"] == "BAD_MESSAGE" for event in caller.events) == 7


async def test_a_flood_of_messages_is_not_followed() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        await caller.event("ready")
        for _ in range(500):
            caller.send("text", text="spam")
        while not session.typed:
            await session.changed()
        caller.microphone.say(tone(0.1, RATE))
        await session.until(1.0)
        assert len(session.typed) < 100


async def test_when_the_agent_hangs_up_the_caller_is_told_and_the_connection_ends() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        await caller.event("ready")
        session.link.hang_up("goodbye")
        session.done.set()
        await caller.event("bye", reason="goodbye")
        await caller.gone()


async def test_when_the_caller_goes_the_session_is_told() -> None:
    async with serving() as server:
        async with calling(server.url, key=KEY) as caller:
            session = await server.factory.sessions.get()
            await session.running.wait()
            await caller.connected()
        await session.over.wait()
        assert session.left == "the connection is gone"


async def test_the_caller_hangs_up_by_message_or_by_request() -> None:
    async with serving() as server:
        async with calling(server.url, key=KEY) as caller:
            session = await server.factory.sessions.get()
            await caller.event("ready")
            caller.send("end")
            await session.over.wait()
            assert session.left == "the caller hung up"
        async with calling(server.url, key=KEY) as caller:
            session = await server.factory.sessions.get()
            await session.running.wait()
            path = f"/api/sessions/{caller.session['id']}"
            assert (await server.request("DELETE", path, headers=caller.headers)).status_code == 204
            assert session.over.is_set()
            assert (await server.request("DELETE", path, headers=caller.headers)).status_code == 404


@pytest.mark.parametrize("where", ["run", "hear"])
async def test_a_session_that_breaks_ends_the_connection_and_frees_its_place(where: str) -> None:
    async with serving(max_sessions=1) as server:
        server.factory.broken = where
        async with calling(server.url, key=KEY) as caller:
            await caller.gone()
        server.factory.broken = ""
        assert (await server.create()).status_code == 201


async def test_the_server_stops_in_the_middle_of_a_call() -> None:
    async with serving() as server, calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        session.say(5.0)
        await caller.until_audible()
        await server.endpoints.close()
        assert session.over.is_set()
        await caller.gone()
