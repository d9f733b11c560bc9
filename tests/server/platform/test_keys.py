"""API keys over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from server.platform.keys import MAX_KEYS
from tests.server.gate.serving import Served


async def make(service: Served, headers: dict[str, str], name: str = "laptop") -> dict[str, Any]:
    """A new key."""
    answer = await service.client.post("/api/keys", json={"name": name}, headers=headers)
    assert answer.status_code == 201
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_a_key_is_shown_once(service: Served) -> None:
    headers = service.bearer()
    made = await make(service, headers)
    assert made["key"].startswith("sk_live_")
    assert made["name"] == "laptop"
    listed = (await service.client.get("/api/keys", headers=headers)).json()["data"]
    assert [key["name"] for key in listed] == ["test", "laptop"]
    assert listed[1] == {name: value for name, value in made.items() if name != "key"}
    assert listed[0]["lastUsedAt"].endswith("Z")
    assert (await service.client.get("/api/usage", headers={"x-api-key": made["key"]})).status_code == 200


async def test_a_revoked_key_is_refused_at_once(service: Served) -> None:
    headers = service.bearer()
    made = await make(service, headers)
    own = {"x-api-key": made["key"]}
    assert (await service.client.get("/api/usage", headers=own)).status_code == 200
    revoked = await service.client.delete(f"/api/keys/{made['id']}", headers=headers)
    assert revoked.status_code == 200
    assert revoked.json()["data"]["revokedAt"] is not None
    assert (await service.client.get("/api/usage", headers=own)).status_code == 401
    again = await service.client.delete(f"/api/keys/{made['id']}", headers=headers)
    assert again.json() == revoked.json()


async def test_a_rotated_key_is_replaced_at_once(service: Served) -> None:
    headers = service.bearer()
    made = await make(service, headers)
    await service.client.get("/api/usage", headers={"x-api-key": made["key"]})
    answer = await service.client.post(f"/api/keys/{made['id']}/rotate", headers=headers)
    assert answer.status_code == 201
    new = answer.json()["data"]
    assert (new["name"], new["id"] == made["id"]) == ("laptop", False)
    assert (await service.client.get("/api/usage", headers={"x-api-key": made["key"]})).status_code == 401
    assert (await service.client.get("/api/usage", headers={"x-api-key": new["key"]})).status_code == 200
    assert (await service.client.post(f"/api/keys/{made['id']}/rotate", headers=headers)).status_code == 404


@pytest.mark.parametrize("method", ["delete", "rotate"])
async def test_another_accounts_key_is_not_there(service: Served, method: str) -> None:
    owner, stranger = service.bearer(), service.bearer()
    made = await make(service, owner)
    path = f"/api/keys/{made['id']}"
    for key in (path, "/api/keys/key_unknown", "/api/keys/%00"):
        if method == "delete":
            answer = await service.client.delete(key, headers=stranger)
        else:
            answer = await service.client.post(f"{key}/rotate", headers=stranger)
        assert answer.status_code == 404
    assert (await service.client.get("/api/usage", headers={"x-api-key": made["key"]})).status_code == 200


async def test_keys_are_enterprises(service: Served) -> None:
    headers = service.bearer("business")
    for method, path in (("GET", "/api/keys"), ("POST", "/api/keys"), ("DELETE", "/api/keys/key_1")):
        assert (await service.client.request(method, path, headers=headers)).status_code == 403


async def test_an_account_has_so_many_keys(service: Served) -> None:
    headers = service.bearer()
    for _ in range(MAX_KEYS - 1):
        await make(service, headers)
    answer = await service.client.post("/api/keys", json={"name": "one more"}, headers=headers)
    assert answer.status_code == 409
    assert answer.json()["code"] == "CONFLICT"


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": " "}, {"name": "x" * 101}, {"name": 1}])
async def test_a_key_has_a_name(service: Served, body: Any) -> None:
    answer = await service.client.post("/api/keys", json=body, headers=service.bearer())
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("name: ")
