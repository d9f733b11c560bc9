"""The whole server without its models, on a real socket in this process, and its schema with our hooks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st

from server.assembly import Assembly
from server.database import Database, first_key
from server.fetching import UrlPolicy
from server.logs import configure_logs
from server.serving import WebServer, bind, server_config
from server.settings import Settings

CREDITS: Final = 10**11
"""Enough for every case there is."""
ACCEPTED: Final = ("2xx", "401", "402", "403", "404", "409", "429")
"""What a request may be answered that the reference allows."""


schemathesis.openapi.format(
    "uri",
    st.builds(
        "https://{}.invalid/{}".format,
        st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20),
        st.text("abcXYZ019-._~/?&=%C3%A4", max_size=40).map(lambda path: path.replace("%", "%25")),
    ),
)
"""URLs that the fetcher's check admits and nobody has; which ones it must not admit is tested where it is."""

schemathesis.serializer.alias("text/csv", "text/plain")


@dataclass(frozen=True, slots=True)
class Service:
    """A server that runs: its address, a key that may everything, and the parts."""

    url: str
    key: str
    database: Database
    parts: Assembly

    def schema(self) -> Any:
        """The reference as schemathesis reads it."""
        loaded = schemathesis.openapi.from_url(f"{self.url}/openapi.json")
        loaded.config.generation.update(allow_x00=False, with_security_parameters=False)
        loaded.config.checks.positive_data_acceptance.expected_statuses = list(ACCEPTED)
        return loaded


@contextmanager
def service(data: Path, **changed: Any) -> Iterator[Service]:
    """Serve from this folder until the block ends, without limits; `changed` are sections of the settings."""
    sections = {
        "data_dir": data,
        "limits": {"enabled": False},
        "avatar": {"enabled": False},
        "log": {"level": "error"},
        "plans": {"enterprise": {"credits": CREDITS, "requests_per_day": 10**9}},
        **changed,
    }
    listener = bind("127.0.0.1", 0)
    settings = Settings.model_validate(sections).with_port(listener.getsockname()[1])
    configure_logs("error", "console")
    database = Database(settings.database_url, threads=4, looks_on_loop=True)
    database.migrate()
    issued = database.run_here(first_key, None, credits=settings.plans.enterprise.credits)
    assert issued is not None
    parts = Assembly(settings, database, policy=UrlPolicy())
    started = threading.Event()
    server = WebServer(server_config(parts.app, settings.server), before_close=parts.close, on_started=started.set)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        assert started.wait(30)
        yield Service(settings.public_url, issued.secret, database, parts)
    finally:
        server.stop()
        thread.join(30)
        database.close()
