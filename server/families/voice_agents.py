"""F2: voice agents."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from server.families.agent_phone import AgentPhone, ShownPhone
from server.families.desk import Desk, language_tag
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import Invalid, NotFound
from server.gate.families import Family
from server.gate.models import AnswerModel, CamelRequest, Identifier, Language, QueryModel, Said
from server.gate.registry import Endpoint
from server.jobs.shapes import timestamp
from server.made_agents.definition import DefinitionRefused
from server.made_agents.records import AgentRecord
from server.made_agents.service import AgentService
from server.owners import Owner
from server.renders.voices import base_language

SERVER_MODEL: Final = "default"
"""What stands for the server's own language model."""

TtsModel = Literal["kokoro", "elevenlabs-v3", "fish-audio-s1"]


class AgentRequest(CamelRequest):
    """A voice agent. `llmModel`: `default`, or a model that this server's settings name.

    `ttsModel` is spoken by the server's live voice, or by `voiceId`; `avatarId` gives it a face of yours.
    """

    name: Annotated[Said, Field(max_length=60)]
    system_prompt: Annotated[Said, Field(max_length=20_000)]
    greeting: Annotated[Said, Field(max_length=2000)]
    tts_model: TtsModel
    llm_model: Annotated[Said, Field(max_length=200)]
    voice_id: Identifier | None = None
    avatar_id: Identifier | None = None
    language: Language | None = None
    phone: AgentPhone | None = None


class AgentsQuery(QueryModel):
    """All agents, or the one of this id."""

    id: Identifier | None = None


class VoiceAgent(AnswerModel):
    """A voice agent."""

    id: str
    name: str
    system_prompt: str
    greeting: str
    tts_model: str | None
    llm_model: str
    voice_id: str | None
    avatar_id: str | None
    language: str
    phone: ShownPhone
    status: Literal["processing", "ready", "failed"]
    created_at: str
    updated_at: str


class VoiceAgentAnswer(AnswerModel):
    """One agent."""

    data: VoiceAgent


class VoiceAgentsAnswer(AnswerModel):
    """All agents of the account, or with `id` the one."""

    data: list[VoiceAgent] | VoiceAgent


class VoiceAgents:
    """The endpoints. `models`: names of language models that agents may have besides the server's own."""

    def __init__(
        self,
        desk: Desk,
        agents: AgentService,
        *,
        models: Collection[str],
    ) -> None:
        self._desk = desk
        self._agents = agents
        self._models = tuple(models)

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F2,
                method="POST",
                path="/api/voice-agent/agents",
                summary="Create a voice agent",
                handler=self.create,
                body=AgentRequest,
                answers={201: VoiceAgentAnswer},
                limit="write",
                live=True,
            ),
            Endpoint(
                family=Family.F2,
                method="GET",
                path="/api/voice-agent/agents",
                summary="List voice agents, or read one",
                handler=self.list,
                query=AgentsQuery,
                answers={200: VoiceAgentsAnswer},
                limit="read",
                errors=frozenset({404}),
            ),
        ]

    async def create(self, call: ApiCall[AgentRequest]) -> ApiResult:
        """POST /api/voice-agent/agents."""
        request = call.body
        if request.llm_model != SERVER_MODEL and request.llm_model not in self._models:
            known = ", ".join((SERVER_MODEL, *self._models))
            raise Invalid(f"there is no such model here; there are: {known}", field="llmModel")
        language = base_language(language_tag(request.language)) if request.language is not None else None
        voice = request.voice_id
        if voice is not None or language is not None:
            voice = self._desk.voice(language=language, voice=voice, field="voiceId")
        fields: dict[str, Any] = {
            "system_prompt": request.system_prompt,
            "greeting": request.greeting,
            "language": language or self._desk.voices().language_of(voice or "") or "en",
            **({} if request.phone is None else {"phone": request.phone.model_dump()}),
            **({} if request.llm_model == SERVER_MODEL else {"llm": {"model": request.llm_model}}),
        }
        try:
            made = await self._agents.create_agent(
                Owner(account=call.account.id), fields, name=request.name, avatar_id=request.avatar_id, voice=voice
            )
        except DefinitionRefused as error:
            raise Invalid(str(error)) from error
        except LookupError:
            raise Invalid("there is no such avatar; GET /v1/avatars lists yours", field="avatarId") from None
        noted = await self._agents.change(made.id, source={"ttsModel": request.tts_model})
        return ApiResult(VoiceAgentAnswer(data=_shown(noted or made)))

    async def list(self, call: ApiCall[None]) -> ApiResult:
        """GET /api/voice-agent/agents."""
        query: AgentsQuery = call.query
        owner = Owner(account=call.account.id)
        if query.id is None:
            return ApiResult(VoiceAgentsAnswer(data=[_shown(agent) for agent in await self._agents.of(owner)]))
        found = await self._agents.get(query.id, owner)
        if found is None:
            raise NotFound("There is no such agent")
        return ApiResult(VoiceAgentsAnswer(data=_shown(found)))


def _shown(agent: AgentRecord) -> VoiceAgent:
    definition = agent.definition
    llm = definition.get("llm") or {}
    return VoiceAgent(
        id=agent.id,
        name=agent.name,
        system_prompt=str(definition.get("system_prompt", "")),
        greeting=str(definition.get("greeting", "")),
        tts_model=agent.source.get("ttsModel"),
        llm_model=str(llm.get("model") or SERVER_MODEL),
        voice_id=agent.voice,
        avatar_id=agent.avatar_id,
        language=str(definition.get("language", "en")),
        phone=ShownPhone.of(definition.get("phone")),
        status=agent.status,
        created_at=timestamp(agent.created),
        updated_at=timestamp(agent.updated),
    )
