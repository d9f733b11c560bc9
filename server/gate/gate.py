"""The gate: everything that a request of an API family passes before its handler, and its answer after it.

As middleware it recognises the caller, counts the request against the limits, and puts the limits' headers on whatever
is answered, errors of other parts included. As an endpoint it reads and validates, runs the handler, and turns what it
raises into the family's shape.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn

import structlog
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.browser.access import address_of
from server.credits import InsufficientCredits
from server.database import Database, DatabaseError, Identity
from server.errors import error_response
from server.gate.auth import HOW, MISSING, Authenticator, presented_key
from server.gate.body import check_json_type, check_text, parse_json, parse_text
from server.gate.call import ApiCall, ApiResult, replay
from server.gate.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    PaymentRequired,
    Unauthorised,
    Unavailable,
    UnsupportedMedia,
)
from server.gate.families import family_of, plan_reaches
from server.gate.idempotency import Claim, claim_of, find_answer
from server.gate.limits import Admits, LimitClass, Limiter, Verdict
from server.gate.models import validated
from server.gate.openapi import openapi
from server.gate.reference import reference_routes
from server.gate.registry import Endpoint, Registry, Resource
from server.middleware import BodyBounds
from server.settings import Settings

log = structlog.get_logger(__name__)

ANSWER_WAIT_S = 20.0
"""A request whose Idempotency-Key is being answered waits so long for that answer."""
DATABASE_ERRORS = (OperationalError, PoolTimeout, DatabaseError)
NOT_GATED = ("/api/sessions", "/api/page", "/storage/files")
"""Paths of other parts that lie below a family's prefix: what the pages use, files by signed URL."""


class Gate:
    """All API endpoints behind one door. Await `close` at the end.

    `signed_in`: the id of the key that a page of ours is signed in with, if any. `limiter`: one of another process.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        endpoints: Sequence[Endpoint],
        *,
        clock: Callable[[], float] = time.time,
        authenticator: Authenticator | None = None,
        signed_in: Callable[[HTTPConnection], str | None] = lambda _: None,
        limiter: Admits | None = None,
    ) -> None:
        self.registry = Registry(endpoints)
        self.authenticator = authenticator or Authenticator(database)
        self.limiter: Admits = limiter or Limiter(settings.limits, settings.plans, clock=clock)
        self._database = database
        self._clock = clock
        self._signed_in = signed_in
        self._url = settings.public_url
        self._answering: dict[tuple[str, str], _Turn] = {}

    async def close(self) -> None:
        """Let go of what is outside of this process."""
        await self.limiter.close()

    # As middleware

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """The application behind the gate; what is no API passes untouched."""

        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            if scope["type"] != "http" or family_of(path) is None or path.startswith(NOT_GATED):
                await app(scope, receive, send)
                return
            await self._admit(app, scope, receive, send)

        return gated

    async def _admit(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        found = self.registry.find(scope["path"])
        endpoint = found[0].endpoint(scope["method"]) if found else None
        if found is not None:  # in the scope itself: the metrics read the route from it, also of what is refused here
            scope["route"], scope["visavis.found"] = found[0], found
        account, refusal, by_page = await self._recognise(request)
        verdict: Verdict | None = None
        if self.limiter.enabled:
            if account is None:
                verdict = await self.limiter.admit_stranger(address_of(request))
            else:
                kind: LimitClass = endpoint.limit if endpoint else _kind(scope["method"])
                verdict = await self.limiter.admit(account, "console" if by_page and _looks(request) else kind)

        async def told(message: Message) -> None:
            if verdict is not None and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in verdict.headers(self._clock()).items():
                    headers[name] = value
            await send(message)

        scope["visavis.account"] = account
        answer: Response | None = None
        if verdict is not None and not verdict.admitted:
            answer = error_response(429, "Too many requests", path=scope["path"])
        elif refusal is not None and (endpoint is not None or not isinstance(refusal, Unauthorised)):
            answer = refused(refusal, scope["path"])
        if answer is not None:
            await answer(scope, receive, told)
            return
        await app(scope, receive, told)

    async def _recognise(self, request: Request) -> tuple[Identity | None, ApiError | None, bool]:
        """The account that asks, or why it is not known; and whether a page of ours is signed in, not a key sent."""
        account: Identity | None = None
        by_page = False
        try:
            if key := presented_key(request.headers):
                account = await self.authenticator.identify(key)
            elif (key_id := self._signed_in(request)) is not None:
                by_page = True
                account = await self.authenticator.identify_by_id(key_id)
        except ApiError as error:
            return None, error, by_page
        except DATABASE_ERRORS as error:
            return None, _translated(error, "authentication"), by_page
        if account is None:
            return None, Unauthorised(MISSING, details=HOW, headers={"www-authenticate": "Bearer"}), by_page
        return account, None, by_page

    # As endpoints

    def routes(self) -> list[BaseRoute]:
        """To be mounted at the root, before all others: every endpoint, and the reference."""
        return [_GateRoute(self), *reference_routes(openapi(self.registry, url=self._url))]

    @property
    def bodies(self) -> dict[str, BodyBounds]:
        """Paths that accept other bodies than the settings allow everywhere."""
        return {endpoint.path: endpoint.bounds for endpoint in self.registry.endpoints if endpoint.bounds is not None}

    async def answer(self, request: Request) -> Response:
        """Run an endpoint. Raises `HTTPException`, and what is a fault of ours."""
        found = request.scope.get("visavis.found")
        if found is None or any("\x00" in value for value in found[1].values()):  # PostgreSQL takes no NUL in a text
            raise HTTPException(404)
        resource: Resource = found[0]
        endpoint = resource.endpoint(request.method)
        if endpoint is None:
            raise HTTPException(405, headers={"allow": resource.allow})
        try:
            return await self._answer(endpoint, request, dict(found[1]))
        except (ApiError, InsufficientCredits, TimeoutError, ClientDisconnect, *DATABASE_ERRORS) as error:
            return refused(_translated(error, endpoint.path), request.url.path)

    async def _answer(self, endpoint: Endpoint, request: Request, path: dict[str, str]) -> Response:
        account: Identity | None = request.scope.get("visavis.account")
        if account is None:
            raise Unauthorised(MISSING, details=HOW, headers={"www-authenticate": "Bearer"})
        if endpoint.least is not None and not plan_reaches(account.plan, endpoint.least):
            raise Forbidden(f"This needs the {endpoint.least} plan; yours is {account.plan}")
        raw, body = await _body(endpoint, request)
        call = ApiCall(
            account=account,
            body=body,
            query=_query(endpoint, request),
            path=path,
            request=request,
            database=self._database,
            status=endpoint.status,
        )
        async with asyncio.timeout(endpoint.seconds):
            key = request.headers.get("idempotency-key") if endpoint.paid else None
            if key is None:
                return _response(await endpoint.handler(call), endpoint)
            call.claim = claim_of(account.id, key, path=request.url.path, body=raw)
            async with self._one_at_a_time(call.claim):
                return _response(await self._once(endpoint, call, call.claim), endpoint)

    async def _once(self, endpoint: Endpoint, call: ApiCall[Any], claim: Claim) -> ApiResult | Response:
        """The answer that the key has had, else the handler's, which is kept."""
        stored = await self._database.look(find_answer, claim)
        if stored is not None:
            return replay(stored)
        result = await endpoint.handler(call)
        if call.stored or not isinstance(result, ApiResult) or (result.status or endpoint.status) >= 400:
            return result
        return await call.transact(lambda _session: result)

    @asynccontextmanager
    async def _one_at_a_time(self, claim: Claim) -> AsyncIterator[None]:
        """Requests of one key wait for each other; in this process only, the database does the rest."""
        name = (claim.account_id, claim.key)
        turn = self._answering.setdefault(name, _Turn())
        turn.users += 1
        try:
            try:
                async with asyncio.timeout(ANSWER_WAIT_S):
                    await turn.lock.acquire()
            except TimeoutError:
                raise Conflict("Idempotency-Key: a request with this key is still being answered") from None
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            turn.users -= 1
            if not turn.users:
                del self._answering[name]


