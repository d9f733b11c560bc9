"""The webhook that answers a call."""

from xml.etree import ElementTree

import httpx
import pytest

from server.phone.desk import BUSY
from server.phone.routes import MAX_FORM, NO_AGENT
from telephony.twilio.signature import sign
from tests.server.phone.serving import FORM, serving
from tests.telephony import messages as twilio


def stream(answer: httpx.Response) -> ElementTree.Element:
    found = ElementTree.fromstring(answer.text).find("Connect/Stream")
    assert found is not None, answer.text
    return found


def said(answer: httpx.Response) -> str | None:
    response = ElementTree.fromstring(answer.text)
    assert [verb.tag for verb in response] == ["Say", "Hangup"]
    return response.findtext("Say")


async def test_a_call_is_connected_to_the_stream() -> None:
    async with serving() as server:
        answer = await server.post()
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/xml")
        assert stream(answer).get("url") == server.stream_url
        assert len(await server.token()) >= 32


async def test_a_repeated_webhook_gets_the_same_answer_before_and_during_the_call() -> None:
    async with serving() as server:
        first = await server.post()
        assert (await server.post()).text == first.text
        async with server.call():
            await server.factory.sessions.get()
            assert (await server.post()).text == first.text
            assert (await server.post({**FORM, "CallSid": "CA" + "3" * 32})).text != first.text


async def test_the_public_url_is_what_twilio_is_told() -> None:
    async with serving(public_url="https://voice.example/v") as server:
        assert stream(await server.post()).get("url") == "wss://voice.example/v/telephony/stream"


async def test_the_query_names_the_agent() -> None:
    async with serving() as server:
        answer = await server.post(query="?agent=sales")
        token = ElementTree.fromstring(answer.text).find(".//Parameter")
        assert token is not None
        async with server.call(token=token.get("value")):
            await server.factory.sessions.get()
    assert server.factory.asked == [("sales", twilio.CALL, FORM["From"], "phone")]


async def test_an_unknown_agent_is_regretted() -> None:
    async with serving() as server:
        assert said(await server.post(query="?agent=nobody")) == NO_AGENT


async def test_a_call_too_many_is_told_so() -> None:
    async with serving(max_sessions=1) as server:
        first = await server.post()
        assert said(await server.post({**FORM, "CallSid": "CAother"})) == BUSY, "the one session is promised"
        assert (await server.post()).text == first.text, "to this call"
        server.factory.taken = 1
        assert said(await server.post({**FORM, "CallSid": "CAother"})) == BUSY


async def test_with_a_token_set_only_signed_webhooks_are_answered() -> None:
    async with serving(auth_token="secret", public_url="https://voice.example") as server:
        signature = sign("secret", "https://voice.example/telephony/voice?agent=demo", FORM.items())
        headers = {"X-Twilio-Signature": signature}
        assert (await server.post(query="?agent=demo", headers=headers)).status_code == 200
        assert (await server.post(query="?agent=sales", headers=headers)).status_code == 403
        assert (await server.post({**FORM, "Extra": ""}, "?agent=demo", headers)).status_code == 403
        assert (await server.post(query="?agent=demo")).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Host": "voice.example"}, {"X-Forwarded-For": "127.0.0.1"}, {"Origin": "https://evil.example"}, {"CF-Ray": "1"}],
)
async def test_without_a_token_only_this_machine_is_answered(headers: dict[str, str]) -> None:
    async with serving() as server:
        assert (await server.post(headers=headers)).status_code == 403


@pytest.mark.parametrize("call_sid", ["", "CA 1", "CA<1>", "C" * 65, "CA\n"])
async def test_a_webhook_without_a_call_is_refused(call_sid: str) -> None:
    async with serving() as server:
        assert (await server.post({**FORM, "CallSid": call_sid})).status_code == 400


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=x", 415),
        (b"a=" + b"x" * MAX_FORM, "application/x-www-form-urlencoded", 413),
        (b"&".join([b"a=1"] * 201), "application/x-www-form-urlencoded", 400),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400),
    ],
)
async def test_a_body_that_is_no_webhook_is_refused(body: bytes, kind: str, status: int) -> None:
    async with serving() as server, httpx.AsyncClient() as client:
        url = f"{server.url}/telephony/voice"
        answer = await client.post(url, content=body, headers={"content-type": kind})
        assert answer.status_code == status


async def test_only_post_is_answered() -> None:
    async with serving() as server, httpx.AsyncClient() as client:
        assert (await client.get(f"{server.url}/telephony/voice")).status_code == 405
