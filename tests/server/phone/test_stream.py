"""The socket that carries a call, driven as Twilio drives it."""

import base64
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from media.audio.g711 import samples_to_ulaw
from telephony.tokens import TTL
from telephony.twilio.signature import sign
from tests.peers.phone_caller import calling
from tests.server.phone.fakes import speech
from tests.server.phone.serving import closed, receive, send, serving
from tests.telephony import messages as twilio


async def test_a_call_is_held_from_start_to_stop() -> None:
    async with serving() as server, server.call() as websocket:
        session = await server.factory.sessions.get()
        await session.running.wait()
        await send(websocket, twilio.media(1, samples_to_ulaw(speech(160).samples)))
        await send(websocket, twilio.dtmf("5"))
        await session.pressed_once.wait()
        assert session.pressed == ["5"]
        assert session.frames[0].rate == 16_000
        session.say(320)
        first = await receive(websocket, "media")
        assert first["streamSid"] == twilio.STREAM
        assert base64.b64decode(first["media"]["payload"]) == samples_to_ulaw(speech(320).samples[:160])
        mark = await receive(websocket, "mark")
        assert mark["mark"]["name"] == "t1:320:0"
        await send(websocket, twilio.mark("t1:320:0"))
        await session.heard_all.wait()
        await send(websocket, twilio.stop())
        assert await closed(websocket) == (1000, "the caller hung up")
        assert session.left == "the caller hung up"
        assert not session.cancelled


async def test_a_caller_who_plays_as_twilio_does_hears_everything_in_order() -> None:
    async with serving() as server, calling(f"{server.url}/telephony/voice") as caller:
        session = await server.factory.sessions.get()
        await session.running.wait()
        session.say(4000)
        await session.heard_all.wait()
        assert b"".join(heard.frame for heard in caller.heard) == samples_to_ulaw(speech(4000).samples)


async def test_a_caller_who_hangs_up_without_a_word_ends_the_session() -> None:
    async with serving() as server:
        async with server.call():
            session = await server.factory.sessions.get()
            await session.running.wait()
        await session.over.wait()
        assert session.left == "the connection is gone"
        assert not session.cancelled


async def test_a_session_that_ends_closes_the_call() -> None:
    async with serving() as server, server.call() as websocket:
        session = await server.factory.sessions.get()
        session.done.set()
        assert (await closed(websocket))[0] == 1000
        assert session.left is None


async def test_a_session_that_hangs_up_closes_the_call_and_may_finish_first() -> None:
    async with serving() as server, server.call() as websocket:
        session = await server.factory.sessions.get()
        await session.running.wait()
        session.link.hang_up("goodbye")
        session.done.set()
        assert (await closed(websocket))[0] == 1000
        assert session.left is None
        assert not session.cancelled


async def test_a_session_that_does_not_end_is_cancelled() -> None:
    async with serving(wind_up=0.05) as server:
        server.factory.stubborn = True
        async with server.call() as websocket:
            session = await server.factory.sessions.get()
            await session.running.wait()
            await send(websocket, twilio.stop())
            assert (await closed(websocket))[0] == 1000
        assert session.cancelled


async def test_a_session_that_breaks_closes_the_call_with_an_error() -> None:
    async with serving() as server:
        server.factory.broken = True
        async with server.call() as websocket:
            assert (await closed(websocket))[0] == 1011
        assert server.factory.active_sessions == 0


async def test_a_flush_reaches_the_caller_before_anything_else() -> None:
    async with serving() as server, server.call() as websocket:
        session = await server.factory.sessions.get()
        await session.running.wait()
        session.say(16_000)
        await receive(websocket, "mark")
        session.playout.pause(session.link.flush())
        session.playout.cut()
        await receive(websocket, "clear")
        session.say(160, turn_id=2)
        assert (await receive(websocket, "mark"))["mark"]["name"].startswith("t2:")


async def test_a_shutdown_ends_calls_in_good_order() -> None:
    async with serving() as server, server.call() as websocket:
        session = await server.factory.sessions.get()
        await session.running.wait()
        await server.uvicorn.shutdown()
        assert (await closed(websocket))[0] == 1012
        await session.over.wait()
        assert session.left == "the connection is gone"


@pytest.mark.parametrize("token", ["", "guess"])
async def test_a_stream_without_a_valid_token_is_closed(token: str) -> None:
    async with serving() as server, server.call(token=token) as websocket:
        assert await closed(websocket) == (1008, "unknown token")
    assert server.factory.asked == []


