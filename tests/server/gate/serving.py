"""An application behind the gate, in this process, with endpoints made for the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
from pydantic import Field
from sqlalchemy.orm import Session

from server.app import create_app
from server.credits import reserve
from server.database import Database, create_account, create_key
from server.gate.auth import Authenticator
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Forbidden, NotFound
from server.gate.families import Family
from server.gate.gate import Gate
from server.gate.models import AnswerModel, CamelRequest, QueryModel, Said, Url, Whole
from server.gate.registry import Endpoint
from server.metrics import Metrics
from server.settings import Settings
from tests.server.running import QuietEngine


class ThingRequest(CamelRequest):
    """What a thing is made of."""

    prompt: Annotated[Said, Field(max_length=20)]
    image_url: Url | None = None
    width: Annotated[Whole, Field(ge=256, le=2048)] = 1024
    speed: Annotated[float, Field(ge=0.5, le=2)] = 1.0


class ThingQuery(QueryModel):
    """Which things."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20


class ThingAnswer(AnswerModel):
    """A thing."""

    job_id: str
    width: int


@dataclass
class Things:
    """Endpoints that make things and count how often."""

    made: int = 0
    fail: Exception | None = None
    price: int = 10
    seen: list[Any] = field(default_factory=list)

    async def make(self, call: ApiCall[ThingRequest]) -> ApiResult:
        """A thing, for credits."""
        if self.fail is not None:
            raise self.fail
        self.seen.append(call.body)
        return await call.transact(self._make, call.account.id, call.body.width)

    def _make(self, session: Session, account_id: str, width: int) -> ApiResult:
        self.made += 1
        reserve(session, account_id, self.price, job_id=f"job{self.made}", item="thing")
        return ApiResult(ThingAnswer(job_id=f"job{self.made}", width=width))

    async def show(self, call: ApiCall[None]) -> ApiResult:
        """All things."""
        if self.fail is not None:
            raise self.fail
        return ApiResult({"limit": call.query.limit if call.query else None})

    async def one(self, call: ApiCall[None]) -> ApiResult:
        """One thing."""
        if call.path["thing"] != "known":
            raise NotFound("There is no such thing")
        return ApiResult({"id": call.path["thing"]})

    async def refuse(self, call: ApiCall[None]) -> ApiResult:
        """Never."""
        raise Forbidden("no engine is configured for things")

    def endpoints(self) -> list[Endpoint]:
        """In each family, to make and to list; in F2 more."""
        bases = {
            Family.F1: "/v1/videos",
            Family.F2: "/api/generate/thing",
            Family.F3: "/v1/agent/generate",
            Family.F4: "/api/video-editor/thing",
            Family.F5: "/jobs/v2",
        }
        made = []
        for family, path in bases.items():
            common: dict[str, Any] = {"family": family, "path": path, "summary": "Things"}
            made += [
                Endpoint(
                    **common,
                    method="POST",
                    handler=self.make,
                    body=ThingRequest,
                    answers={202: ThingAnswer},
                    limit="generate",
                    paid=True,
                ),
                Endpoint(
                    **common, method="GET", handler=self.show, query=ThingQuery, answers={200: None}, limit="read"
                ),
            ]
        platform: dict[str, Any] = {"family": Family.F2, "summary": "Things", "answers": {200: None}}
        return [
            *made,
            Endpoint(**platform, method="GET", path="/api/things/{thing}", handler=self.one, limit="read"),
            Endpoint(**platform, method="DELETE", path="/api/things/{thing}", handler=self.one, limit="delete"),
            Endpoint(**platform, method="GET", path="/api/rich", handler=self.one, limit="read", least="enterprise"),
            Endpoint(**platform, method="GET", path="/api/refused", handler=self.refuse, limit="read"),
        ]


@dataclass
class Served:
    """A client without a key, and what it speaks to."""

    client: httpx.AsyncClient
    gate: Gate
    things: Things
    database: Database
    settings: Settings

    def key(self, plan: str = "enterprise", credits: int = 1000) -> str:  # noqa: A002 - their name
        """The key of a new account."""
        account = self.database.run_here(create_account, plan, plan=plan, credits=credits)
        return self.database.run_here(create_key, "test", account).secret

    def bearer(self, plan: str = "enterprise", credits: int = 1000) -> dict[str, str]:  # noqa: A002 - as above
        """The header with the key of a new account."""
        return {"authorization": f"Bearer {self.key(plan, credits)}"}


@asynccontextmanager
async def served(
    settings: Settings,
    database: Database,
    endpoints: Sequence[Endpoint] | None = None,
    *,
    authenticator: Authenticator | None = None,
    **limits: object,
) -> AsyncIterator[Served]:
    """Serve things, or these endpoints; keywords override settings of the limits."""
    changed = settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})
    things = Things()
    declared = things.endpoints() if endpoints is None else endpoints
    gate = Gate(changed, database, declared, authenticator=authenticator)
    app = create_app(changed, engine=QuietEngine(), database=database, metrics=Metrics(), gate=gate)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://visavis") as client:
        try:
            yield Served(client, gate, things, database, changed)
        finally:
            await gate.close()
