"""The one registry of endpoints: routes, the reference and the limits are all read from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import compile_path

from server.gate.call import ApiCall, ApiResult
from server.gate.families import Family
from server.gate.limits import LimitClass
from server.middleware.body import BodyBounds

HANDLER_S: Final = 30.0

Handler = Callable[[ApiCall[Any]], Awaitable[ApiResult | Response]]
"""Answers an admitted and validated request; raises `ApiError`. A `Response` goes out as it is (files, streams)."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint, declared once.

    `path`: with parameters in braces, each one segment. `body`: the model of its JSON body. `multipart`: the body is
    `multipart/form-data`, which the handler reads itself. `takes`: the body is text of this
    media type, which the handler gets as it is. `query`: the model of its query. `answers`: the model of each
    success, by status; the first one is what a handler's answer has unless it says otherwise; None: no JSON.
    `limit`: its window. `paid`: costs credits, so Idempotency-Key is honoured and 402 is possible. `least`: the plan it
    takes. `errors`: further statuses that it may answer. `bounds`: where the server's own limits on bodies do
    not fit. `seconds`: the handler is given up after this (503). `live`: it needs what only the process of the
    conversations has (models, live calls, work under way), so the API process leaves it to that.
    """

    family: Family
    method: Method
    path: str
    summary: str
    handler: Handler
    answers: Mapping[int, type[BaseModel] | None]
    limit: LimitClass
    description: str = ""
    body: type[BaseModel] | None = None
    multipart: bool = False
    takes: str = ""
    query: type[BaseModel] | None = None
    paid: bool = False
    price: str = ""
    least: str | None = None
    errors: frozenset[int] = frozenset()
    bounds: BodyBounds | None = None
    seconds: float = HANDLER_S
    live: bool = False
    example: Mapping[str, Any] | None = None

    @property
    def status(self) -> int:
        """The status of success."""
        return next(iter(self.answers))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's parameters."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def statuses(self) -> frozenset[int]:
        """Every status that it may answer, 405 for other methods aside."""
        found = {*self.answers, *self.errors, 401, 429, 500, 503}
        if self.body is not None or self.multipart or self.takes:
            found |= {self.family.value.invalid, 408, 413, 415}
        if self.query is not None:
            found.add(self.family.value.invalid)
        if self.paid:
            found |= {402, 403, 409}
        if self.least is not None:
            found.add(403)
        if self.parameters:
            found.add(404)
        return frozenset(found)


_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Resource:
    """A path and its endpoints, by method."""

    path: str
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    @property
    def allow(self) -> str:
        """The Allow header: what may be done with it."""
        return ", ".join(sorted({*self.endpoints, *(["HEAD"] if "GET" in self.endpoints else [])}))

    def endpoint(self, method: str) -> Endpoint | None:
        """What answers this method."""
        return self.endpoints.get("GET" if method == "HEAD" else method)


class Registry:
    """All endpoints. Raises `ValueError` for two of one method and path."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._resources: dict[str, Resource] = {}
        for endpoint in endpoints:
            resource = self._resources.setdefault(endpoint.path, Resource(endpoint.path))
            if endpoint.method in resource.endpoints:
                raise ValueError(f"{endpoint.method} {endpoint.path} is declared twice")
            resource.endpoints[endpoint.method] = endpoint
        self._patterns = [
            (compile_path(path)[0], resource) for path, resource in self._resources.items() if "{" in path
        ]

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them, in the order of their declaration."""
        return tuple(endpoint for resource in self._resources.values() for endpoint in resource.endpoints.values())

    def find(self, path: str) -> tuple[Resource, Mapping[str, str]] | None:
        """What a path names, and its parameters. A path without parameters goes before one with."""
        resource = self._resources.get(path)
        if resource is not None and "{" not in path:
            return resource, {}
        for pattern, resource in self._patterns:
            if found := pattern.fullmatch(path):
                return resource, found.groupdict()
        return None
