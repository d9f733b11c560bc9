"""`worker`: make what is ordered, beside the server's own workers or on another machine of the same database."""

from __future__ import annotations

import argparse
from typing import Any

from server.commands.common import settings_from_environment
from server.commands.serve import open_database, prepare_models
from server.logs import configure_logs
from server.memory import bound_arenas


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser: argparse.ArgumentParser = commands.add_parser("worker", help="run jobs until told to stop")
    parser.add_argument("--supervised", action="store_true", help="end when standard input does (for serve)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Work until SIGINT or SIGTERM; returns the exit code."""
    bound_arenas()
    settings = settings_from_environment()
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secrets())
    if not options.supervised:
        open_database(settings).close()
        prepare_models(settings)
    from server.jobs.production import PARTS  # noqa: PLC0415 - wrong settings are answered before this is imported
    from server.jobs.worker import run_worker  # noqa: PLC0415 - as above

    return run_worker(settings, PARTS, supervised=options.supervised)
