"""What a handler is given and what it gives back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request

from server.database import Database, Identity
from server.gate.idempotency import Claim, Stored, answer_once

B = TypeVar("B")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class ApiResult:
    """An answer: a model or plain JSON values, and the status where it is not the endpoint's own."""

    body: BaseModel | Mapping[str, Any]
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> str:
        """The body as JSON, names as on the wire."""
        if isinstance(self.body, BaseModel):
            return self.body.model_dump_json(by_alias=True)
        return json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(slots=True)
class ApiCall(Generic[B]):
    """One request, authenticated, admitted and validated.

    `body`: the endpoint's request model, or its text; None where it takes none (of a multipart endpoint read `request`
    yourself). `query`: its query model, or None. `path`: the values of the path's parameters, as text.
    """

    account: Identity
    body: B
    query: Any
    path: Mapping[str, str]
    request: Request
    database: Database
    status: int
    claim: Claim | None = None
    stored: bool = False

    async def transact(
        self, work: Callable[Concatenate[Session, P], ApiResult], /, *args: P.args, **kwargs: P.kwargs
    ) -> ApiResult:
        """Run `work(session, …)` in one transaction, which makes the answer. For everything that costs credits.

        Where the request names an Idempotency-Key the answer is kept in that transaction, so it is there exactly when
        what it tells of is. If another request with the key has been answered meanwhile, `work` is not run and that
        answer is returned. Raises what `work` raises; then nothing is kept.
        """
        answered = await self.database.run(self._once, lambda session: work(session, *args, **kwargs))
        self.stored = self.claim is not None
        return answered

    def _once(self, session: Session, work: Callable[[Session], ApiResult]) -> ApiResult:
        if self.claim is None:
            return work(session)
        made: list[ApiResult] = []

        def answer() -> Stored:
            made.append(work(session))
            return Stored(made[0].status or self.status, made[0].encode())

        stored = answer_once(session, self.claim, answer)
        return made[0] if made else replay(stored)


def replay(stored: Stored) -> ApiResult:
    """The answer that was given before."""
    return ApiResult(json.loads(stored.body), stored.status, {"idempotent-replayed": "true"})
