"""Whom the page may offer, and their pictures."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from server.browser.agents import AgentCard, Poster
from tests.server.browser.serving import KEY, Server, serving

CARDS = (
    AgentCard("demo", "Lucia", "en", "Good day!"),
    AgentCard("sales", "Paul", "auto", ""),
)


class Gallery:
    """Implements `Catalogue` and `Posters`: Lucia has a face, Paul has none."""

    def agent_cards(self) -> Sequence[AgentCard]:
        return CARDS

    def poster_tag(self, agent_id: str) -> str | None:
        return "abc" if agent_id == "demo" else None

    async def poster(self, agent_id: str) -> Poster | None:
        return Poster(b"RIFF", "image/webp", "abc") if agent_id == "demo" else None


GALLERY = Gallery()
WITH_KEY = {"Authorization": f"Bearer {KEY}"}


async def from_page(server: Server, path: str, **headers: str) -> httpx.Response:
    cookies = (await server.request("GET", "/")).cookies
    async with httpx.AsyncClient(base_url=server.url, cookies=cookies) as client:
        return await client.get(path, headers=headers)


async def test_agents_are_listed_with_what_a_visitor_sees_of_them() -> None:
    async with serving(catalogue=GALLERY, posters=GALLERY) as server:
        response = await server.request("GET", "/api/sessions/agents", headers=WITH_KEY)
        assert response.status_code == 200
        assert response.json() == {
            "data": [
                {
                    "id": "demo",
                    "name": "Lucia",
                    "language": "en",
                    "greeting": "Good day!",
                    "poster": "/api/sessions/agents/demo/poster?v=abc",
                },
                {"id": "sales", "name": "Paul", "language": "auto", "greeting": "", "poster": None},
            ]
        }


async def test_a_poster_is_a_picture_that_is_fetched_once() -> None:
    async with serving(catalogue=GALLERY, posters=GALLERY) as server:
        path = "/api/sessions/agents/demo/poster?v=abc"
        response = await server.request("GET", path, headers=WITH_KEY)
        assert (response.status_code, response.content) == (200, b"RIFF")
        assert response.headers["content-type"] == "image/webp"
        again = await server.request("GET", path, headers={**WITH_KEY, "If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_an_agent_without_a_face_has_no_poster_and_an_unknown_one_is_said_to_be_unknown() -> None:
    async with serving(catalogue=GALLERY, posters=GALLERY) as server:
        faceless = await server.request("GET", "/api/sessions/agents/sales/poster", headers=WITH_KEY)
        assert (faceless.status_code, faceless.json()["code"]) == (404, "POSTER_NOT_FOUND")
        nobody = await server.request("GET", "/api/sessions/agents/nobody/poster", headers=WITH_KEY)
        assert (nobody.status_code, nobody.json()["code"]) == (404, "AGENT_NOT_FOUND")


async def test_without_key_or_page_nothing_is_shown() -> None:
    async with serving(catalogue=GALLERY, posters=GALLERY) as server:
        for path in ("/api/sessions/agents", "/api/sessions/agents/demo/poster"):
            assert (await server.request("GET", path)).status_code == 401
            assert (await server.request("GET", path, headers={"X-API-Key": "wrong"})).status_code == 401


async def test_the_page_on_this_machine_is_shown_everybody_even_by_a_browser_that_does_not_say_where_it_is() -> None:
    async with serving(catalogue=GALLERY, posters=GALLERY) as server:
        response = await from_page(server, "/api/sessions/agents")
        assert [agent["id"] for agent in response.json()["data"]] == ["demo", "sales"]
        assert (await from_page(server, "/api/sessions/agents/demo/poster")).status_code == 200


async def test_another_site_is_shown_nothing() -> None:
    async with serving(catalogue=GALLERY, posters=GALLERY) as server:
        assert (await from_page(server, "/api/sessions/agents", **{"Sec-Fetch-Site": "cross-site"})).status_code == 403
        assert (await from_page(server, "/api/sessions/agents", Origin="https://evil.example")).status_code == 403


async def test_a_visitor_from_afar_is_shown_only_whom_it_may_talk_to() -> None:
    public = frozenset({"sales"})
    async with serving(catalogue=GALLERY, posters=GALLERY, peer="203.0.113.9", public_agents=public) as server:
        response = await from_page(server, "/api/sessions/agents")
        assert [agent["id"] for agent in response.json()["data"]] == ["sales"]
        assert (await from_page(server, "/api/sessions/agents/demo/poster")).status_code == 403
