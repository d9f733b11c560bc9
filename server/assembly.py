"""The parts of a server, put together: engine, faces, people's agents, pages and endpoints."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from server.app import create_app
from server.browser.routes import BrowserEndpoints, browser_endpoints
from server.calling.calling import Calling
from server.campaigns.outcomes import call_ended
from server.campaigns.runner import CampaignRunner
from server.console.access import ConsoleAccess
from server.console.routes import Console
from server.database import Database
from server.engine import Engine
from server.faces.faces import Faces
from server.faces.options import FaceOptions
from server.families.families import Families
from server.fetching import Fetcher, UrlPolicy
from server.gate.auth import Authenticator
from server.gate.gate import Gate
from server.gate.limits import Admits
from server.gate.registry import Endpoint
from server.jobs import durable
from server.jobs.compose import assemble
from server.jobs.desk import JobDesk
from server.jobs.monitor import JobMonitor
from server.made_agents.people import BODIES, People
from server.metrics import Metrics
from server.phone.desk import PhoneParts
from server.phone.live import LiveCalls
from server.phone.recordings import Recordings
from server.phone.routes import PhoneEndpoints
from server.platform.engines import Engines
from server.platform.platform import platform_endpoints
from server.renders.kinds import RENDERS
from server.settings import Settings
from server.signing import SigningKey
from server.storage import OwnFiles, Storage, file_routes, origin_of
from server.storage.upload import upload_endpoint
from server.web.assets import Assets
from server.web.routes import web_routes
from server.webhooks.desk import WebhookDesk


class Assembly:
    """A server's parts. `app` answers requests; `start` once before, `close` once after, both on the event loop.

    `settings` hold the port that is really bound, `policy` says which URLs of users are fetched, `limiter` and
    `metrics` belong to another process. Raises `OSError` where the data folder cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        policy: UrlPolicy | None = None,
        limiter: Admits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        metrics = self.metrics = metrics or Metrics()
        key = SigningKey.load(settings.data_dir)
        faces = Faces(FaceOptions.of(settings), packs=self._pack_of) if settings.avatar.enabled else None
        self.engine = Engine(settings, database, metrics, faces=faces)
        self.files = Storage.of(settings, database)
        own = OwnFiles(self.files)
        policy = policy or UrlPolicy.of(settings.fetching, own.prefix)
        self.fetcher = Fetcher(policy, own=own)
        self.people = People(settings, database, self.engine, key, self.fetcher)
        authenticator = Authenticator(database)
        self.engines = Engines(settings.models)
        durable.prepare(settings.database_url)
        self.jobs = assemble(settings, database, RENDERS, self.files.sign)
        self.monitor = JobMonitor(database, metrics.registry)
        self.live = LiveCalls()
        self.calling = Calling(settings, database, configured=self.engine.definitions, live=self.live, files=self.files)
        self.calling.books.on_ended.append(call_ended)
        self.campaigns = CampaignRunner.of(settings, database, self.calling.dialler)
        self.families = Families(
            settings,
            jobs=self.jobs.jobs,
            files=self.files,
            made=self.people,
            fetcher=self.fetcher,
            calling=self.calling,
        )
        self.families.register(self.engines)
        console = ConsoleAccess(key.derive("console"), settings.public_url)
        self.gate = Gate(
            settings,
            database,
            self._endpoints(settings, authenticator, policy),
            authenticator=authenticator,
            signed_in=console.key_id,
            limiter=limiter,
        )
        self.browser = self._browser(settings, database, faces, key)
        self.recordings = Recordings.of(settings, database, self.files)
        self.phone = PhoneEndpoints.of(self._phone_parts(), settings)
        self.app: ASGIApp = create_app(
            settings,
            engine=self.engine,
            database=database,
            metrics=metrics,
            routes=self._routes(settings, console, faces),
            bodies=BODIES,
            gate=self.gate,
        )

    def _browser(
        self, settings: Settings, database: Database, faces: Faces | None, key: SigningKey
    ) -> BrowserEndpoints:
        return browser_endpoints(
            self.engine,
            settings,
            database,
            faces=faces.open if faces else None,
            catalogue=self.engine,
            posters=faces,
            people=self.people.agents,
            page_key=key.derive("page"),
        )

    def _endpoints(self, settings: Settings, authenticator: Authenticator, policy: UrlPolicy) -> list[Endpoint]:
        """Those of the API."""
        return [
            *platform_endpoints(settings, authenticator=authenticator, engines=self.engines, policy=policy),
            *self.people.endpoints(),
            *self.families.endpoints(),
            *JobDesk(self.jobs.jobs, self.files.sign).endpoints(),
            *WebhookDesk(self.jobs.deliveries, policy).endpoints(),
            upload_endpoint(self.files, max_bytes=settings.storage.upload_bytes, days=settings.storage.upload_days),
        ]

    def _phone_parts(self) -> PhoneParts:
        return PhoneParts(
            self.engine,
            self.calling.books,
            self.live,
            people=self.people.agents,
            recorders=self.recordings,
            calls=self.calling.carrier,
        )

    def _routes(self, settings: Settings, console: ConsoleAccess, faces: Faces | None) -> list[BaseRoute]:
        """All that is not the API: pages, sessions, files, the telephone."""
        page, assets = self.browser.page, Assets()
        return [
            *self.browser.routes(),
            *self.people.page_routes(page, faces),
            *self.people.routes(),
            *file_routes(self.files),
            *Console(self.gate, console, settings.public_url, assets, files=origin_of(settings.storage)).routes(),
            *web_routes(page, assets),
            *self.phone.routes(),
        ]

    async def start(self) -> None:
        """Load the models and begin. Raises `ModelError` or `AgentError`."""
        await self.engine.start()
        await self.people.start()
        self.recordings.start()
        self.calling.start()
        self.campaigns.start()

    async def close(self) -> None:
        """Order no more calls, end the conversations, then everything else."""
        await self.campaigns.close()
        await self.browser.close()
        await self.people.close()
        self.fetcher.close()
        await self.engine.close()
        await self.phone.close()
        await self.recordings.close()
        await self.calling.close()
        await self.gate.close()

    def _pack_of(self, agent_id: str) -> Path | None:
        return self.people.pack_of(agent_id)