@dataclass(slots=True)
class _Turn:
    """Whose turn it is among the requests of one key."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class _GateRoute(BaseRoute):
    """All endpoints as one route: the middleware has found the resource, whose path also names it in the metrics."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whatever the registry knows."""
        found = scope.get("visavis.found")
        return (Match.NONE, {}) if found is None else (Match.FULL, {"endpoint": self, "route": found[0]})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        response = await self._gate.answer(Request(scope, receive))
        await response(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        """Endpoints have no names."""
        raise NoMatchFound(name, path_params)


def refused(error: ApiError, path: str) -> Response:
    """An error as the family of the path has it."""
    response = error_response(
        error.status, error.message, code=error.code, path=path, details=error.details, reason=error.reason
    )
    for name, value in error.headers.items():
        response.headers[name] = value
    return response


def _translated(error: Exception, where: str) -> ApiError:
    """What went wrong, as the client is told it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, InsufficientCredits):
        return PaymentRequired(f"Insufficient credits: {error}")
    if isinstance(error, ClientDisconnect):  # nobody reads this
        return Invalid("The request ended before it was whole")
    log.error("a request was given up", where=where, error=type(error).__name__)
    return Unavailable("The service is not available at the moment: try again soon")


def _looks(request: Request) -> bool:
    """Whether the console looks at or changes what is there: what makes something has its own window."""
    return request.method in ("GET", "HEAD", "DELETE", "PATCH")


def _kind(method: str) -> LimitClass:
    """The window of what is not found."""
    return "read" if method in ("GET", "HEAD", "OPTIONS") else "delete" if method == "DELETE" else "write"


async def _body(endpoint: Endpoint, request: Request) -> tuple[Any, Any]:
    """The body's JSON and the model made of it; of a body that the handler reads itself, nothing."""
    if endpoint.body is None and not endpoint.multipart and not endpoint.takes:
        return None, None
    content_type = request.headers.get("content-type", "")
    if endpoint.multipart:
        if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
            raise UnsupportedMedia("The body must be multipart/form-data")
        return None, None
    if endpoint.takes:
        text = parse_text(await request.body(), content_type, endpoint.takes)
        return text, text
    assert endpoint.body is not None  # noqa: S101 - the first line has seen to it
    raw = await request.body()
    if raw.strip() or content_type:
        check_json_type(content_type)
    value = parse_json(raw)
    return value, validated(endpoint.body, value)


def _query(endpoint: Endpoint, request: Request) -> BaseModel | None:
    if endpoint.query is None:
        return None
    given: dict[str, str] = {}
    known = _names(endpoint.query)
    for name, value in request.query_params.multi_items():
        if name not in known:
            continue
        if name in given:
            raise Invalid("is given more than once", field=name)
        check_text(value, name)
        given[name] = value
    return validated(endpoint.query, given)


@cache
def _names(query: type[BaseModel]) -> frozenset[str]:
    """A query's parameters as they are written."""
    return frozenset(field.alias or name for name, field in query.model_fields.items())


def _response(result: ApiResult | Response, endpoint: Endpoint) -> Response:
    if isinstance(result, Response):
        return result
    status = result.status or endpoint.status
    if status == 204:
        return Response(status_code=204, headers=dict(result.headers))
    return Response(result.encode(), status, dict(result.headers), media_type="application/json")
