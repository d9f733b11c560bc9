"""Whoever is not the carrier gets nowhere: every webhook, every stream, every carrier."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect

from server.phone.options import CarrierName
from telephony.plivo import signature as plivo_signature
from tests.server.phone.serving import Server, closed, send, serving
from tests.telephony import messages as twilio

PUBLIC = "https://voice.example"
TOKEN = "c" * 32
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
WEBHOOKS = [
    "/telephony/voice",
    "/telephony/voice?agent=sales",
    "/telephony/outbound/call_1",
    "/telephony/status",
    "/telephony/status/call_1",
    "/telephony/next/call_1",
    "/telephony/hold/call_1",
    "/telephony/transferred/call_1",
    "/telephony/briefing/call_1",
    "/telephony/briefing/call_1/status",
    "/telephony/briefed/call_1",
]
CARRIERS: list[CarrierName] = ["twilio", "telnyx", "plivo"]

Form = Mapping[str, str]
Headers = dict[str, str]


def by_twilio(url: str, form: Form, token: str = TOKEN) -> Headers:
    return {"X-Twilio-Signature": str(RequestValidator(token).compute_signature(url, dict(form)))}


def by_telnyx(url: str, form: Form, key: Ed25519PrivateKey = KEY, at: float = 0.0) -> Headers:
    stamp = str(int(at or time.time()))
    signature = key.sign(f"{stamp}|{urlencode(form)}".encode())
    return {"telnyx-signature-ed25519": base64.b64encode(signature).decode(), "telnyx-timestamp": stamp}


def by_plivo(url: str, form: Form, token: str = TOKEN) -> Headers:
    signature = plivo_signature.sign(token, url, "5023", form.items())
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": "5023"}


@dataclass(frozen=True)
class Peer:
    """A carrier as it writes and signs, and somebody who does not know its secret."""

    secret: str
    sign: Callable[[str, Form], Headers]
    forge: Callable[[str, Form], Headers]
    form: Form
    other: Form


def _peer(carrier: CarrierName) -> Peer:
    numbers = {"From": "+15005550006", "To": "+15005550001", "CallStatus": "ringing"}
    ids = ("CallUUID", "97ceeb52-aaaa", "97ceeb52-bbbb") if carrier == "plivo" else ("CallSid", "CA1", "CA2")
    form, other = {ids[0]: ids[1], **numbers}, {ids[0]: ids[2], **numbers}
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    return {
        "twilio": Peer(TOKEN, by_twilio, lambda url, form: by_twilio(url, form, "x" * 32), form, other),
        "telnyx": Peer(public, by_telnyx, lambda url, form: by_telnyx(url, form, STRANGER), form, other),
        "plivo": Peer(TOKEN, by_plivo, lambda url, form: by_plivo(url, form, "x" * 32), form, other),
    }[carrier]


async def post(server: Server, path: str, form: Form, headers: Headers) -> httpx.Response:
    content = urlencode(form)
    kind = {"content-type": "application/x-www-form-urlencoded"}
    async with httpx.AsyncClient(verify=False) as client:
        return await client.post(server.url + path, content=content, headers={**kind, **headers})


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_every_webhook_wants_the_carriers_signature(carrier: CarrierName) -> None:
    peer = _peer(carrier)
    async with serving(carrier=carrier, auth_token=peer.secret, public_url=PUBLIC, seconds=30) as server:
        for path in WEBHOOKS:
            url = PUBLIC + path
            good = peer.sign(url, peer.form)
            refused = {
                "missing": {},
                "empty": dict.fromkeys(good, ""),
                "forged": peer.forge(url, peer.form),
                "of another form": peer.sign(url, {**peer.form, "From": "+15005550007"}),
            }
            if carrier != "telnyx":  # which signs bodies, not URLs
                refused["of another URL"] = peer.sign(f"{PUBLIC}/telephony/other", peer.form)
            for why, headers in refused.items():
                assert (await post(server, path, peer.form, headers)).status_code == 403, (path, why)
            assert (await post(server, path, {**peer.form, "Extra": "1"}, good)).status_code == 403, path
            assert (await post(server, path, peer.form, good)).status_code in (200, 204), path


async def test_a_webhook_that_telnyx_sent_long_ago_is_a_replay() -> None:
    peer = _peer("telnyx")
    async with serving(carrier="telnyx", auth_token=peer.secret, public_url=PUBLIC) as server:
        old = by_telnyx("", peer.form, at=time.time() - 301)
        assert (await post(server, "/telephony/voice", peer.form, old)).status_code == 403


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_without_a_secret_only_this_machine_is_answered(carrier: CarrierName) -> None:
    peer = _peer(carrier)
    async with serving(carrier=carrier) as server:
        for path in WEBHOOKS:
            assert (await post(server, path, peer.form, {})).status_code in (200, 204), path
            assert (await post(server, path, peer.form, {"X-Forwarded-For": "127.0.0.1"})).status_code == 403, path


# Streams


def begin(carrier: CarrierName, call: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """The first messages of a carrier's stream."""
    if carrier == "twilio":
        return [twilio.connected(), twilio.start(dict(parameters), call)]
    if carrier == "telnyx":
        audio = {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
        content = {"call_control_id": call, "custom_parameters": parameters, "media_format": audio}
        start = {"event": "start", "sequence_number": "1", "stream_id": "s1", "start": content}
        return [{"event": "connected", "version": "1.0.0"}, start]
    audio = {"encoding": "audio/x-mulaw", "sampleRate": 8000}
    content = {"callId": call, "streamId": "s1", "accountId": "", "tracks": ["inbound"], "mediaFormat": audio}
    headers = ";".join(f"{name}={value}" for name, value in parameters.items())
    return [{"event": "start", "sequenceNumber": 1, "start": content, "extra_headers": headers}]


def given(document: str) -> dict[str, str]:
    """The parameters of the stream in a carrier's document."""
    root = ElementTree.fromstring(document)
    if (plain := root.find("Stream")) is not None:
        return dict(pair.split("=", 1) for pair in str(plain.get("extraHeaders")).split(","))
    return {str(noun.get("name")): str(noun.get("value")) for noun in root.iter("Parameter")}


async def opened(server: Server, carrier: CarrierName, call: str, parameters: Mapping[str, str]) -> ClientConnection:
    url = f"{PUBLIC.replace('https', 'wss')}/telephony/stream"
    headers = by_twilio(url, {}) if carrier == "twilio" else {}
    websocket = await connect(server.stream_url, additional_headers=headers)
    for message in begin(carrier, call, parameters):
        await send(websocket, message)
    return websocket


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_token_lets_its_own_call_in_once(carrier: CarrierName) -> None:
    peer = _peer(carrier)
    call, other = next(iter(peer.form.values())), next(iter(peer.other.values()))
    async with serving(carrier=carrier, auth_token=peer.secret, public_url=PUBLIC) as server:
        url = f"{PUBLIC}/telephony/voice"
        mine = given((await post(server, "/telephony/voice", peer.form, peer.sign(url, peer.form))).text)
        theirs = given((await post(server, "/telephony/voice", peer.other, peer.sign(url, peer.other))).text)
        assert mine["token"].isalnum()
        assert mine != theirs
        for sid, parameters in [
            (call, {}),
            (call, {"token": "x"}),
            (call, {**mine, "token": theirs["token"]}),
            (other, mine),
            (other, {**theirs, "token": mine["token"]}),
        ]:
            websocket = await opened(server, carrier, sid, parameters)
            assert (await closed(websocket))[0] == 1008, (sid, parameters)
        assert server.factory.asked == []
        first = await opened(server, carrier, call, mine)
        session = await server.factory.sessions.get()
        await session.running.wait()
        again = await opened(server, carrier, call, mine)
        assert await closed(again) == (1008, "the token has been used")
        await first.close()
        await session.over.wait()
        after = await opened(server, carrier, call, mine)
        assert await closed(after) == (1008, "the token has been used")


async def test_a_telnyx_stream_may_bring_its_token_in_its_url() -> None:
    peer = _peer("telnyx")
    async with serving(carrier="telnyx", auth_token=peer.secret, public_url=PUBLIC) as server:
        url = f"{PUBLIC}/telephony/voice"
        document = (await post(server, "/telephony/voice", peer.form, peer.sign(url, peer.form))).text
        stream = ElementTree.fromstring(document).find("Connect/Stream")
        assert stream is not None
        local = str(stream.get("url")).replace(PUBLIC.replace("https", "wss"), server.url.replace("http", "ws"))
        for _ in range(2):
            async with connect(local) as websocket:
                for message in begin("telnyx", "v3:something-else", {}):
                    await send(websocket, message)
                if server.factory.sessions.empty() and not server.factory.asked:
                    session = await server.factory.sessions.get()
                    await session.running.wait()
                else:
                    assert await closed(websocket) == (1008, "the token has been used")
        assert len(server.factory.asked) == 1


@pytest.mark.parametrize("carrier", ["telnyx", "plivo"])
async def test_the_agent_speaks_and_hears_in_each_carriers_words(carrier: CarrierName) -> None:
    peer = _peer(carrier)
    call = next(iter(peer.form.values()))
    async with serving(carrier=carrier, auth_token=peer.secret, public_url=PUBLIC) as server:
        url = f"{PUBLIC}/telephony/voice"
        mine = given((await post(server, "/telephony/voice", peer.form, peer.sign(url, peer.form))).text)
        async with await opened(server, carrier, call, mine) as websocket:
            session = await server.factory.sessions.get()
            await session.running.wait()
            session.say(160)
            said = json.loads(await websocket.recv())
            assert said["event"] == {"telnyx": "media", "plivo": "playAudio"}[carrier]
            assert len(base64.b64decode(said["media"]["payload"])) == 160
            key = {"event": "dtmf", "stream_id": "s1", "streamId": "s1", "dtmf": {"digit": "5"}}
            await send(websocket, key)
            await session.pressed_once.wait()
            assert session.pressed == ["5"]