async def test_a_token_opens_one_session() -> None:
    async with serving() as server:
        token = await server.token()
        async with server.call(token=token) as first:
            await server.factory.sessions.get()
            async with server.call(token=token) as second:
                assert await closed(second) == (1008, "the token has been used")
            await send(first, twilio.stop())
            assert (await closed(first))[0] == 1000
        async with server.call(token=token) as third:
            assert await closed(third) == (1008, "the token has been used")


async def test_a_token_of_another_call_is_refused() -> None:
    async with serving() as server, server.call(await server.token(), "CA" + "9" * 32) as websocket:
        assert await closed(websocket) == (1008, "unknown token")


async def test_a_token_expires() -> None:
    later = 0.0
    async with serving(clock=lambda: later) as server:
        token = await server.token()
        later = TTL
        async with server.call(token=token) as websocket:
            assert await closed(websocket) == (1008, "the token has expired")


async def test_a_call_too_many_is_sent_away() -> None:
    async with serving(max_sessions=1) as server:
        token = await server.token()
        server.factory.taken = 1
        async with server.call(token=token) as websocket:
            assert await closed(websocket) == (1013, "all sessions are taken")


async def test_a_stream_that_does_not_start_is_closed() -> None:
    async with serving(start_timeout=0.05) as server, connect(server.stream_url) as websocket:
        await send(websocket, twilio.connected())
        assert await closed(websocket) == (1008, "no stream has started")


async def test_a_line_without_any_audio_is_closed() -> None:
    async with serving(silence_timeout=0.05) as server, server.call() as websocket:
        session = await server.factory.sessions.get()
        assert await closed(websocket) == (1008, "no audio for 0.05 s")
        assert session.left == "no audio for 0.05 s"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([twilio.media(1)], 1002),
        ([twilio.connected(), twilio.media(1)], 1002),
        ([twilio.connected(), twilio.start(mediaFormat={"encoding": "audio/opus"})], 1008),
        ([{"event": 5}], 1008),
    ],
)
async def test_what_breaks_the_protocol_is_closed_with_its_code(said: list[dict[str, Any]], code: int) -> None:
    async with serving() as server, connect(server.stream_url) as websocket:
        for message in said:
            await send(websocket, message)
        assert (await closed(websocket))[0] == code


async def test_binary_and_broken_messages_end_a_running_call_without_a_traceback() -> None:
    async with serving() as server:
        async with server.call() as websocket:
            session = await server.factory.sessions.get()
            await session.running.wait()
            await websocket.send(b"\x00\x01")
            assert (await closed(websocket))[0] == 1003
            assert session.left == "messages are text, not binary"
        async with server.call(call_sid="CA" + "8" * 32) as websocket:
            for _ in range(20):
                await websocket.send("{")
            assert (await closed(websocket))[0] == 1008


async def test_what_twilio_may_add_one_day_is_passed_over() -> None:
    async with serving() as server, server.call() as websocket:
        session = await server.factory.sessions.get()
        await send(websocket, {"event": "weather", "streamSid": twilio.STREAM})
        await websocket.send("{")
        await send(websocket, twilio.dtmf("1"))
        await session.pressed_once.wait()


async def refusal(url: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, additional_headers={k.replace("_", "-"): v for k, v in headers.items()}):
            pass
    return caught.value.response.status_code


async def test_with_a_token_set_only_signed_handshakes_are_accepted() -> None:
    async with serving(auth_token="secret", public_url="https://voice.example") as server:
        assert await refusal(server.stream_url) == 403
        assert await refusal(server.stream_url, X_Twilio_Signature=sign("secret", "https://voice.example/x")) == 403
        signature = sign("secret", "wss://voice.example/telephony/stream")
        headers = {"X-Twilio-Signature": signature}
        async with connect(server.stream_url, additional_headers=headers) as websocket:
            await send(websocket, twilio.media(1))
            assert (await closed(websocket))[0] == 1002


async def test_without_a_token_only_this_machine_may_connect() -> None:
    async with serving() as server:
        assert await refusal(server.stream_url, X_Forwarded_For="127.0.0.1") == 403
        assert await refusal(server.stream_url, CF_Connecting_IP="127.0.0.1") == 403
        assert await refusal(server.stream_url, Origin="https://evil.example") == 403
        url = server.stream_url.replace("127.0.0.1", "localhost")
        async with connect(url, host="127.0.0.1") as websocket:
            await websocket.close()
