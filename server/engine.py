"""The engine: every model once, the agents on them, and the conversations that go on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from agents.definition import AgentDefinition, PhoneDefinition, load_agents
from agents.link import AudioLink, Conversant
from agents.session.services import Services, TurnRecord
from agents.session.session import Session
from media.language.completion import PunctuationJudge
from media.language.embeddings import LocalEmbedder
from media.language.llama import LlamaRuntime, embedded_weights
from media.models import model_dir, status
from media.speech.activity.silero import SileroModel
from media.speech.recognition.whisper import WhisperOptions, WhisperRecogniser
from media.speech.synthesis.errors import SynthesisError
from media.speech.synthesis.registry import VoiceRegistry
from media.speech.synthesis.voice import SynthesisVoice
from media.speech.turn_end.smart_turn import SmartTurn
from media.worker import ModelWorker, WorkerError, WorkerStats
from server.agents import Agent, AgentLoader
from server.browser.agents import AgentCard
from server.database import Database
from server.faces.faces import Faces
from server.made_agents.definition import definition_of
from server.made_agents.loaded import LoadedAgents
from server.made_agents.records import AgentRecord
from server.metrics import Metrics
from server.phone.briefs import fill
from server.phone.options import CallBrief
from server.records import Records
from server.redaction import redact
from server.settings import Settings
from server.settings.model import WHISPER_SIZES
from server.weights import needed_models

log = structlog.get_logger(__name__)

CHATS = 4
"""Answers the embedded model writes at once."""
LOADED_AGENTS = 64
"""People's agents that are kept ready; those in use besides."""
JUDGE_CONTEXT = 1024
"""Tokens the completion judge shares among its slots when it has the embedded model to itself."""


