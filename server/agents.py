"""The agents of this server: each definition with its model, tools, knowledge, voice and turn-taking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from agents.conversation.actions import Phrase
from agents.conversation.policy import PolicyError, TurnPolicy
from agents.definition import AgentDefinition, AgentError, load_agents
from agents.dialogue import Dialogue, dialogue_for
from agents.knowledge import Knowledge, build_knowledge
from agents.llm.embedded import EmbeddedChat
from agents.llm.fallback import FallbackChat
from agents.llm.openai_compatible import ChatTimeouts, OpenAiCompatibleChat
from agents.llm.protocol import ChatModel
from agents.tools.builtin import DoNotCall
from agents.tools.toolbox import Toolbox
from media.language.embeddings import Embedder
from media.language.llama import LlamaRuntime
from media.speech.synthesis.errors import SynthesisError
from media.speech.synthesis.registry import VoiceRegistry
from media.speech.synthesis.voice import SynthesisVoice
from server.settings import Settings

OPENING_SECONDS = 2.0
"""Within which the opening of a call that is being placed is spoken ahead: telephones ring for longer."""
DO_NOT_CALL = DoNotCall()
INDEXING_SECONDS = 120.0
"""Within which an agent's knowledge is indexed; anything a caller waits for goes first."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent ready to take calls. Its sessions share everything here but the dialogue."""

    id: str
    definition: AgentDefinition
    model: ChatModel
    embedded: bool
    tools: Toolbox
    knowledge: Knowledge | None
    voice: SynthesisVoice
    policy: TurnPolicy
    context_tokens: int
    answer_tokens: int

    def dialogue(self, *, notes: str = "", outbound: bool = False) -> Dialogue:
        """A new conversation. `notes`: what is known of the call. Who is called can always ask not to be any more."""
        return dialogue_for(
            self.definition,
            self.model,
            tools={**self.tools, DO_NOT_CALL.spec.name: DO_NOT_CALL} if outbound else self.tools,
            notes=notes,
            knowledge=self.knowledge,
            embedded=self.embedded,
            context_tokens=self.context_tokens,
            answer_tokens=self.answer_tokens,
        )

    def phrases(self, opening: str | None = None) -> dict[Phrase, list[str]]:
        """What the agent says without asking its model; `opening` in place of its greeting, "" for nothing."""
        book = self.definition.phrases
        greeting = self.definition.greeting if opening is None else opening
        return {
            Phrase.GREETING: [greeting] if greeting.strip() else [],
            Phrase.REPROMPT: book.reprompt,
            Phrase.NOT_UNDERSTOOD: book.not_understood,
            Phrase.HOLD: book.filler,
            Phrase.WAIT: book.waiting,
            Phrase.APOLOGY: book.apology,
            Phrase.GOODBYE: book.goodbye,
            Phrase.TIME_IS_UP: book.time_is_up,
        }

    async def prepare(self) -> None:
        """Speak the phrases ahead, into the voice's cache."""
        texts = [text for texts in self.phrases().values() for text in texts]
        await self.voice.prepare(texts, speed=self.definition.voice.speed)

    async def prepare_opening(self, texts: Sequence[str]) -> None:
        """Speak what will be said when a call is answered, ahead of everything that nobody waits for yet."""
        await self.voice.prepare(texts, speed=self.definition.voice.speed, within=OPENING_SECONDS)

    async def close(self) -> None:
        """Close connections."""
        await self.tools.close()
        await self.model.close()


class AgentLoader:
    """Makes agents out of their definitions. Raises `AgentError` whose text names the file and the field."""

    def __init__(self, settings: Settings, *, voices: VoiceRegistry, llama: LlamaRuntime, embedder: Embedder) -> None:
        self._settings = settings
        self._voices = voices
        self._llama = llama
        self._embedder = embedder

    async def load_all(self) -> dict[str, Agent]:
        """Every agent of the settings' folder, by id."""
        definitions = await asyncio.to_thread(load_agents, self._settings.agents_dir)
        return {agent_id: await self.load(agent_id, definition) for agent_id, definition in definitions.items()}

    async def load(self, agent_id: str, definition: AgentDefinition) -> Agent:
        """One agent."""
        model, embedded = self._model(definition)
        return Agent(
            id=agent_id,
            definition=definition,
            model=model,
            embedded=embedded,
            tools=Toolbox(definition),
            knowledge=await build_knowledge(
                definition,
                self._embedder,
                Path(self._settings.data_dir) / "knowledge",
                deadline=time.monotonic() + INDEXING_SECONDS,
            ),
            voice=await self._voice(definition),
            policy=self._policy(agent_id, definition),
            context_tokens=self._settings.llm.context_tokens,
            answer_tokens=self._settings.llm.max_tokens,
        )

    async def _voice(self, definition: AgentDefinition) -> SynthesisVoice:
        name = definition.voice.name or self._settings.tts.voice
        try:
            return await self._voices.get(name)
        except SynthesisError as error:
            raise AgentError(f"agent {definition.name}: voice.name: {error}") from error

    def _policy(self, agent_id: str, definition: AgentDefinition) -> TurnPolicy:
        options = {"longest_call": definition.max_call_minutes * 60, **definition.turn_taking}
        try:
            return TurnPolicy.from_options(options, self._settings.turn_policy)
        except PolicyError as error:
            raise AgentError(f"agent {agent_id}: {error}") from error

    def _model(self, definition: AgentDefinition) -> tuple[ChatModel, bool]:
        """The agent's chat model, and whether it is the embedded one."""
        llm, own = self._settings.llm, definition.llm
        base_url = own.base_url or llm.base_url
        if not base_url:
            return EmbeddedChat(self._llama), True
        names = [own.model or llm.model, own.fallback_model or llm.fallback_model]
        # The server's key belongs to the server's endpoint: an agent's own endpoint never sees it.
        key = own.api_key or (SecretStr("") if own.base_url else llm.api_key)
        models = [
            OpenAiCompatibleChat(
                base_url,
                name,
                api_key=key.get_secret_value(),
                timeouts=ChatTimeouts(first_token=llm.first_token_s, total=llm.total_s),
                max_tokens=own.max_tokens or llm.max_tokens,
                temperature=own.temperature if own.temperature is not None else llm.temperature,
            )
            for name in names
            if name
        ]
        if not models:
            raise AgentError(f"agent {definition.name}: llm.model must be set where llm.base_url is")
        return FallbackChat(models), False
