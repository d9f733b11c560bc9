"""A server's telephone with everything real but the conversations, on a loopback socket, and the stand-in carrier."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from pydantic import SecretStr

from agents.definition import AgentDefinition, PhoneDefinition
from agents.link import AudioLink
from agents.session.services import Services
from media.audio.frames import AudioFrame
from media.speech.protocols import SpeechChunk, Voice
from server.app import create_app
from server.calling.calling import Calling
from server.campaigns.outcomes import call_ended
from server.campaigns.runner import CampaignRunner
from server.database import Database, create_account, create_key
from server.families.campaigns import Campaigns
from server.families.phone_calls import PhoneCalls
from server.gate.gate import Gate
from server.metrics import Metrics
from server.phone.desk import PhoneParts
from server.phone.live import LiveCalls
from server.phone.options import CallBrief
from server.phone.recordings import Recordings
from server.phone.routes import PhoneEndpoints
from server.serving import bind, server_config
from server.settings import Settings
from server.settings.phone import TelephonySettings, TwilioSettings
from server.storage import Storage
from tests.peers.carrier import Carrier, Misbehaviour
from tests.server.phone.fakes import FakeSession, speech
from tests.server.running import QuietEngine

TOKEN: Final = "c" * 32
OWN: Final = "+14155550100"
CREDITS: Final = 1_000_000
MINUTE: Final = 10
INBOUND_MINUTE: Final = 3
PLAIN, RECORDED = "demo", "recorded"
"""Agents: one whose calls are recorded, and one whose are not."""
_TONE: Final = 4800
"""Samples that an agent says when it is called: 0.6 s."""


class Talker(FakeSession):
    """A conversation: a tone, and after some seconds the agent hangs up, unless the other one does before."""

    def __init__(self, link: AudioLink, seconds: float) -> None:
        super().__init__(link)
        self.id = f"session_{secrets.token_hex(4)}"
        self._seconds = seconds

    def hear(self, frame: AudioFrame) -> None:
        """What the other one says is not kept."""

    def finish(self, text: str, reason: str) -> None:
        super().finish(text, reason)
        self.link.hang_up(reason)

    async def run(self) -> None:
        self.link.start(self.playout)
        self.say(_TONE)
        try:
            async with asyncio.timeout(self._seconds):
                await self.done.wait()
        except TimeoutError:
            self.link.hang_up("the conversation is over")
        finally:
            self.over.set()


class ToneVoice:
    """Implements `media.speech.protocols.Voice`: whatever it says is a tone."""

    name = "tone"
    rate = 8000

    async def synthesise(self, text: str, *, deadline: float, speed: float = 1.0) -> AsyncGenerator[SpeechChunk]:
        """0.6 s, whatever the text."""
        yield speech(_TONE, self.rate)


class Talkers:
    """Implements `server.phone.options.SessionFactory`. `seconds`: how long the agent talks with a number."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.most = 0
        self._active: set[Talker] = set()
        phone = {"recording": True}
        common = {"name": "Mira", "system_prompt": "You confirm appointments.", "greeting": "Hello."}
        self._definitions = {
            PLAIN: AgentDefinition.model_validate(common),
            RECORDED: AgentDefinition.model_validate({**common, "phone": phone}),
        }

    @property
    def active_sessions(self) -> int:
        """Sessions that run now."""
        self._active = {each for each in self._active if not each.over.is_set()}
        return len(self._active)

    @property
    def services(self) -> Services | None:
        """Nobody listens: machines are not told from people."""
        return None

    def has_agent(self, agent_id: str) -> bool:
        """Whether there is such an agent."""
        return agent_id in self._definitions

    def definition_of(self, agent_id: str) -> AgentDefinition:
        """An agent's definition."""
        return self._definitions[agent_id]

    def phone_of(self, agent_id: str) -> PhoneDefinition:
        """How it behaves on the telephone."""
        return self._definitions[agent_id].phone

    def voice_of(self, agent_id: str) -> Voice:
        """The voice of announcements."""
        return ToneVoice()

    async def prepare(self, agent_id: str, texts: Sequence[str]) -> None:
        """There is no voice."""

    def open_session(
        self,
        agent_id: str,
        link: AudioLink,
        *,
        call_id: str,
        peer: str,
        channel: str,
        brief: CallBrief | None = None,
    ) -> Talker:
        """A conversation."""
        talker = Talker(link, self.seconds.get(peer, 1.0))
        self._active.add(talker)
        self.most = max(self.most, self.active_sessions)
        return talker


