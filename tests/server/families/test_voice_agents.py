"""Voice agents and their calls: made, listed and read by whom they belong to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from server.database.tables import Call, Turn
from tests.server.families.world import Client

AGENTS = "/api/voice-agent/agents"
CALLS = "/api/voice-agent/calls"
BODY: dict[str, Any] = {
    "name": "Lucia",
    "systemPrompt": "You are Lucia, the host of a restaurant.",
    "greeting": "Good day, this is Lucia.",
    "ttsModel": "kokoro",
    "llmModel": "default",
}
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def make(client: Client, **changed: Any) -> dict[str, Any]:
    answer = await client.post(AGENTS, json={**BODY, **changed})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


async def test_an_agent_is_made_and_can_be_read(client: Client) -> None:
    avatar = await client.world.avatar()
    made = await make(client, llmModel="large-model", avatarId=avatar.id, voiceId="kokoro:ef_dora")
    shown = {name: made[name] for name in BODY}
    assert shown == {**BODY, "llmModel": "large-model"}
    assert (made["status"], made["avatarId"], made["voiceId"], made["language"]) == (
        "ready",
        avatar.id,
        "kokoro:ef_dora",
        "es",
    )
    assert (await client.get(AGENTS)).json() == {"data": [made]}
    assert (await client.get(f"{AGENTS}?id={made['id']}")).json() == {"data": made}


async def test_an_agent_is_its_accounts_alone(client: Client) -> None:
    made = await make(client)
    stranger = client.world.stranger()
    assert (await client.get(AGENTS, headers=stranger)).json() == {"data": []}
    answer = await client.get(f"{AGENTS}?id={made['id']}", headers=stranger)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    avatar = await client.world.avatar()
    theirs = await client.post(AGENTS, json={**BODY, "avatarId": avatar.id}, headers=stranger)
    assert (theirs.status_code, theirs.json()["error"][:8]) == (400, "avatarId")


async def test_what_cannot_be_is_named(client: Client) -> None:
    for changed, error in (
        ({"name": " "}, "name: "),
        ({"systemPrompt": None}, "systemPrompt: "),
        ({"ttsModel": "loud"}, "ttsModel: "),
        ({"llmModel": "gpt-x"}, "llmModel: there is no such model here; there are: default, large-model"),
        ({"voiceId": "nobody"}, "voiceId: there is no voice"),
        ({"voiceId": "kokoro:ef_dora", "language": "en"}, "voiceId: kokoro:ef_dora speaks es"),
        ({"language": "de"}, "language: no voice here speaks 'de'"),
    ):
        answer = await client.post(AGENTS, json={**BODY, **changed})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"].startswith(error), answer.text


def calls(session: Session, agent: str, count: int) -> None:
    for number in range(count):
        began = NOON + timedelta(minutes=number)
        ended = None if number == count - 1 else began + timedelta(seconds=30)
        call_id = f"call-{agent}-{number}"
        session.add(
            Call(
                id=call_id,
                agent=agent,
                channel="phone",
                peer="+15550100",
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
    agent = (await make(client))["id"]
    client.world.database.run_here(calls, agent, 3)
    first = (await client.get(f"{CALLS}?limit=2")).json()
    assert [call["id"] for call in first["data"]] == [f"call-{agent}-2", f"call-{agent}-1"]
    assert first["hasMore"] is True
    assert first["data"][1] == {
        "id": f"call-{agent}-1",
        "agentId": agent,
        "channel": "phone",
        "peer": "+15550100",
        "status": "completed",
        "startedAt": "2026-05-01T12:01:00.000Z",
        "endedAt": "2026-05-01T12:01:30.000Z",
        "durationSeconds": 30.0,
        "endReason": "hung up",
        "turns": 1,
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
