"""Voice agents: made, listed and read by whom they belong to."""

from __future__ import annotations

from typing import Any

from tests.server.families.world import Client

AGENTS = "/api/voice-agent/agents"
BODY: dict[str, Any] = {
    "name": "Lucia",
    "systemPrompt": "You are Lucia, the host of a restaurant.",
    "greeting": "Good day, this is Lucia.",
    "ttsModel": "kokoro",
    "llmModel": "default",
}


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


async def test_how_it_behaves_on_the_telephone_is_kept(client: Client) -> None:
    assert (await make(client))["phone"]["onMachine"] == "hang_up"
    phone = {"onMachine": "leave_message", "message": "Please call us back.", "recording": True}
    made = await make(client, phone=phone)
    assert made["phone"].items() >= phone.items()
    assert (await client.get(f"{AGENTS}?id={made['id']}")).json()["data"]["phone"] == made["phone"]


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
        ({"phone": {"onMachine": "shout"}}, "phone.onMachine: "),
        ({"phone": {"onMachine": "leave_message"}}, "phone: message must be set where onMachine is leave_message"),
        ({"llmModel": "gpt-x"}, "llmModel: there is no such model here; there are: default, large-model"),
        ({"voiceId": "nobody"}, "voiceId: there is no voice"),
        ({"voiceId": "kokoro:ef_dora", "language": "en"}, "voiceId: kokoro:ef_dora speaks es"),
        ({"language": "de"}, "language: no voice here speaks 'de'"),
    ):
        answer = await client.post(AGENTS, json={**BODY, **changed})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"].startswith(error), answer.text
