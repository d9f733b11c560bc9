"""The API process with the tests' endpoints: `python -m tests.server.api_process.child --channel N`."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from typing import Any

import uvloop

from server.api_process.child import ApiParts, serve_api, watch_parent
from server.app import create_app
from server.commands.common import settings_from_environment
from server.database import Database
from server.gate.call import ApiCall, ApiResult
from server.gate.families import Family
from server.gate.gate import Gate
from server.gate.limits import Admits
from server.gate.models import RequestModel
from server.gate.registry import Endpoint
from server.logs import configure_logs
from server.metrics import Metrics
from server.settings import Settings
from tests.server.running import QuietEngine


class Note(RequestModel):
    """What is sent."""

    text: str


class Where:
    """Endpoints that tell which process answers. `forget`: what a revocation calls."""

    def __init__(self) -> None:
        self.forget: Any = lambda: None

    async def here(self, call: ApiCall[Any]) -> ApiResult:
        """This process, and what was sent."""
        client = call.request.client
        assert client is not None
        text = call.body.text if call.body is not None else ""
        return ApiResult({"pid": os.getpid(), "port": client.port, "length": len(text)})

    async def slow(self, call: ApiCall[Any]) -> ApiResult:
        """The same, later."""
        await asyncio.sleep(0.3)
        return await self.here(call)

    async def revoked(self, call: ApiCall[Any]) -> ApiResult:
        """Revoke the key that asks."""
        from server.database import revoke_key  # noqa: PLC0415 - only here

        await call.database.run(revoke_key, call.account.key.id, call.account.id)
        self.forget()
        return ApiResult({"pid": os.getpid()})

    def endpoints(self) -> list[Endpoint]:
        """Two of each side, and one that revokes on each."""
        common: dict[str, Any] = {"family": Family.F2, "summary": "Where", "answers": {200: None}, "limit": "read"}
        return [
            Endpoint(**common, method="GET", path="/api/where", handler=self.here),
            Endpoint(**common, method="POST", path="/api/where", handler=self.here, body=Note),
            Endpoint(**common, method="GET", path="/api/slow", handler=self.slow),
            Endpoint(**common, method="GET", path="/api/live", handler=self.here, live=True),
            Endpoint(**common, method="POST", path="/api/live", handler=self.here, body=Note, live=True),
            Endpoint(**common, method="POST", path="/api/revoke", handler=self.revoked),
            Endpoint(**common, method="POST", path="/api/revoke-live", handler=self.revoked, live=True),
        ]


def gate(settings: Settings, database: Database, limiter: Admits | None = None) -> Gate:
    """The gate with those."""
    where = Where()
    made = Gate(settings, database, where.endpoints(), limiter=limiter)
    where.forget = made.authenticator.forget
    return made


def assemble(settings: Settings, database: Database, limiter: Admits, metrics: Metrics) -> ApiParts:
    """The application of the process."""
    made = gate(settings, database, limiter)
    return ApiParts(create_app(settings, engine=QuietEngine(), database=database, metrics=metrics, gate=made), made)


def main() -> None:
    """As `server.commands.api`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int, required=True)
    end = socket.socket(fileno=parser.parse_args().channel)
    watch_parent(end)
    settings = settings_from_environment()
    configure_logs(settings.log.level, settings.log.format)
    database = Database(settings.database_url, threads=2)
    uvloop.run(serve_api(settings, database, end, assemble))


if __name__ == "__main__":
    main()
