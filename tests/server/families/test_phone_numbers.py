"""Numbers and their agents over the API, and who is not called."""

from __future__ import annotations

from typing import Any

import pytest

from server.calling import do_not_call
from server.phone.book import CallOrder, CallRefused
from server.settings import Settings
from server.settings.phone import TelephonySettings
from tests.server.families.test_voice_agents import BODY
from tests.server.families.world import Client, World

AGENTS = "/api/voice-agent/agents"
NUMBERS = "/api/voice-agent/numbers"
LIST = "/api/voice-agent/do-not-call"
OURS, OTHER, CALLEE = "+14155550123", "+14155550124", "+447400123456"


async def agent(client: Client, headers: dict[str, str] | None = None) -> str:
    answer = await client.post(AGENTS, json=BODY, headers=headers or client.world.headers)
    return str(answer.json()["data"]["id"])


async def delete(client: Client, path: str, headers: dict[str, str] | None = None) -> Any:
    return await client.http.delete(path, headers=headers or client.world.headers)


async def called(world: World, number: str, sid: str) -> CallOrder | CallRefused:
    return await world.calling.books.incoming(sid, carrier="twilio", caller=CALLEE, called=number, agent_id=None)


async def test_a_number_is_mapped_listed_mapped_anew_and_removed(client: Client) -> None:
    first = await agent(client)
    made = await client.post(NUMBERS, json={"number": OURS, "agentId": first})
    assert made.status_code == 201, made.text
    number = made.json()["data"]
    assert number | {"createdAt": ""} == {
        "number": OURS,
        "agentId": first,
        "accountId": client.world.account,
        "createdAt": "",
    }
    assert (await client.get(NUMBERS)).json() == {"data": [number]}
    order = await called(client.world, OURS, "1")
    assert isinstance(order, CallOrder)
    assert order.agent_id == first
    assert isinstance(await called(client.world, OTHER, "2"), CallRefused)
    again = await client.post(NUMBERS, json={"number": OURS, "agentId": "demo"})
    assert again.json()["data"]["agentId"] == "demo"
    assert (await delete(client, f"{NUMBERS}/{OURS}")).json()["data"]["agentId"] == "demo"
    assert (await delete(client, f"{NUMBERS}/%2B14155550123")).status_code == 404
    assert (await client.get(NUMBERS)).json() == {"data": []}
    assert isinstance(await called(client.world, OTHER, "3"), CallOrder)


async def test_only_who_runs_the_server_gives_numbers_away(client: Client) -> None:
    stranger = client.world.stranger()
    theirs = await agent(client, stranger)
    taken = await client.post(NUMBERS, json={"number": OURS, "agentId": theirs}, headers=stranger)
    assert (taken.status_code, taken.json()["code"]) == (403, "FORBIDDEN")
    account = _account_of(client, theirs)
    given = await client.post(NUMBERS, json={"number": OURS, "agentId": theirs, "accountId": account})
    assert given.status_code == 201, given.text
    order = await called(client.world, OURS, "1")
    assert isinstance(order, CallOrder)
    assert (order.account_id, order.agent_id) == (account, theirs)
    second = await agent(client, stranger)
    moved = await client.post(NUMBERS, json={"number": OURS, "agentId": second}, headers=stranger)
    assert (moved.status_code, moved.json()["data"]["agentId"]) == (201, second)
    away = {"number": OURS, "agentId": "demo", "accountId": client.world.account}
    assert (await client.post(NUMBERS, json=away, headers=stranger)).status_code == 403
    mine = await client.post(NUMBERS, json={"number": OURS, "agentId": "demo"})
    assert mine.status_code == 409  # it is theirs until it is removed
    for headers in (client.world.headers, stranger):
        (listed,) = (await client.get(NUMBERS, headers=headers)).json()["data"]
        assert (listed["number"], listed["accountId"]) == (OURS, account)
    other = client.world.stranger()
    assert (await client.get(NUMBERS, headers=other)).json() == {"data": []}
    assert (await delete(client, f"{NUMBERS}/{OURS}", other)).status_code == 404
    assert (await delete(client, f"{NUMBERS}/{OURS}")).status_code == 200


