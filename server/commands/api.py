"""`api`: the API process of `serve`, which starts it; nothing for people."""

from __future__ import annotations

import argparse
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from server.commands.common import settings_from_environment
from server.logs import configure_logs
from server.memory import bound_arenas, settle

if TYPE_CHECKING:
    from server.api_process.child import ApiParts
    from server.database import Database
    from server.gate.limits import Admits
    from server.metrics import Metrics
    from server.settings import Settings


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser: argparse.ArgumentParser = commands.add_parser("api")
    parser.add_argument("--channel", type=int, required=True)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Answer the API's requests until the server ends; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides
    from server.api_process.child import NICE, serve_api, watch_parent  # noqa: PLC0415 - only this command needs them

    end = socket.socket(fileno=options.channel)
    watch_parent(end)
    os.nice(NICE)
    bound_arenas()
    settings = settings_from_environment()
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secrets())
    import uvloop  # noqa: PLC0415 - as above

    from server.database import Database  # noqa: PLC0415 - as above

    database = Database(settings.database_url, threads=settings.database.threads, looks_on_loop=True)
    try:
        uvloop.run(serve_api(settings, database, end, assemble))
    finally:
        database.close()
    return 0


def assemble(settings: Settings, database: Database, limiter: Admits, metrics: Metrics) -> ApiParts:
    """All endpoints, on an engine that is never started."""
    from server.api_process.child import ApiParts  # noqa: PLC0415 - as above
    from server.assembly import Assembly  # noqa: PLC0415 - as above

    parts = Assembly(settings, database, limiter=limiter, metrics=metrics)
    parts.engine.know_agents()
    settle()
    return ApiParts(parts.app, parts.gate)
