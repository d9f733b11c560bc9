"""Who gets a session, and what its token opens."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.peers.webrtc_caller import WebRtcCaller
from tests.server.browser.serving import KEY, Server, serving

FAR = "203.0.113.9"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def error(response: httpx.Response) -> tuple[int, str]:
    content = response.json()
    assert set(content) == {"error", "code"}
    assert content["error"]
    return response.status_code, content["code"]


async def offer(server: Server, session: dict[str, str], token: str = "", **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or session['token']}"}
    content = body or {"sdp": "v=0", "type": "offer"}
    return await server.request("POST", f"/api/sessions/{session['id']}/offer", json=content, headers=headers)


async def visit(server: Server) -> httpx.Cookies:
    return (await server.request("GET", "/")).cookies


async def from_page(server: Server, agent: str = "demo", **headers: str) -> httpx.Response:
    """Ask as the page does: with its cookie, and with what browsers add."""
    given = {"Sec-Fetch-Site": "same-origin", "Origin": server.url, **headers}
    async with httpx.AsyncClient(base_url=server.url, cookies=await visit(server)) as client:
        return await client.post("/api/sessions", json={"agentId": agent}, headers=given)


async def test_a_key_opens_a_session() -> None:
    async with serving() as server:
        response = await server.create()
        assert response.status_code == 201
        session = response.json()["data"]
        assert set(session) == {"id", "token", "expiresAt", "iceServers"}
        assert session["iceServers"] == []
        assert session["id"].startswith("session_")
        assert datetime.fromisoformat(session["expiresAt"]).tzinfo is not None


async def test_a_key_may_also_come_in_a_header_of_its_own() -> None:
    async with serving() as server:
        response = await server.request("POST", "/api/sessions", json={"agentId": "demo"}, headers={"X-API-Key": KEY})
        assert response.status_code == 201


@pytest.mark.parametrize("key", ["", "sk_live_" + "y" * 32, "nonsense"])
async def test_without_a_valid_key_there_is_no_session(key: str) -> None:
    async with serving() as server:
        response = await server.create(key=key)
        assert error(response) == (401, "UNAUTHORIZED")
        assert response.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_agent_is_said_to_be_unknown() -> None:
    async with serving() as server:
        assert error(await server.create("nobody")) == (404, "AGENT_NOT_FOUND")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"agentId": 7}', b"[" * 5000])
async def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    async with serving() as server:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        assert error(await server.request("POST", "/api/sessions", content=body, headers=headers))[0] == 400


async def test_sessions_beyond_the_limit_are_refused_for_now() -> None:
    async with serving(max_sessions=3) as server:
        server.factory.taken = 2
        assert (await server.create()).status_code == 201
        response = await server.create()
        assert error(response) == (503, "SERVER_FULL")
        assert int(response.headers["retry-after"]) > 0


async def test_a_session_that_nobody_joins_does_not_keep_its_place_for_long() -> None:
    clock = Clock()
    async with serving(clock, max_sessions=1) as server:
        await server.create()
        assert (await server.create()).status_code == 503
        clock.now += 31
        assert (await server.create()).status_code == 201


async def test_a_session_whose_place_was_taken_meanwhile_is_refused_when_it_is_joined() -> None:
    async with serving(max_sessions=1) as server:
        session = (await server.create()).json()["data"]
        server.factory.taken = 1
        response = await offer(server, session)
        assert error(response) == (503, "SERVER_FULL")
        assert "retry-after" in response.headers


async def test_a_token_opens_its_own_session_only() -> None:
    async with serving() as server:
        first = (await server.create()).json()["data"]
        second = (await server.create()).json()["data"]
        assert error(await offer(server, first, second["token"])) == (401, "UNAUTHORIZED")
        assert error(await offer(server, first, KEY)) == (401, "UNAUTHORIZED")
        assert error(await offer(server, {"id": "session_none", "token": "x"})) == (404, "SESSION_NOT_FOUND")


async def test_a_token_expires() -> None:
    clock = Clock()
    async with serving(clock, token_ttl=60.0) as server:
        session = (await server.create()).json()["data"]
        clock.now += 60
        assert error(await offer(server, session)) == (410, "TOKEN_EXPIRED")


async def test_a_session_is_joined_once() -> None:
    async with serving() as server, httpx.AsyncClient(base_url=server.url) as http:
        session = (await server.create()).json()["data"]
        caller = WebRtcCaller(session, http)
        assert (await caller.join()).status_code == 200
        assert error(await offer(server, session)) == (409, "ALREADY_JOINED")
        await caller.close()


@pytest.mark.parametrize(
    "body",
    [
        {"type": "offer"},
        {"sdp": "v=0\r\n", "type": "answer"},
        {"sdp": 7, "type": "offer"},
        {"sdp": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n", "type": "offer"},
        {"sdp": "m=audio x\r\n", "type": "offer"},
        {"sdp": "m=audio 9 x y\r\n" * 9, "type": "offer"},
        {"sdp": "m=audio 9 x y\r\n" + "a=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n" * 99, "type": "offer"},
        {"sdp": "x" * 70_000, "type": "offer"},
    ],
)
async def test_an_offer_that_cannot_be_answered_is_refused(body: dict[str, Any]) -> None:
    async with serving() as server:
        session = (await server.create()).json()["data"]
        assert error(await offer(server, session, **body)) == (400, "INVALID_OFFER")


async def test_an_offer_without_opus_is_refused() -> None:
    async with serving() as server, httpx.AsyncClient(base_url=server.url) as http:
        session = (await server.create()).json()["data"]
        caller = WebRtcCaller(session, http)
        caller.connection.addTrack(caller.microphone)
        sdp = (await caller.connection.createOffer()).sdp.replace("opus/48000/2", "other/48000/2")
        response = await offer(server, session, sdp=sdp, type="offer")
        await caller.close()
        assert error(response) == (400, "INVALID_OFFER")


async def test_a_session_that_was_not_joined_can_be_given_back() -> None:
    async with serving(max_sessions=1) as server:
        session = (await server.create()).json()["data"]
        headers = {"Authorization": f"Bearer {session['token']}"}
        assert (await server.request("DELETE", f"/api/sessions/{session['id']}", headers=headers)).status_code == 204
        assert error(await offer(server, session)) == (404, "SESSION_NOT_FOUND")
        assert (await server.create()).status_code == 201


async def test_turn_credentials_are_made_for_the_session() -> None:
    urls = ("turn:turn.example.com:3478",)
    async with serving(turn_urls=urls, turn_secret="shared", stun_urls=("stun:stun.example.com",)) as server:
        session = (await server.create()).json()["data"]
        stun, turn = session["iceServers"]
        assert stun == {"urls": ["stun:stun.example.com"]}
        digest = hmac.new(b"shared", turn["username"].encode(), hashlib.sha1).digest()
        assert turn["credential"] == base64.b64encode(digest).decode()
        assert turn["username"].endswith(session["id"])


# The page


async def test_the_page_on_this_machine_needs_no_key() -> None:
    async with serving() as server:
        cookie = (await server.request("GET", "/")).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert (await from_page(server)).status_code == 201


async def test_a_page_elsewhere_gets_no_cookie_unless_an_agent_is_public() -> None:
    async with serving(peer=FAR) as server:
        assert "set-cookie" not in (await server.request("GET", "/")).headers
        assert error(await from_page(server)) == (401, "UNAUTHORIZED")


async def test_a_page_elsewhere_may_talk_to_public_agents_only() -> None:
    async with serving(peer=FAR, public_agents=frozenset({"sales"})) as server:
        assert (await from_page(server, "sales")).status_code == 201
        assert error(await from_page(server, "demo")) == (403, "FORBIDDEN")


async def test_public_sessions_are_limited_by_address() -> None:
    async with serving(peer=FAR, public_agents=frozenset({"sales"}), sessions_per_address=2) as server:
        assert (await from_page(server, "sales")).status_code == 201
        assert (await from_page(server, "sales")).status_code == 201
        response = await from_page(server, "sales")
        assert error(response) == (429, "RATE_LIMITED")
        assert "retry-after" in response.headers
        assert (await server.create()).status_code == 201, "a key is not limited by it"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://["},
    ],
)
async def test_another_site_cannot_use_the_page_s_cookie(headers: dict[str, str]) -> None:
    async with serving(peer=FAR, public_agents=frozenset({"sales"})) as server:
        assert error(await from_page(server, "sales", **headers)) == (403, "FORBIDDEN")


async def test_a_cookie_alone_without_a_browser_s_word_is_not_enough() -> None:
    async with serving() as server:
        cookies = await visit(server)
        async with httpx.AsyncClient(base_url=server.url, cookies=cookies) as client:
            assert error(await client.post("/api/sessions", json={"agentId": "demo"})) == (403, "FORBIDDEN")


@pytest.mark.parametrize("cookie", ["x", "9999999999.", "9999999999.abc", "9999999999.é", ".."])
async def test_a_forged_cookie_is_worth_nothing(cookie: str) -> None:
    async with serving() as server:
        headers = {"Cookie": f"visavis_page={cookie}".encode(), "Sec-Fetch-Site": "same-origin", "Origin": server.url}
        response = await server.request("POST", "/api/sessions", json={"agentId": "demo"}, headers=headers)
        assert error(response) == (401, "UNAUTHORIZED")


async def test_a_page_that_was_open_too_long_is_to_be_loaded_again() -> None:
    async with serving(page_ttl=-1.0) as server:
        response = await server.request("GET", "/")
        value = response.headers["set-cookie"].partition(";")[0]
        headers = {"Cookie": value, "Sec-Fetch-Site": "same-origin", "Origin": server.url}
        refused = await server.request("POST", "/api/sessions", json={"agentId": "demo"}, headers=headers)
        assert error(refused) == (401, "UNAUTHORIZED")
        assert "load it again" in refused.json()["error"]