def _account_of(client: Client, agent_id: str) -> str:
    account = client.world.database.run_here(client.world.calling.owners.owner, agent_id)
    assert account is not None
    return account


@pytest.mark.parametrize(
    ("changed", "begins"),
    [
        ({"number": "4155550123"}, "number: must be a telephone number in E.164 form"),
        ({"number": None}, "number"),
        ({"agentId": "agent_unknown"}, "agentId: there is no such agent"),
        ({"accountId": "acc_unknown"}, "accountId: there is no such account"),
    ],
)
async def test_what_is_wrong_with_a_mapping_is_named(client: Client, changed: dict[str, Any], begins: str) -> None:
    answer = await client.post(NUMBERS, json={"number": OURS, "agentId": "demo", **changed})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(begins)


async def test_anothers_agent_cannot_answer_ones_number(client: Client) -> None:
    theirs = await agent(client, client.world.stranger())
    answer = await client.post(NUMBERS, json={"number": OURS, "agentId": theirs})
    assert (answer.status_code, answer.json()["error"]) == (400, "agentId: there is no such agent")


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """With numbers of the settings where a test asks for them."""
    numbers = getattr(request, "param", {})
    return settings.model_copy(update={"telephony": TelephonySettings(numbers=numbers)})


@pytest.mark.parametrize("settings", [{OURS: "demo"}], indirect=True)
async def test_numbers_of_the_settings_are_listed_and_stay(client: Client) -> None:
    assert (await client.get(NUMBERS)).json()["data"] == [
        {"number": OURS, "agentId": "demo", "accountId": client.world.account, "createdAt": None}
    ]
    assert (await client.get(NUMBERS, headers=client.world.stranger())).json() == {"data": []}
    assert (await client.post(NUMBERS, json={"number": OURS, "agentId": "demo"})).status_code == 409
    assert (await delete(client, f"{NUMBERS}/{OURS}")).status_code == 409


async def test_the_list_is_an_accounts_own_and_comes_in_pages(client: Client) -> None:
    for number in ("+447400123452", "+447400123451", "+447400123451"):
        made = await client.post(LIST, json={"number": number})
        assert made.status_code == 201
        assert made.json()["data"]["source"] == "owner"
    first = (await client.get(f"{LIST}?limit=1")).json()
    assert ([each["number"] for each in first["data"]], first["hasMore"]) == (["+447400123451"], True)
    for cursor in ("+447400123451", "%2B447400123451"):
        rest = (await client.get(f"{LIST}?startingAfter={cursor}")).json()
        assert ([each["number"] for each in rest["data"]], rest["hasMore"]) == (["+447400123452"], False)
    stranger = client.world.stranger()
    assert (await client.get(LIST, headers=stranger)).json() == {"data": [], "hasMore": False}
    assert (await delete(client, f"{LIST}/+447400123451", stranger)).status_code == 404
    assert (await delete(client, f"{LIST}/+447400123451")).status_code == 200
    assert (await delete(client, f"{LIST}/+447400123451")).status_code == 404
    assert (await client.post(LIST, json={"number": "0740"})).json()["error"].startswith("number: must be")


async def test_what_a_callee_has_asked_for_holds(client: Client) -> None:
    world = client.world
    await client.post(LIST, json={"number": CALLEE})
    world.database.run_here(do_not_call.add, world.account, CALLEE, "callee")
    await client.post(LIST, json={"number": CALLEE})
    answer = await delete(client, f"{LIST}/{CALLEE}")
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    (listed,) = (await client.get(LIST)).json()["data"]
    assert (listed["number"], listed["source"]) == (CALLEE, "callee")