@dataclass(frozen=True, slots=True)
class CarrierWorld:
    """What a run works with."""

    url: str
    carrier: Carrier
    database: Database
    talkers: Talkers
    account: str
    http: httpx.AsyncClient
    """Signed in as the account."""
    data: Path


def settings_of(folder: Path, port: int, carrier_url: str) -> Settings:
    """The server's settings: hundreds of calls at once, at any hour."""
    settings = Settings(data_dir=folder / "data")
    telephony = TelephonySettings(
        number=OWN,
        countries=("US",),
        quiet_from=time(0),
        quiet_until=time(0),
        per_account=1000,
        spend_day=CREDITS,
        ring_s=10,
        twilio=TwilioSettings(account_sid="AC" + "5" * 32, auth_token=SecretStr(TOKEN), api=carrier_url),
    )
    prices = settings.prices.model_copy(update={"call_minute": MINUTE, "inbound_minute": INBOUND_MINUTE})
    return settings.with_port(port).model_copy(
        update={
            "telephony": telephony,
            "prices": prices,
            "limits": settings.limits.model_copy(update={"enabled": False}),
            "sessions": settings.sessions.model_copy(update={"max": 100}),
        }
    )


@asynccontextmanager
async def carrier_world(folder: Path, misbehaviour: Misbehaviour) -> AsyncIterator[CarrierWorld]:
    """All of it, up for as long as the block goes on; then closed as a server is closed."""
    async with AsyncExitStack() as stack:
        listener = bind("127.0.0.1", 0)
        stack.callback(listener.close)
        port: int = listener.getsockname()[1]
        carrier = await stack.enter_async_context(Carrier(TOKEN, misbehaviour=misbehaviour))
        settings = settings_of(folder, port, carrier.url)
        database = Database(settings.database_url, threads=4)
        stack.callback(database.close)
        database.migrate()
        account = database.run_here(create_account, "first", plan="enterprise", credits=CREDITS)
        key = database.run_here(create_key, "bench", account).secret
        talkers, live = Talkers(), LiveCalls()
        storage = Storage.of(settings, database)
        calling = Calling(settings, database, configured=lambda: (PLAIN, RECORDED), live=live, files=storage)
        stack.push_async_callback(calling.close)
        recordings = Recordings.of(settings, database, storage)
        recordings.start()
        stack.push_async_callback(recordings.close)
        calling.books.on_ended.append(call_ended)
        runner = CampaignRunner.of(settings, database, calling.dialler)
        calling.start()
        runner.start()
        stack.push_async_callback(runner.close)
        phone = PhoneEndpoints.of(
            PhoneParts(talkers, calling.books, live, recorders=recordings, calls=calling.carrier), settings
        )
        stack.push_async_callback(phone.close)
        calls = PhoneCalls(calling.dialler, live, sign=storage.sign, configured=calling.configured)
        gate = Gate(settings, database, [*calls.endpoints(), *Campaigns(settings, calling.owners).endpoints()])
        stack.push_async_callback(gate.close)
        app = create_app(
            settings, engine=QuietEngine(), database=database, metrics=Metrics(), routes=phone.routes(), gate=gate
        )
        config = server_config(app, settings.server)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        stack.push_async_callback(functools.partial(server.shutdown, sockets=[listener]))
        headers = {"authorization": f"Bearer {key}"}
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30.0, trust_env=False)
        )
        yield CarrierWorld(f"http://127.0.0.1:{port}", carrier, database, talkers, account, http, settings.data_dir)
