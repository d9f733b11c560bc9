"""The REST adapter against a server that speaks Twilio's API on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx2
import pytest

from telephony.twilio import rest
from telephony.twilio.rest import CarrierCall, CarrierRefused, CarrierUnavailable, CarrierUnsure, TwilioCalls

ACCOUNT, TOKEN = "AC" + "0" * 32, "0123456789abcdef0123456789abcdef"
SID = "CA" + "1" * 32
CALL = f'{{"sid": "{SID}", "status": "queued", "duration": null}}'
NO_CALL = '{"code": 20404, "message": "The requested resource was not found", "status": 404}'


@dataclass
class Twilio:
    """Answers one request after the other with what it was given; None: never answers."""

    answers: list[tuple[int, str] | None]
    heard: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
            )
            body = (await reader.readexactly(length)).decode()
            self.heard.append((head.split(" HTTP")[0], parse_qs(body)))
            answer = self.answers.pop(0)
            if answer is None:
                await reader.read()  # until the client gives up
                return
            status, text = answer
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
            )
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def twilio(*answers: tuple[int, str] | None) -> AsyncIterator[tuple[Twilio, TwilioCalls]]:
    peer = Twilio(list(answers))
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        calls = TwilioCalls(ACCOUNT, TOKEN, api=f"http://127.0.0.1:{port}", timeout=httpx2.Timeout(0.2))
        try:
            yield peer, calls
        finally:
            await calls.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "RETRY_AFTER", 0.0)


async def place(calls: TwilioCalls) -> CarrierCall:
    return await calls.place(
        to="+442079460018",
        caller="+14155550123",
        answer_url="https://v.example/answer",
        status_url="https://v.example/s",
    )


async def test_a_call_is_placed_as_twilio_documents_it() -> None:
    async with twilio((201, CALL)) as (peer, calls):
        assert await place(calls) == CarrierCall(SID, "queued", None)
    [(request, form)] = peer.heard
    assert request == f"POST /2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    assert form == {
        "To": ["+442079460018"],
        "From": ["+14155550123"],
        "Url": ["https://v.example/answer"],
        "Method": ["POST"],
        "StatusCallback": ["https://v.example/s"],
        "StatusCallbackMethod": ["POST"],
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
        "Timeout": ["30"],
        "TimeLimit": ["3600"],
    }


async def test_a_refusal_says_why_and_is_not_asked_again() -> None:
    text = '{"code": 21215, "message": "Account not authorized to call +442079460018", "status": 400}'
    async with twilio((400, text)) as (peer, calls):
        with pytest.raises(CarrierRefused, match="not authorized") as caught:
            await place(calls)
    assert caught.value.code == 21215
    assert len(peer.heard) == 1


async def test_wrong_credentials_name_their_settings() -> None:
    async with twilio((401, '{"code": 20003, "message": "Authenticate", "status": 401}')) as (_, calls):
        with pytest.raises(CarrierRefused, match=r"telephony\.twilio\.account_sid") as caught:
            await place(calls)
    assert TOKEN not in str(caught.value)


async def test_a_carrier_that_is_too_busy_is_asked_once_more() -> None:
    async with twilio((429, "{}"), (201, CALL)) as (peer, calls):
        assert (await place(calls)).sid == SID
    assert len(peer.heard) == 2


async def test_a_carrier_that_stays_too_busy_is_left_alone() -> None:
    async with twilio((429, "{}"), (429, "{}")) as (_, calls):
        with pytest.raises(CarrierUnavailable):
            await place(calls)


@pytest.mark.parametrize("answer", [None, (500, "{}"), (201, "not JSON"), (503, "<html>")])
async def test_nobody_is_called_twice_where_it_is_not_known_whether_they_were_called(
    answer: tuple[int, str] | None,
) -> None:
    async with twilio(answer, (201, CALL)) as (peer, calls):
        with pytest.raises(CarrierUnsure):
            await place(calls)
    assert len(peer.heard) == 1


async def test_a_carrier_that_is_not_there_is_unavailable() -> None:
    async with twilio() as (_, calls):
        pass
    calls = TwilioCalls(ACCOUNT, TOKEN, api="http://127.0.0.1:9", timeout=httpx2.Timeout(0.5))
    try:
        with pytest.raises(CarrierUnavailable):
            await place(calls)
    finally:
        await calls.close()


async def test_what_may_be_said_twice_is_said_twice() -> None:
    ended = f'{{"sid": "{SID}", "status": "completed", "duration": "42"}}'
    async with twilio((502, ""), (200, ended)) as (peer, calls):
        assert await calls.hang_up(SID) == CarrierCall(SID, "completed", 42)
    assert [form for _, form in peer.heard] == [{"Status": ["completed"]}] * 2


async def test_a_call_that_rings_is_cancelled_one_that_is_answered_is_completed_or_redirected() -> None:
    async with twilio((200, CALL), (200, CALL), (200, CALL)) as (peer, calls):
        await calls.hang_up(SID, ringing=True)
        await calls.redirect(SID, "<Response><Dial>+14155550199</Dial></Response>")
        await calls.status(SID)
    assert [form for _, form in peer.heard] == [
        {"Status": ["canceled"]},
        {"Twiml": ["<Response><Dial>+14155550199</Dial></Response>"]},
        {},
    ]
    assert peer.heard[2][0] == f"GET /2010-04-01/Accounts/{ACCOUNT}/Calls/{SID}.json"


async def test_a_call_that_twilio_does_not_know_is_said_so() -> None:
    async with twilio((404, NO_CALL)) as (_, calls):
        with pytest.raises(CarrierRefused, match="knows no such call"):
            await calls.status(SID)


OF_THEN, OF_NOW, OF_NOW_2 = (f"CA{digit * 32}" for digit in "abc")


def listed(*calls: tuple[str, str, str]) -> str:
    shown = [
        {"sid": sid, "status": "ringing", "duration": None, "direction": direction, "date_created": created}
        for sid, direction, created in calls
    ]
    return json.dumps({"calls": shown, "page": 0, "page_size": 50, "next_page_uri": None})


async def test_calls_that_were_placed_are_found_by_their_numbers_and_time() -> None:
    page = listed(
        (OF_NOW_2, "outbound-api", "Fri, 01 May 2026 12:00:05 +0000"),
        ("CA" + "d" * 32, "inbound", "Fri, 01 May 2026 12:00:03 +0000"),
        (OF_NOW, "outbound-api", "Fri, 01 May 2026 12:00:00 +0000"),
        (OF_THEN, "outbound-api", "Fri, 01 May 2026 11:59:59 +0000"),
    )
    async with twilio((503, ""), (200, page)) as (peer, calls):
        since = datetime(2026, 5, 1, 12, tzinfo=UTC)
        found = await calls.find(to="+442079460018", caller="+14155550123", since=since)
    assert found == [CarrierCall(OF_NOW, "ringing", None), CarrierCall(OF_NOW_2, "ringing", None)]
    path, _, query = peer.heard[1][0].removeprefix("GET ").partition("?")
    assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    assert parse_qs(query) == {"To": ["+442079460018"], "From": ["+14155550123"], "PageSize": ["50"]}


@pytest.mark.parametrize(
    ("status", "error"), [(401, CarrierRefused), (429, CarrierUnavailable), (500, CarrierUnsure), (200, CarrierUnsure)]
)
async def test_a_list_that_does_not_come_says_why(status: int, error: type[Exception]) -> None:
    async with twilio((status, "{}"), (status, "{}")) as (_, calls):
        with pytest.raises(error):
            await calls.find(to="+442079460018", caller="+14155550123", since=datetime(2026, 5, 1, tzinfo=UTC))
