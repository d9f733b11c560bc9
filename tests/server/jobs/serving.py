"""A server of jobs alone, as a process: the real gate, desks, ledger, supervisor and workers, with the tests' handlers.

`python -m tests.server.jobs.serving`, settings from the environment. `POST /api/generate/count {to, step_s}` orders a
job; it honours Idempotency-Key like everything that is paid.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from pydantic import BaseModel

from server.app import create_app
from server.commands.common import settings_from_environment
from server.database import Database, first_key
from server.fetching import UrlPolicy
from server.gate.call import ApiCall, ApiResult
from server.gate.families import Family
from server.gate.gate import Gate
from server.gate.models import RequestModel
from server.gate.registry import Endpoint
from server.jobs import durable
from server.jobs.compose import assemble
from server.jobs.desk import JobDesk
from server.jobs.supervisor import Supervisor
from server.logs import configure_logs
from server.metrics import Metrics
from server.serving import WebServer, bind, server_config
from server.settings import Settings
from server.webhooks.desk import WebhookDesk
from tests.server.jobs.parts import KINDS, FolderFiles
from tests.server.running import QuietEngine

PRICE = 80
WORKER = (sys.executable, "-m", "tests.server.jobs.parts", "supervised")


class CountRequest(RequestModel):
    """Count to `to`, `step_s` seconds apart."""

    to: int = 5
    step_s: float = 0.02


class Ordered(BaseModel):
    """The job's id."""

    id: str


async def serve(settings: Settings) -> None:
    """Until SIGTERM, or killed."""
    listener = bind(settings.server.host, settings.server.port)
    settings = settings.with_port(listener.getsockname()[1])
    database = Database(settings.database_url, threads=4)
    database.migrate()
    durable.prepare(settings.database_url)
    assert settings.bootstrap_key is not None
    database.run_here(first_key, settings.bootstrap_key.get_secret_value())
    files = FolderFiles(settings.data_dir / "files")
    parts = assemble(settings, database, KINDS, files.sign)

    async def count(call: ApiCall[CountRequest]) -> ApiResult:
        def order(session: Any) -> ApiResult:
            payload = call.body.model_dump()
            job = parts.jobs.submit(session, kind="count", payload=payload, account_id=call.account.id, price=PRICE)
            return ApiResult(Ordered(id=job.id))

        return await call.transact(order)

    ordering = Endpoint(
        family=Family.F2,
        method="POST",
        path="/api/generate/count",
        summary="Count",
        handler=count,
        body=CountRequest,
        answers={202: Ordered},
        limit="generate",
        paid=True,
    )
    policy = UrlPolicy.of(settings.fetching, "")
    desks = [*JobDesk(parts.jobs, files.sign).endpoints(), *WebhookDesk(parts.deliveries, policy).endpoints()]
    gate = Gate(settings, database, [ordering, *desks])
    app = create_app(settings, engine=QuietEngine(), database=database, metrics=Metrics(), gate=gate)
    workers = Supervisor(settings.jobs.workers, {}, command=WORKER)

    async def nothing() -> None:
        """End no conversations."""

    server = WebServer(server_config(app, settings.server), before_close=nothing, on_started=workers.start)
    await server.serve([listener])


def main() -> None:
    settings = settings_from_environment()
    configure_logs(settings.log.level, settings.log.format)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
    os._exit(0)
