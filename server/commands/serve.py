"""`serve`: prepare the models, bring the database up to date, take calls until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from media.models import Console, ModelError, prepare
from server.commands.common import CommandError, settings_from_environment
from server.logs import configure_logs
from server.memory import bound_arenas, settle
from server.settings import Settings
from server.weights import needed_models

if TYPE_CHECKING:
    from server.api_process.parent import ApiProcess
    from server.assembly import Assembly
    from server.database import Database
    from server.jobs.supervisor import Supervisor
    from server.serving import WebServer


log = structlog.get_logger(__name__)

_SESSIONS_SHARE = 0.5
"""Of the time to stop, what conversations get to end."""


def add(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser("serve", help="run the server")
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    bound_arenas()
    settings = settings_from_environment()
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secrets())
    listener, settings = _listen(settings)
    with listener:
        database = open_database(settings)
        try:
            prepare_models(settings)
            first = _first_key(database, settings)
            return _run_loop(settings, database, listener, first)
        finally:
            database.close()


def _listen(settings: Settings) -> tuple[socket.socket, Settings]:
    from server.serving import bind  # noqa: PLC0415 - wrong settings are answered before uvicorn is imported

    try:
        listener = bind(settings.server.host, settings.server.port)
    except OSError as error:
        raise CommandError(str(error)) from None
    return listener, settings.with_port(listener.getsockname()[1])


def prepare_models(settings: Settings) -> None:
    """Fetch the models that are missing, with their progress shown. Raises `CommandError`."""
    try:
        prepare(needed_models(settings), progress=Console())
    except ModelError as error:
        raise CommandError(str(error)) from None


def open_database(settings: Settings) -> Database:
    """The database of the settings, brought up to date. Raises `CommandError`."""
    from server.database import Database, DatabaseError  # noqa: PLC0415 - as above

    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(settings.data_dir, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
        database = Database(settings.database_url, threads=settings.database.threads)
        database.migrate()
    except OSError as error:
        raise CommandError(
            f"data_dir {settings.data_dir} cannot be used: {error.strerror}; choose another with VISAVIS_DATA_DIR"
        ) from None
    except DatabaseError as error:
        raise CommandError(str(error)) from None
    return database


def _first_key(database: Database, settings: Settings) -> str | None:
    """The API key to show: only where this start has made it at random."""
    from server.database import authenticate, first_key  # noqa: PLC0415 - as above

    given = settings.bootstrap_key.get_secret_value() if settings.bootstrap_key else None
    issued = database.run_here(first_key, given, credits=settings.plans.enterprise.credits)
    if issued is None and given is not None and database.run_here(authenticate, given) is None:
        log.warning("VISAVIS_BOOTSTRAP_KEY is not a valid key here: it counts only when the database is new")
    return issued.secret if issued is not None and given is None else None


def _run_loop(settings: Settings, database: Database, listener: socket.socket, key: str | None) -> int:
    import uvloop  # noqa: PLC0415 - as above

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, database, listener, key))


async def _serve(settings: Settings, database: Database, listener: socket.socket, key: str | None) -> int:
    began = time.monotonic()

    def announce() -> None:
        _announce(settings, key)
        log.info("ready", seconds=round(time.monotonic() - began, 2), url=settings.public_url)

    stopping = _Stop(settings.server.shutdown_s)
    parts, server, api = await asyncio.to_thread(_assemble, settings, database, announce)
    if stopping.asked:
        return 0
    starting = asyncio.ensure_future(parts.start())
    stopping.on_stop = starting.cancel
    try:
        await starting
    except BaseException as error:
        await parts.close()
        if isinstance(error, asyncio.CancelledError) and stopping.asked:
            return 0
        if text := _mendable(error):
            raise CommandError(text) from None
        raise
    settle()
    async with _working(settings, parts) as workers:
        if api is not None:
            api.start(server)

        def stop() -> None:
            workers.stop()
            if api is not None:
                api.stop()
            server.stop()

        stopping.on_stop = stop
        try:
            await server.serve([listener])
        finally:
            if api is not None:
                await api.close()
    log.info("stopped")
    return 0


@asynccontextmanager
async def _working(settings: Settings, parts: Assembly) -> AsyncIterator[Supervisor]:
    """Have the workers at work, and let them know how live conversations are doing."""
    from server.jobs.load import LoadFile, report_load  # noqa: PLC0415 - as above
    from server.jobs.supervisor import Supervisor  # noqa: PLC0415 - as above

    load = LoadFile(settings.data_dir / "load")
    loop = asyncio.get_running_loop()
    watching = [
        loop.create_task(report_load(load, lambda: parts.engine.active_sessions)),
        loop.create_task(parts.monitor.run()),
    ]
    # The port that is really bound: workers sign URLs too.
    workers = Supervisor(settings.jobs.workers, {"VISAVIS_PORT": str(settings.server.port)})
    workers.start()
    try:
        yield workers
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await workers.close()


def _assemble(
    settings: Settings, database: Database, on_started: Callable[[], object]
) -> tuple[Assembly, WebServer, ApiProcess | None]:
    """Import what is heavy and put the parts together; on a thread, so that signals are heard meanwhile."""
    from server.api_process.parent import ApiProcess  # noqa: PLC0415 - as above
    from server.assembly import Assembly  # noqa: PLC0415 - as above
    from server.serving import BoundedHttp, WebServer, server_config  # noqa: PLC0415 - as above

    parts = Assembly(settings, database)

    async def end_conversations() -> None:
        try:
            async with asyncio.timeout(settings.server.shutdown_s * _SESSIONS_SHARE):
                await parts.close()
        except TimeoutError:
            log.warning("conversations and models did not end in time")

    api: ApiProcess | None = None
    if settings.server.api_process:
        api = ApiProcess(parts.gate, parts.metrics, {"VISAVIS_PORT": str(settings.server.port)})
    config = server_config(parts.app, settings.server, api.http if api is not None else BoundedHttp)
    return parts, WebServer(config, before_close=end_conversations, on_started=on_started), api


def _mendable(error: BaseException) -> str:
    """What is wrong, where all of it is something that people can mend: models and agents. Else nothing."""
    from agents.definition import AgentError  # noqa: PLC0415 - as above

    if isinstance(error, BaseExceptionGroup):
        texts = [_mendable(inner) for inner in error.exceptions]
        return "\n".join(dict.fromkeys(texts)) if all(texts) else ""
    return str(error) if isinstance(error, ModelError | AgentError) else ""


class _Stop:
    """SIGINT and SIGTERM: the first asks to stop and starts the clock, the second stops at once."""

    def __init__(self, seconds: float) -> None:
        self.asked = False
        self.on_stop: Callable[[], object] = lambda: None
        self._seconds = seconds
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self.asked:
            os._exit(130)
        self.asked = True
        log.info("stopping")
        # A model call that hangs in its library cannot be interrupted; the promise to stop is kept all the same.
        clock = threading.Timer(self._seconds, self._give_up)
        clock.daemon = True
        clock.start()
        self.on_stop()

    def _give_up(self) -> None:
        log.warning("not everything stopped in time; leaving it", seconds=self._seconds)
        os._exit(0)


def _announce(settings: Settings, key: str | None) -> None:
    """Tell the person at the terminal where we are and what to do next."""
    lines = [f"Visavis is ready at {settings.public_url}"]
    if key is not None:
        lines.append(f"API key (shown this once): {key}")
    lines += [
        f"  talk face to face:         open {settings.public_url}/ in a browser",
        "  talk from the terminal:    .venv/bin/python -m server call --agent demo tests/speech/open_hours.wav",
        "  use a larger model:        VISAVIS_LLM__BASE_URL=… VISAVIS_LLM__MODEL=… VISAVIS_LLM__API_KEY=… make serve",
        "  stop:                      Ctrl-C",
    ]
    print("\n".join(lines), flush=True)
