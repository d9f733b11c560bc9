"""The parts of a server, put together: engine, faces, people's agents, pages and endpoints."""

from __future__ import annotations

from pathlib import Path

from starlette.types import ASGIApp

from server.app import create_app
from server.browser.routes import BrowserEndpoints, browser_endpoints
from server.database import Database
from server.engine import Engine
from server.faces.faces import Faces
from server.faces.options import FaceOptions
from server.made_agents.people import BODIES, People
from server.metrics import Metrics
from server.settings import Settings
from server.signing import SigningKey
from server.web.routes import web_routes


class Assembly:
    """A server's parts. `app` answers requests; `start` once before, `close` once after, both on the event loop.

    `settings` hold the port that is really bound. Raises `OSError` where the data folder cannot be written.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        metrics = Metrics()
        key = SigningKey.load(settings.data_dir)
        faces = Faces(FaceOptions.of(settings), packs=self._pack_of) if settings.avatar.enabled else None
        self.engine = Engine(settings, database, metrics, faces=faces)
        self.people = People(settings, database, self.engine)
        self.browser: BrowserEndpoints = browser_endpoints(
            self.engine,
            settings,
            database,
            faces=faces.open if faces else None,
            catalogue=self.engine,
            posters=faces,
            people=self.people.agents,
            page_key=key.derive("page"),
        )
        page = self.browser.page
        self.app: ASGIApp = create_app(
            settings,
            engine=self.engine,
            database=database,
            metrics=metrics,
            routes=[*self.browser.routes(), *self.people.page_routes(page, faces), *web_routes(page)],
            bodies=BODIES,
        )

    async def start(self) -> None:
        """Load the models and begin. Raises `ModelError` or `AgentError`."""
        await self.engine.start()
        await self.people.start()

    async def close(self) -> None:
        """End the conversations, then everything else."""
        await self.browser.close()
        await self.people.close()
        await self.engine.close()

    def _pack_of(self, agent_id: str) -> Path | None:
        return self.people.pack_of(agent_id)
