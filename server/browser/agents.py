"""Whom a visitor may talk to, and what they look like: the list of agents and their posters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.browser.access import Authenticate, PageAccess, Visitor, identify
from server.browser.errors import Forbidden, NoAgent, NoPoster
from server.owners import Asker

AGENTS_PATH: Final = "/api/sessions/agents"
_POSTER_AGE: Final = 300
"""Seconds for which a browser may show a poster without asking again; the address changes with the picture."""


@dataclass(frozen=True, slots=True)
class AgentCard:
    """What a visitor sees of an agent before the call. `language`: ISO 639-1 or "auto"."""

    id: str
    name: str
    language: str
    greeting: str


@dataclass(frozen=True, slots=True)
class Poster:
    """A still picture of an agent's face. `tag` changes with the picture."""

    data: bytes
    media_type: str
    tag: str


class Catalogue(Protocol):
    """Knows the agents. The engine implements it."""

    def agent_cards(self) -> Sequence[AgentCard]:
        """All agents, in the order in which they are shown."""
        ...


class PeoplesAgents(Protocol):
    """Knows the agents that people made. `server.made_agents.service.AgentService` implements it."""

    async def cards(self, asker: Asker) -> Sequence[AgentCard]:
        """Those that somebody may talk to, in the order in which they are shown."""
        ...

    async def card(self, agent_id: str, asker: Asker) -> AgentCard | None:
        """One of them; None where there is no such agent that it may talk to."""
        ...

    async def admits(self, agent_id: str, asker: Asker) -> bool:
        """Whether somebody may talk to this agent; if so, a session of it can be opened now."""
        ...

    async def load(self, agent_id: str) -> bool:
        """Have an agent ready to whose caller this was granted; whether it is still there."""
        ...


class Posters(Protocol):
    """Knows what agents look like. `server.faces.Faces` implements it."""

    def poster_tag(self, agent_id: str) -> str | None:
        """What names the picture of this agent; None where it has no face."""
        ...

    async def poster(self, agent_id: str) -> Poster | None:
        """The still picture of this agent; None where it has no face."""
        ...


class AgentRoutes:
    """GET of the list and of the posters. Both raise `Refused`; a visitor sees only whom it may talk to."""

    def __init__(
        self,
        catalogue: Catalogue | None,
        posters: Posters | None,
        page: PageAccess,
        authenticate: Authenticate,
        people: PeoplesAgents | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._people = people
        self._posters = posters
        self._page = page
        self._authenticate = authenticate

    async def agents(self, request: Request) -> Response:
        """The agents that this visitor may talk to."""
        visitor = await identify(request, self._page, self._authenticate)
        cards = [card for card in self._cards() if _may_see(visitor, card.id)]
        if self._people is not None:
            configured = {card.id for card in self._cards()}
            cards += [card for card in await self._people.cards(visitor.asker) if card.id not in configured]
        content = [
            {
                "id": card.id,
                "name": card.name,
                "language": card.language,
                "greeting": card.greeting,
                "poster": self._address(card.id),
            }
            for card in cards
        ]
        return JSONResponse({"data": content}, headers={"cache-control": "no-store"})

    async def poster(self, request: Request) -> Response:
        """An agent's still picture."""
        visitor = await identify(request, self._page, self._authenticate)
        agent_id = request.path_params["agent_id"]
        if not await self._is_theirs(visitor, agent_id):
            if not _may_see(visitor, agent_id):
                raise Forbidden("This agent is not open to everybody: an API key is needed")
            if agent_id not in {card.id for card in self._cards()}:
                raise NoAgent("There is no agent of this name")
        picture = await self._posters.poster(agent_id) if self._posters is not None else None
        if picture is None:
            raise NoPoster("This agent has no face")
        headers = {"cache-control": f"private, max-age={_POSTER_AGE}", "etag": f'"{picture.tag}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(picture.data, media_type=picture.media_type, headers=headers)

    async def _is_theirs(self, visitor: Visitor, agent_id: str) -> bool:
        return self._people is not None and await self._people.card(agent_id, visitor.asker) is not None

    def _cards(self) -> Sequence[AgentCard]:
        return self._catalogue.agent_cards() if self._catalogue is not None else ()

    def _address(self, agent_id: str) -> str | None:
        tag = self._posters.poster_tag(agent_id) if self._posters is not None else None
        return None if tag is None else f"{AGENTS_PATH}/{agent_id}/poster?v={tag}"


def _may_see(visitor: Visitor, agent_id: str) -> bool:
    return visitor.agents is None or agent_id in visitor.agents
