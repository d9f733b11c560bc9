"""The browser's endpoints: ask for a session, join it by WebRTC or by a WebSocket, end it."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from server.bodies import read_body
from server.browser.access import Authenticate, PageAccess, Visitor, bearer, identify
from server.browser.agents import AGENTS_PATH, AgentRoutes, Catalogue, PeoplesAgents, Posters
from server.browser.calls import Calls, converse
from server.browser.errors import BadOffer, Forbidden, Full, NoAgent, Refused, TooMany
from server.browser.ice import ice_servers
from server.browser.link import BrowserLink
from server.browser.options import BrowserOptions
from server.browser.peer import WebRtcPeer
from server.browser.socket import SocketCall
from server.browser.tickets import Ticket, Tickets
from server.browser.video import VideoFactory
from server.database import Database, authenticate
from server.errors import error_response
from server.phone.options import Sessions
from server.platform.times import timestamp
from server.settings import Settings

SESSIONS_PATH: Final = "/api/sessions"
RETRY_AFTER: Final = 10
MAX_BODY: Final = 128 * 1024

log = structlog.get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


class BrowserEndpoints:
    """All of them, and the sessions that were begun through them.

    `authenticate` gives the account of an API key. `faces` makes the video of a session; without it there is none.
    `catalogue` lists the agents, `people` has those that people made, `posters` their pictures. `clock` is what tokens
    expire by. `page` gives the page its cookie, signed with `page_key`. Await `close` before the engine is closed.
    """

    def __init__(
        self,
        factory: Sessions,
        options: BrowserOptions,
        authenticate: Authenticate,
        *,
        faces: VideoFactory | None = None,
        catalogue: Catalogue | None = None,
        posters: Posters | None = None,
        people: PeoplesAgents | None = None,
        page_key: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.page = PageAccess(options, key=page_key)
        self._people = people
        self._factory = factory
        self._options = options
        self._authenticate = authenticate
        self._faces = faces
        self._agents = AgentRoutes(catalogue, posters, self.page, authenticate, people)
        self._clock = clock
        self._tickets = Tickets(options.token_ttl)
        self._calls = Calls()

    def routes(self) -> list[BaseRoute]:
        """To be mounted at the root."""
        one = SESSIONS_PATH + "/{session_id}"
        return [
            Route(SESSIONS_PATH, answering(self.create), methods=["POST"], name="session-create"),
            Route(AGENTS_PATH, answering(self._agents.agents), name="session-agents"),
            Route(AGENTS_PATH + "/{agent_id}/poster", answering(self._agents.poster), name="session-agent-poster"),
            Route(one, answering(self.end), methods=["DELETE"], name="session-end"),
            Route(one + "/offer", answering(self.offer), methods=["POST"], name="session-offer"),
            WebSocketRoute(one + "/media", self.media, name="session-media"),
        ]

    async def close(self) -> None:
        """End all sessions; returns when nothing of them is left."""
        await self._calls.close()

    # Endpoints

    async def create(self, request: Request) -> Response:
        """A new session: its id, its token, and the ICE servers to use."""
        visitor = await identify(request, self.page, self._authenticate)
        agent_id = (await _json(request)).get("agentId")
        if not isinstance(agent_id, str) or not agent_id:
            raise Refused("agentId: the name of an agent is expected")
        await self._check_agent(agent_id, visitor)
        now = self._clock()
        if visitor.public and self._tickets.held_by(now, visitor.address) >= self._options.sessions_per_address:
            raise TooMany("There are enough sessions from your address", retry_after=RETRY_AFTER)
        if self._expected(now) >= self._options.max_sessions:
            raise Full("All sessions are taken: try again in a moment", retry_after=RETRY_AFTER)
        ticket = self._tickets.issue(now, agent_id, address=visitor.address, public=visitor.public)
        expires = datetime.now(UTC) + timedelta(seconds=self._options.token_ttl)
        content = {
            "id": ticket.id,
            "token": ticket.token,
            "expiresAt": timestamp(expires),
            "iceServers": ice_servers(self._options, ticket.id, time.time()),
        }
        return JSONResponse({"data": content}, 201)

    async def offer(self, request: Request) -> Response:
        """Join a session by WebRTC."""
        token, session_id = bearer(request), request.path_params["session_id"]
        self._tickets.check(self._clock(), session_id, token)
        body = await _json(request)
        sdp = body.get("sdp")
        if not isinstance(sdp, str) or body.get("type") != "offer":
            raise BadOffer('{"sdp": …, "type": "offer"} is expected')
        ticket = self._join(session_id, token)
        peer: WebRtcPeer | None = None
        try:
            await self._load(ticket.agent_id)
            peer = self._peer(ticket)
            self._calls.add(ticket.id, peer.link)
            answer = await peer.answer(sdp)
        except BaseException:
            self._over(ticket)
            if peer is not None:
                await peer.close()
            raise
        self._calls.own(ticket.id, self._hold(ticket, peer))
        return JSONResponse({"data": {"sdp": answer, "type": "answer"}})

    async def end(self, request: Request) -> Response:
        """End a session, joined or not."""
        ticket = self._tickets.check(self._clock(), request.path_params["session_id"], bearer(request))
        if not ticket.joined:
            self._tickets.forget(ticket)
        self._calls.end(ticket.id, "the caller hung up")
        await self._calls.ended(ticket.id)
        return Response(status_code=204)

    async def media(self, websocket: WebSocket) -> None:
        """Join a session by a WebSocket."""
        call = SocketCall(websocket, self._options)
        ticket: Ticket | None = None
        try:
            token = await call.accept()
            if token is None:
                return
            ticket = self._join(websocket.path_params["session_id"], token)
            self._calls.add(ticket.id, call.link)
            await self._load(ticket.agent_id)
            session = self._open(ticket, call.link, websocket)
            with structlog.contextvars.bound_contextvars(session=session.id):
                await call.hold(session)
        except Refused as error:
            log.warning("media socket refused", reason=str(error))
            await call.refuse(error)
        except Exception:  # a fault of ours: the client's connection is closed, the traceback is logged
            log.exception("session failed")
            await call.fail()
        finally:
            if ticket is not None:
                self._over(ticket)
            await call.close()

    # Sessions

    def _expected(self, now: float) -> int:
        return self._factory.active_sessions + self._calls.joining + self._tickets.reserved(now)

    def _join(self, session_id: str, token: str) -> Ticket:
        """Let the holder of a token in, if there is still room. Raises `Refused`."""
        now = self._clock()
        ticket = self._tickets.check(now, session_id, token)
        if not ticket.joined and self._factory.active_sessions + self._calls.joining >= self._options.max_sessions:
            raise Full("All sessions are taken: try again in a moment", retry_after=RETRY_AFTER)
        return self._tickets.join(now, session_id, token)

    async def _check_agent(self, agent_id: str, visitor: Visitor) -> None:
        """Raises `Forbidden` or `NoAgent`. An agent that people made is loaded."""
        configured = self._factory.has_agent(agent_id)
        if not configured and self._people is not None and await self._people.admits(agent_id, visitor.asker):
            return
        if visitor.agents is not None and agent_id not in visitor.agents:
            raise Forbidden("This agent is not open to everybody: an API key is needed")
        if not configured:
            raise NoAgent("There is no agent of this name")

    async def _load(self, agent_id: str) -> None:
        """Have an agent that people made at hand; that it is gone is found when the session is opened."""
        if self._people is not None and not self._factory.has_agent(agent_id):
            await self._people.load(agent_id)

    def _peer(self, ticket: Ticket) -> WebRtcPeer:
        return WebRtcPeer(ticket.id, ticket.agent_id, self._options, self._faces)

    def _open(self, ticket: Ticket, link: BrowserLink, connection: HTTPConnection | None = None) -> Any:
        try:
            session = self._factory.open_session(
                ticket.agent_id, link, call_id=ticket.id, peer=ticket.address, channel=link.kind
            )
        except KeyError:
            raise NoAgent("There is no agent of this name any more") from None
        self._calls.running(ticket.id)
        link.notify("ready", {"session": ticket.id, "agent": ticket.agent_id})
        return session

    async def _hold(self, ticket: Ticket, peer: WebRtcPeer) -> None:
        """A call's task: from the answer until the connection is closed."""
        reason = "never connected"
        try:
            if await peer.connected():
                reason = "stopped by the server"
                await self._load(ticket.agent_id)
                session = self._open(ticket, peer.link)
                with structlog.contextvars.bound_contextvars(session=session.id):
                    reason = await converse(session, peer.link, peer.watch, self._options.wind_up)
                    await peer.drain()
            if peer.failure is not None:
                log.error("session failed", call=ticket.id, exc_info=peer.failure)
        except Exception:  # the task has no caller: what went wrong is said here
            log.exception("session failed", call=ticket.id)
        finally:
            self._over(ticket)
            await peer.close()
            log.info("browser session ended", call=ticket.id, reason=reason)

    def _over(self, ticket: Ticket) -> None:
        self._calls.remove(ticket.id)
        self._tickets.forget(ticket)


