"""Agents that people made: whoever may talk to one sees it, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
from starlette.requests import Request
from starlette.responses import Response

from server.browser.access import COOKIE, PageAccess
from server.browser.agents import AgentCard
from server.browser.options import BrowserOptions
from server.owners import Asker, Owner
from tests.server.browser.serving import KEY, serving

WITH_KEY = {"Authorization": f"Bearer {KEY}"}
CARD = AgentCard("sales", "Paul", "en", "Hello!")
OPTIONS = BrowserOptions(public_url="http://localhost:8080", max_sessions=4)


class People:
    """Implements `PeoplesAgents`: one agent, of account acct_1. `asked` is who asked for it."""

    def __init__(self) -> None:
        self.asked: list[Asker] = []
        self.loaded: list[str] = []

    async def cards(self, asker: Asker) -> Sequence[AgentCard]:
        self.asked.append(asker)
        return [AgentCard("agent_1", "Nina", "en", "Hi!")] if asker.owner == Owner(account="acct_1") else []

    async def card(self, agent_id: str, asker: Asker) -> AgentCard | None:
        return next((card for card in await self.cards(asker) if card.id == agent_id), None)

    async def admits(self, agent_id: str, asker: Asker) -> bool:
        return await self.card(agent_id, asker) is not None

    async def load(self, agent_id: str) -> bool:
        self.loaded.append(agent_id)
        return True


class Configured:
    """Implements `Catalogue`."""

    def agent_cards(self) -> Sequence[AgentCard]:
        return [CARD]


def request(cookie: str = "", *, address: str = "127.0.0.1", host: str = "localhost:8080") -> Request:
    headers = [(b"host", host.encode()), (b"sec-fetch-site", b"same-origin")]
    if cookie:
        headers.append((b"cookie", f"{COOKIE}={cookie}".encode()))
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers, "client": (address, 1)})


def cookie(page: PageAccess, given: str = "") -> str:
    response = Response()
    assert page.admit(request(given), response)
    return response.headers["set-cookie"].partition(";")[0].partition("=")[2]


async def test_an_account_sees_its_agents_beside_the_configured_ones_and_may_talk_to_them() -> None:
    people = People()
    async with serving(catalogue=Configured(), people=people) as server:
        listed = await server.request("GET", "/api/sessions/agents", headers=WITH_KEY)
        assert [agent["id"] for agent in listed.json()["data"]] == ["sales", "agent_1"]
        assert (await server.create("agent_1")).status_code == 201
        assert (await server.create("agent_2")).status_code == 404
        assert (await server.request("GET", "/api/sessions/agents/agent_1/poster", headers=WITH_KEY)).status_code == 404


async def test_the_page_neither_sees_nor_talks_to_an_accounts_agents() -> None:
    people = People()
    async with serving(catalogue=Configured(), people=people) as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.get("/")
            site = {"Sec-Fetch-Site": "same-origin"}
            listed = await client.get("/api/sessions/agents", headers=site)
            assert [agent["id"] for agent in listed.json()["data"]] == ["sales"]
            created = await client.post("/api/sessions", json={"agentId": "agent_1"}, headers=site)
            assert (created.status_code, created.json()["code"]) == (404, "AGENT_NOT_FOUND")
        visitors = {asker.owner.visitor for asker in people.asked if asker.owner is not None}
        assert len(visitors) == 1
        assert all(asker.operator for asker in people.asked)


async def test_from_afar_nobody_is_the_operator() -> None:
    people = People()
    public = frozenset({"sales"})
    async with serving(people=people, peer="203.0.113.9", public_agents=public) as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.get("/")
            created = await client.post("/api/sessions", json={"agentId": "agent_1"}, headers={"Origin": server.url})
        assert (created.status_code, created.json()["code"]) == (403, "FORBIDDEN")
    assert [(asker.operator, asker.named) for asker in people.asked] == [(False, public)]


def test_a_visitor_stays_the_same_when_the_page_is_loaded_again_even_late() -> None:
    now = 1000.0
    page = PageAccess(OPTIONS, clock=lambda: now)
    first = cookie(page)
    who = page.visitor(request(first)).owner
    now += OPTIONS.page_ttl + 1
    again = cookie(page, first)
    assert again != first
    assert page.visitor(request(again)).owner == who
    assert page.visitor(request(cookie(page))).owner != who


def test_a_visitor_survives_a_restart_where_the_key_does() -> None:
    first = cookie(PageAccess(OPTIONS, key=b"k" * 32))
    assert PageAccess(OPTIONS, key=b"k" * 32).visitor(request(first)).owner is not None
    other = PageAccess(OPTIONS)
    assert cookie(other, first).split(".")[1] != first.split(".")[1]


def test_nobody_can_say_who_they_are() -> None:
    page = PageAccess(OPTIONS)
    expires, visitor, signature = cookie(page).split(".")
    other = "0" * len(visitor)
    for forged in (f"{expires}.{other}.{signature}", f"{expires}.{signature}", f"{expires}..{signature}", f".{other}."):
        assert cookie(page, forged).split(".")[1] not in (visitor, other)
