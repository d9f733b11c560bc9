"""Calls over the API: placed, listed, read and hung up by whom they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.calling import steps
from server.credits import audit, withdraw
from server.database import Database
from server.database.tables import Call, PhoneCall, Turn
from server.phone.book import CallFacts, CallOrder
from server.settings import Settings
from server.settings.phone import TelephonySettings, TwilioSettings
from tests.peers.carrier import Carrier, Person
from tests.server.calling.world import recorded
from tests.server.families.test_voice_agents import BODY
from tests.server.families.world import CREDITS, Client, World
from tests.server.gate.serving import served

AGENTS = "/api/voice-agent/agents"
CALLS = "/api/voice-agent/calls"
OUTBOUND = f"{CALLS}/outbound"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OURS, CALLEE = "+14155550123", "+447400123456"
TOKEN = "c" * 32
ORDER = {"agentId": "demo", "phoneNumber": CALLEE}


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    async with Carrier(TOKEN) as made:
        made.people[CALLEE] = Person(rings=30.0)
        yield made


def dialling(settings: Settings, carrier: Carrier, **changed: Any) -> Settings:
    telephony = TelephonySettings(
        **{
            "number": OURS,
            "countries": ("GB",),
            "quiet_from": time(0),
            "quiet_until": time(0),
            "twilio": TwilioSettings(account_sid=carrier.account, auth_token=SecretStr(TOKEN), api=carrier.url),
            **changed,
        }
    )
    server = settings.server.model_copy(update={"public_url": f"{carrier.url}/nowhere"})
    return settings.model_copy(update={"telephony": telephony, "server": server})


@pytest.fixture
async def dialler(settings: Settings, database: Database, carrier: Carrier) -> AsyncIterator[Client]:
    """An account on a server that dials."""
    wanted = dialling(settings, carrier)
    world = World(wanted, database)
    async with served(wanted, database, world.endpoints(), enabled=False) as service:
        yield Client(service.client, world)
    await world.calling.close()
    await world.library.close()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(PhoneCall)) or 0


async def delete(client: Client, path: str, headers: dict[str, str] | None = None) -> Any:
    return await client.http.delete(path, headers=headers or client.world.headers)


# Placed


async def test_a_server_that_cannot_dial_says_which_settings_are_missing(client: Client) -> None:
    answer = await client.post(OUTBOUND, json={"agentId": "agent_abc", "phoneNumber": "+1234567890"})
    assert answer.status_code == 403
    assert answer.json()["code"] == "FORBIDDEN"
    assert answer.json()["reason"] == "NOT_CONFIGURED"
    assert "telephony.twilio.account_sid" in answer.json()["error"]


async def test_a_call_is_ordered_and_placed_at_the_carrier(dialler: Client, carrier: Carrier) -> None:
    answer = await dialler.post(OUTBOUND, json={**ORDER, "variables": {"name": "Ada", "age": 36}})
    assert answer.status_code == 200, answer.text
    call_id = answer.json()["data"]["callId"]
    assert answer.json() == {"data": {"callId": call_id, "status": "active"}}
    assert dialler.world.balance() == CREDITS - 10
    await until(lambda: carrier.calls)
    (placed,) = carrier.calls.values()
    assert (placed.caller, placed.called) == (OURS, CALLEE)
    assert placed.answer_url == f"{carrier.url}/nowhere/telephony/outbound/{call_id}"
    assert placed.status_url == f"{carrier.url}/nowhere/telephony/status/{call_id}"
    row = dialler.world.database.run_here(lambda session: session.get_one(PhoneCall, call_id))
    assert row.variables == {"name": "Ada", "age": 36}


async def test_the_same_order_with_the_same_key_is_one_call(dialler: Client, carrier: Carrier) -> None:
    headers = {**dialler.world.headers, "idempotency-key": "once"}
    first = await dialler.post(OUTBOUND, json=ORDER, headers=headers)
    again = await dialler.post(OUTBOUND, json=ORDER, headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    other = await dialler.post(OUTBOUND, json={**ORDER, "variables": {"a": 1}}, headers=headers)
    assert other.status_code == 409
    await until(lambda: carrier.calls)
    assert (dialler.world.database.run_here(count), len(carrier.calls)) == (1, 1)


@pytest.mark.parametrize(
    ("changed", "status", "begins", "reason"),
    [
        ({"agentId": None}, 400, "agentId", None),
        ({"phoneNumber": None}, 400, "phoneNumber", None),
        ({"phoneNumber": "07400 123456"}, 400, "phoneNumber must be in E.164 form", "NOT_E164"),
        ({"phoneNumber": "+4474001234"}, 400, "phoneNumber has the form", "NO_SUCH_NUMBER"),
        ({"phoneNumber": "+393331234567"}, 403, "phoneNumber is in IT, and calls go only to: GB", "COUNTRY"),
        ({"phoneNumber": "+449012345678"}, 403, "phoneNumber is a premium-rate number", "COSTLY"),
        ({"agentId": "agent_unknown"}, 400, "agentId: there is no such agent", "NO_SUCH_AGENT"),
        ({"variables": {"no name": "x"}}, 400, "variables: a name in it has not the form", None),
        ({"variables": {"name": ["x"]}}, 400, "variables", None),
        ({"variables": {"name": "x" * 1001}}, 400, "variables.name", None),
    ],
)
async def test_what_is_wrong_with_an_order_is_named_and_nothing_is_left_of_it(
    dialler: Client, changed: dict[str, Any], status: int, begins: str, reason: str | None
) -> None:
    answer = await dialler.post(OUTBOUND, json={**ORDER, **changed})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith(begins), answer.text
    assert answer.json().get("reason") == reason
    assert (dialler.world.balance(), dialler.world.database.run_here(count)) == (CREDITS, 0)


async def test_caps_and_lists_answer_with_their_own_statuses(dialler: Client) -> None:
    await dialler.post("/api/voice-agent/do-not-call", json={"number": "+447400123499"})
    listed = await dialler.post(OUTBOUND, json={**ORDER, "phoneNumber": "+447400123499"})
    assert (listed.status_code, listed.json()["reason"]) == (403, "DO_NOT_CALL")
    assert (await dialler.post(OUTBOUND, json=ORDER)).status_code == 200
    twice = await dialler.post(OUTBOUND, json=ORDER)
    assert (twice.status_code, twice.json()["code"], twice.json()["reason"]) == (409, "CONFLICT", "BEING_CALLED")
    assert (await dialler.post(OUTBOUND, json={**ORDER, "phoneNumber": "+447400123457"})).status_code == 200
    third = await dialler.post(OUTBOUND, json={**ORDER, "phoneNumber": "+447400123458"})
    assert (third.status_code, third.json()["reason"], third.headers["retry-after"]) == (429, "CONCURRENCY", "10")


async def test_without_credits_nobody_is_called(dialler: Client) -> None:
    dialler.world.database.run_here(withdraw, dialler.world.account, CREDITS - 9, "elsewhere")
    answer = await dialler.post(OUTBOUND, json=ORDER)
    assert (answer.status_code, answer.json()["code"]) == (402, "PAYMENT_REQUIRED")
    assert dialler.world.database.run_here(count) == 0


async def test_nobody_calls_with_anothers_agent(dialler: Client) -> None:
    stranger = dialler.world.stranger()
    for agent_id in ("demo", (await dialler.post(AGENTS, json=BODY)).json()["data"]["id"]):
        answer = await dialler.post(OUTBOUND, json={**ORDER, "agentId": agent_id}, headers=stranger)
        assert (answer.status_code, answer.json()["reason"]) == (400, "NO_SUCH_AGENT")


# Hung up


async def test_a_call_that_rings_is_cancelled_and_hanging_up_again_changes_nothing(
    dialler: Client, carrier: Carrier
) -> None:
    call_id = (await dialler.post(OUTBOUND, json=ORDER)).json()["data"]["callId"]
    await until(lambda: [call for call in carrier.calls.values() if call.status == "ringing"])
    for _ in range(2):
        answer = await delete(dialler, f"{CALLS}/{call_id}")
        assert (answer.status_code, answer.json()) == (200, {"data": {"callId": call_id, "status": "canceled"}})
    assert [call.status for call in carrier.calls.values()] == ["canceled"]
    assert (dialler.world.balance(), dialler.world.database.run_here(audit)) == (CREDITS, [])


async def test_only_ones_own_telephone_calls_are_hung_up(dialler: Client) -> None:
    call_id = (await dialler.post(OUTBOUND, json=ORDER)).json()["data"]["callId"]
    stranger = dialler.world.stranger()
    for path, headers in ((call_id, stranger), ("call_unknown", None)):
        answer = await delete(dialler, f"{CALLS}/{path}", headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    dialler.world.database.run_here(calls, "demo", 1)
    browser = await delete(dialler, f"{CALLS}/call-demo-0")
    assert browser.status_code == 409


async def test_a_call_of_a_carrier_that_cannot_be_told_ends_where_its_stream_is(client: Client) -> None:
    books, here = client.world.calling.books, client.world.here
    order = await books.incoming("telnyx-1", carrier="telnyx", caller=CALLEE, called=OURS, agent_id=None)
    assert isinstance(order, CallOrder)
    assert (await delete(client, f"{CALLS}/{order.call_id}")).status_code == 503
    here.calls.add(order.call_id)
    assert (await delete(client, f"{CALLS}/{order.call_id}")).json()["data"]["status"] == "in-progress"
    assert here.finished == [(order.call_id, "", "hung up over the API")]


# Listed and read


async def test_a_telephone_call_shows_state_times_cost_and_what_came_of_it(client: Client) -> None:
    world = client.world
    books = world.calling.books
    order = await books.incoming("CA" + "1" * 32, carrier="twilio", caller=CALLEE, called=OURS, agent_id=None)
    assert isinstance(order, CallOrder)
    call_id = order.call_id
    active = (await client.get(f"{CALLS}?id={call_id}")).json()["data"]
    assert (active["status"], active["durationSeconds"], active["endedAt"]) == ("in-progress", None, None)
    key = f"recordings/{call_id}.wav"
    await books.note(call_id, CallFacts("human", "booked a table"))
    recorded(world.database, call_id, key)
    assert (await client.get(f"{CALLS}?id={call_id}")).json()["data"]["recordingUrl"] is None, "on its way to storage"
    world.store(key)
    world.database.run_here(turn, call_id)
    await books.report("", "completed", sid="CA" + "1" * 32, seconds=75)
    (shown,) = (await client.get(CALLS)).json()["data"]
    assert "transcript" not in shown
    assert world.opened(shown.pop("recordingUrl")) == key
    assert shown | {"startedAt": "", "answeredAt": "", "endedAt": ""} == {
        "id": call_id,
        "agentId": "demo",
        "channel": "phone",
        "direction": "inbound",
        "peer": CALLEE,
        "status": "completed",
        "startedAt": "",
        "answeredAt": "",
        "endedAt": "",
        "durationSeconds": 75.0,
        "endReason": "completed",
        "turns": 1,
        "cost": 0,
        "answeredBy": "human",
        "outcome": "booked a table",
        "error": None,
    }
    in_full = (await client.get(f"{CALLS}?id={call_id}")).json()["data"]
    assert in_full["transcript"] == [
        {
            "at": "2026-05-01T12:00:00.000Z",
            "caller": "hi",
            "agent": "hello, how are you?",
            "heard": "hello",
            "interrupted": True,
            "words": {"caller": [["hi", 0.1, 0.4]], "agent": [["hello", 1.0, 1.4]]},
        }
    ]
    stranger = world.stranger()
    assert (await client.get(f"{CALLS}?id={call_id}", headers=stranger)).status_code == 404
    assert (await client.get(CALLS, headers=stranger)).json()["data"] == []


def turn(session: Session, call_id: str) -> None:
    session.add(
        Turn(
            call_id=call_id,
            sequence=0,
            began=NOON,
            transcript="hi",
            answer="hello, how are you?",
            heard="hello",
            stages_ms={},
            model="m",
            interrupted=True,
            words={"caller": [["hi", 0.1, 0.4]], "agent": [["hello", 1.0, 1.4]]},
        )
    )


async def test_calls_are_filtered_by_status_direction_and_agent(client: Client) -> None:
    world = client.world
    agent = (await client.post(AGENTS, json=BODY)).json()["data"]["id"]
    world.database.run_here(calls, agent, 2)  # in the browser: one has ended, one goes on

    def phone(session: Session) -> list[str]:
        made: list[str] = []
        for direction, status in (("outbound", "busy"), ("outbound", "ringing"), ("inbound", "completed")):
            call = steps.add(
                session,
                account_id=world.account,
                agent_id="demo",
                direction=direction,
                carrier="twilio",
                own_number=OURS,
                peer=CALLEE,
                price=0,
                now=NOON + timedelta(hours=len(made)),
            )
            steps.report(session, call, status, now=NOON + timedelta(hours=5))
            made.append(call.call_id)
        return made

    busy, ringing, completed = world.database.run_here(phone)
    ended, active = f"call-{agent}-0", f"call-{agent}-1"
    for query, expected in (
        ("", [completed, ringing, active, busy, ended]),
        ("status=active", [ringing, active]),
        ("status=completed", [completed, ended]),
        ("status=busy", [busy]),
        ("direction=outbound", [ringing, busy]),
        ("direction=inbound", [completed, active, ended]),
        (f"agentId={agent}", [active, ended]),
        (f"status=active&startingAfter={ringing}", [active]),
    ):
        found = (await client.get(f"{CALLS}?{query}")).json()["data"]
        assert [call["id"] for call in found] == expected, query
    for query in ("status=gone", "direction=up", "limit=0", f"status=busy&startingAfter={ringing}"):
        assert (await client.get(f"{CALLS}?{query}")).status_code == 400


def calls(session: Session, agent: str, count: int) -> None:
    for number in range(count):
        began = NOON + timedelta(minutes=number)
        ended = None if number == count - 1 else began + timedelta(seconds=30)
        call_id = f"call-{agent}-{number}"
        session.add(
            Call(
                id=call_id,
                agent=agent,
                channel="browser",
                peer="192.0.2.1",
                started=began,
                ended=ended,
                end_reason="hung up" if ended else None,
            )
        )
        session.flush()
        session.add(
            Turn(
                call_id=call_id,
                sequence=0,
                began=began,
                transcript="hi",
                answer="hello",
                heard="hello",
                stages_ms={},
                model="m",
                interrupted=False,
            )
        )


async def test_calls_come_in_pages_the_newest_first(client: Client) -> None:
    agent = (await client.post(AGENTS, json=BODY)).json()["data"]["id"]
    client.world.database.run_here(calls, agent, 3)
    first = (await client.get(f"{CALLS}?limit=2")).json()
    assert [call["id"] for call in first["data"]] == [f"call-{agent}-2", f"call-{agent}-1"]
    assert first["hasMore"] is True
    assert first["data"][1] == {
        "id": f"call-{agent}-1",
        "agentId": agent,
        "channel": "browser",
        "direction": "inbound",
        "peer": "192.0.2.1",
        "status": "completed",
        "startedAt": "2026-05-01T12:01:00.000Z",
        "answeredAt": "2026-05-01T12:01:00.000Z",
        "endedAt": "2026-05-01T12:01:30.000Z",
        "durationSeconds": 30.0,
        "endReason": "hung up",
        "turns": 1,
        "cost": 0,
        "answeredBy": None,
        "outcome": None,
        "error": None,
        "recordingUrl": None,
    }
    assert first["data"][0]["status"] == "active"
    rest = (await client.get(f"{CALLS}?startingAfter=call-{agent}-1")).json()
    assert ([call["id"] for call in rest["data"]], rest["hasMore"]) == ([f"call-{agent}-0"], False)
    assert (await client.get(f"{CALLS}?agentId=other")).json()["data"] == []
    assert (await client.get(f"{CALLS}?startingAfter=unknown")).status_code == 400


async def test_calls_belong_to_the_account_of_their_agent_and_configured_agents_to_the_first(client: Client) -> None:
    stranger = client.world.stranger()
    answer = await client.post(AGENTS, json=BODY, headers=stranger)
    theirs = answer.json()["data"]["id"]
    for agent in (theirs, "demo", "agent-that-was-deleted"):
        client.world.database.run_here(calls, agent, 1)
    assert [call["agentId"] for call in (await client.get(CALLS)).json()["data"]] == ["demo"]
    assert [call["agentId"] for call in (await client.get(CALLS, headers=stranger)).json()["data"]] == [theirs]
    hidden = await client.get(f"{CALLS}?startingAfter=call-demo-0", headers=stranger)
    assert hidden.status_code == 400