def browser_endpoints(
    factory: Sessions,
    settings: Settings,
    database: Database,
    *,
    faces: VideoFactory | None = None,
    catalogue: Catalogue | None = None,
    posters: Posters | None = None,
    people: PeoplesAgents | None = None,
    page_key: bytes | None = None,
) -> BrowserEndpoints:
    """The endpoints on this database's API keys; `settings` hold the port that is really bound."""

    async def account_of(key: str) -> str | None:
        found = await database.run(authenticate, key)
        return None if found is None else found.account_id

    return BrowserEndpoints(
        factory,
        BrowserOptions.of(settings),
        account_of,
        faces=faces,
        catalogue=catalogue,
        posters=posters,
        people=people,
        page_key=page_key,
    )


def answering(endpoint: Endpoint) -> Endpoint:
    """Turn refusals into answers."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as error:
            response = error_response(error.status, str(error), code=error.code)
            if error.retry_after is not None:
                response.headers["retry-after"] = str(error.retry_after)
            if error.status == 401:
                response.headers["www-authenticate"] = "Bearer"
            return response

    return answer


async def _json(request: Request) -> dict[str, Any]:
    """The request's body, a JSON object. Raises `Refused`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused("The body is a JSON object: Content-Type: application/json is expected")
    body = await read_body(request, MAX_BODY)
    if body is None:
        raise Refused(f"The body has at most {MAX_BODY} bytes")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("The body is not JSON") from None
    if not isinstance(content, dict):
        raise Refused("The body is a JSON object")
    return content
