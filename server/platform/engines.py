"""Which engine does what is asked for: models by their commercial names, engines as they are configured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.database import Identity
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Forbidden
from server.gate.families import plan_reaches
from server.settings.platform import ModelSettings


@dataclass(frozen=True, slots=True)
class Generation:
    """What was asked for, admitted and priced: nothing is taken yet.

    `kind`: image, voice, listing-video, …; `model`: as it was asked for; `engine`: what really runs; `item`: its name
    in prices and usage; `price`: credits.
    """

    kind: str
    model: str
    engine: str
    item: str
    price: int


Serve = Callable[[ApiCall[Any], Generation], Awaitable[ApiResult]]
"""Takes the credits, orders the job and answers: see `ApiCall.transact`."""


class Engines:
    """The engines of this server: for each engine's name and kind of work, who serves it."""

    def __init__(self, settings: ModelSettings, serving: Mapping[tuple[str, str], Serve] | None = None) -> None:
        self._settings = settings
        self._serving = dict(serving or {})

    def add(self, engine: str, kind: str, serve: Serve) -> None:
        """Let an engine serve a kind of work."""
        self._serving[engine, kind] = serve

    def find(self, account: Identity, kind: str, model: str) -> tuple[str, Serve]:
        """The engine that serves a model, by name, and how. Raises `Forbidden` where plan or configuration has none."""
        least = self._settings.plans.get(model, "free")
        if not plan_reaches(account.plan, least):
            raise Forbidden(f"The model {model} needs the {least} plan; yours is {account.plan}")
        engine = self._settings.engines.get(model, "")
        serve = self._serving.get((engine, kind))
        if serve is None:
            what = model if model == kind else f"the model {model} ({kind})"
            raise Forbidden(f"no engine is configured for {what}")
        return engine, serve