class Engine:
    """Owns the models and the sessions on them. `start` once, `close` once, both on the event loop.

    `faces` are opened and closed with the models; without them no agent has one.
    """

    def __init__(self, settings: Settings, database: Database, metrics: Metrics, *, faces: Faces | None = None) -> None:
        self.agents: dict[str, Agent] = {}
        self.people = LoadedAgents(self._load_made, LOADED_AGENTS)
        self.faces = faces
        self._settings = settings
        self._known: dict[str, AgentDefinition] = {}
        self._records = Records(database, metrics)
        self._speech = ModelWorker("speech-synthesis")
        self._services: Services | None = None
        self.recogniser: WhisperRecogniser | None = None
        self._turn_detector: SmartTurn | None = None
        self._judge: PunctuationJudge | None = None
        self._llama: LlamaRuntime | None = None
        self._embedder = LocalEmbedder()
        self._voices: VoiceRegistry | None = None
        self._loader: AgentLoader | None = None
        self._sessions: dict[str, Session] = {}
        self._idle = asyncio.Event()
        self._preparing: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        """Load the models, side by side, then the agents. Raises `ModelError` or `AgentError`."""
        async with asyncio.TaskGroup() as group:
            activity = group.create_task(asyncio.to_thread(_open_activity))
            recogniser = group.create_task(asyncio.to_thread(self._open_recogniser))
            detector = group.create_task(asyncio.to_thread(_open_turn_detector))
            llama = group.create_task(asyncio.to_thread(self._open_llama))
            group.create_task(asyncio.to_thread(self._open_voices))
            group.create_task(self._open_faces())
        self.recogniser, self._turn_detector, self._llama = recogniser.result(), detector.result(), llama.result()
        self._judge = PunctuationJudge(self._llama)
        self._services = Services(
            activity=activity.result(),
            recogniser=self.recogniser,
            turn_detector=self._turn_detector,
            completion=self._judge,
        )
        assert self._voices is not None  # noqa: S101 - opened above
        self._loader = AgentLoader(self._settings, voices=self._voices, llama=self._llama, embedder=self._embedder)
        self.agents = await self._loader.load_all()
        self._records.start()
        self._preparing = asyncio.get_running_loop().create_task(self._prepare())

    async def close(self) -> None:
        """End the conversations, then the models. A second call does nothing."""
        if self._closing:
            return
        self._closing = True
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        for session in list(self._sessions.values()):
            session.caller_left("server stopping")
        if self._sessions:
            await self._idle.wait()
        await self._records.close()
        await self.people.close()
        for agent in self.agents.values():
            await agent.close()
        if self.faces is not None:
            await self.faces.close()
        await asyncio.to_thread(self._close_models)

    def ready(self) -> dict[str, str]:
        """What is not ready and why; empty when calls can be taken."""
        problems = {name: problem for name, problem in status(needed_models(self._settings)).items() if problem}
        if self._services is None or self._closing:
            problems["engine"] = "is stopping" if self._closing else "is loading its models"
        elif not self.agents:
            problems["agents"] = f"there is no agent in {self._settings.agents_dir}"
        return problems

    def worker_stats(self) -> Mapping[str, WorkerStats]:
        """The totals of each model worker."""
        workers = [self._speech, self._embedder.worker]
        if self.recogniser is not None:
            workers.append(self.recogniser.worker)
        if self._turn_detector is not None:
            workers.append(self._turn_detector.worker)
        if self._llama is not None:
            workers.extend(self._llama.workers)
        if self.faces is not None:
            workers.extend(self.faces.workers())
        return {worker.name: worker.stats for worker in workers}

    @property
    def active_sessions(self) -> int:
        """Sessions that run now, of every kind."""
        return len(self._sessions)

    def has_agent(self, agent_id: str) -> bool:
        """Whether there is a configured agent of this name; people's are asked for in `server.made_agents.service`."""
        return agent_id in self.agents

    def definitions(self) -> dict[str, AgentDefinition]:
        """The configured agents' definitions."""
        return self._known or {agent_id: agent.definition for agent_id, agent in self.agents.items()}

    def know_agents(self) -> None:
        """Read the configured agents, in a process that holds no conversations. Raises `AgentError`."""
        self._known = load_agents(self._settings.agents_dir)

    def voice_names(self) -> list[str]:
        """The voices that agents may have, by name."""
        return [] if self._voices is None else self._voices.names()

    async def voice(self, name: str | None = None) -> SynthesisVoice:
        """A voice, opened; None for the server's own. Raises `SynthesisError` or `ModelError`."""
        if self._voices is None or self._closing:
            raise RuntimeError("the engine has no voices now")
        return await self._voices.get(name or self._settings.tts.voice)

    def agent_cards(self) -> list[AgentCard]:
        """What visitors see of the agents before a call."""
        return [
            AgentCard(agent_id, agent.definition.name, agent.definition.language, agent.definition.greeting)
            for agent_id, agent in self.agents.items()
        ]

    @property
    def services(self) -> Services | None:
        """The models that listen; None before they are loaded and after they are closed."""
        return None if self._closing else self._services

    def definition_of(self, agent_id: str) -> AgentDefinition:
        """The definition of a configured agent, or of one of people's that is loaded. Raises `KeyError`."""
        return self._agent(agent_id).definition

    def phone_of(self, agent_id: str) -> PhoneDefinition:
        """How an agent behaves on the telephone. Raises `KeyError`."""
        return self.definition_of(agent_id).phone

    def voice_of(self, agent_id: str) -> SynthesisVoice:
        """The voice with which an agent speaks. Raises `KeyError`."""
        return self._agent(agent_id).voice

    async def prepare(self, agent_id: str, texts: Sequence[str]) -> None:
        """Speak texts ahead in the agent's voice, into its cache. Raises `KeyError`.

        A voice that fails or is too busy is no error: they are spoken when they are needed.
        """
        agent = self._agent(agent_id)
        try:
            await agent.prepare_opening([text for text in texts if text.strip()])
        except (SynthesisError, WorkerError) as error:
            log.warning("texts were not prepared", agent=agent_id, reason=type(error).__name__)

    def open_session(
        self,
        agent_id: str,
        link: AudioLink,
        *,
        call_id: str,
        peer: str,
        channel: str,
        brief: CallBrief | None = None,
    ) -> Conversant:
        """A new session of this agent on this link; see `server.phone.options.SessionFactory`."""
        if self._services is None or self._closing:
            raise RuntimeError("the engine does not take calls now")
        brief = brief or CallBrief()
        # A carrier may bring the same call again; records need an id that is used once.
        session_id = f"{call_id}.{secrets.token_hex(2)}"
        agent = self.agents.get(agent_id) or self.people.hold(agent_id, session_id)
        definition = agent.definition
        redacted = link.kind == "phone" and self._settings.telephony.redact_cards
        session = Session(
            self._services,
            agent.dialogue(notes=brief.notes, outbound=brief.outbound),
            agent.voice,
            link,
            policy=agent.policy,
            phrases=agent.phrases(brief.opening),
            recorder=self,
            language=None if definition.language == "auto" else definition.language,
            hint=definition.hint,
            speed=definition.voice.speed,
            session_id=session_id,
            outbound=brief.outbound,
            opt_out=fill(definition.phone.opt_out, brief.variables),
            redact=redact if redacted else None,
        )
        self._sessions[session.id] = session
        self._idle.clear()
        self._records.began(
            session.id, agent=agent_id, channel=channel, peer=peer, record_id=brief.record_id, redact=redacted
        )
        return session

    # What sessions report (agents.session.services.Recorder)

    def turn(self, session_id: str, record: TurnRecord) -> None:
        """A turn is over."""
        self._records.turn(session_id, record)

    def ended(self, session_id: str, reason: str) -> None:
        """A session is over."""
        self._records.ended(session_id, reason)
        self._sessions.pop(session_id, None)
        self.people.release(session_id)
        if not self._sessions:
            self._idle.set()

    def _agent(self, agent_id: str) -> Agent:
        return self.agents.get(agent_id) or self.people.get(agent_id)

    async def _load_made(self, record: AgentRecord) -> Agent:
        if self._loader is None or self._closing:
            raise RuntimeError("the engine does not load agents now")
        return await self._loader.load(record.id, definition_of(record, self.definitions()))

    async def _prepare(self) -> None:
        """Speak the agents' phrases ahead and let the models run once, so that the first caller does not wait."""
        await self._embedder.warm_up()
        if self._judge is not None:
            await self._judge.warm_up()
        for agent in self.agents.values():
            await agent.prepare()

    async def _open_faces(self) -> None:
        if self.faces is None:
            return
        definitions = await asyncio.to_thread(load_agents, self._settings.agents_dir)
        portraits = {agent_id: definition.portrait() for agent_id, definition in definitions.items()}
        await self.faces.start({agent_id: path for agent_id, path in portraits.items() if path is not None})

    def _open_recogniser(self) -> WhisperRecogniser:
        asr = self._settings.asr
        folder = model_dir(f"whisper-{asr.model}") if asr.model in WHISPER_SIZES else Path(asr.model).expanduser()
        return WhisperRecogniser(
            folder,
            WhisperOptions(
                device=asr.device,
                precision=None if asr.compute_type == "auto" else asr.compute_type,
                workers=asr.workers,
                threads=asr.threads,
            ),
        )

    def _open_llama(self) -> LlamaRuntime:
        llm = self._settings.llm
        embedded = not llm.base_url
        return LlamaRuntime(
            embedded_weights(),
            threads=llm.threads,
            context=llm.context_tokens if embedded else JUDGE_CONTEXT,
            chats=CHATS if embedded else 0,
        )

    def _open_voices(self) -> None:
        tts = self._settings.tts
        self._voices = VoiceRegistry(self._speech, threads=tts.threads)
        self._voices.open(tts.voice)

    def _close_models(self) -> None:
        self._speech.close()
        self._embedder.close()
        for part in (self._voices, self.recogniser, self._turn_detector, self._llama):
            if part is not None:
                part.close()


def _open_activity() -> SileroModel:
    return SileroModel(model_dir("silero-vad") / "silero_vad.onnx")


def _open_turn_detector() -> SmartTurn:
    return SmartTurn(model_dir("smart-turn") / "smart-turn-v3.2-cpu.onnx")
