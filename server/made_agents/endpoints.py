"""F3: agents made of a prompt, a picture, a video, a recording."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from server.avatars.library import AvatarLibrary
from server.fetching import UrlPolicy
from server.gate.call import ApiCall, ApiResult
from server.gate.errors import ApiError, Invalid, NotFound
from server.gate.families import Family
from server.gate.models import RequestModel, SnakeAnswer
from server.gate.registry import Endpoint
from server.made_agents.files import AgentFiles
from server.made_agents.generation import Generations, TooManyInWork
from server.made_agents.naming import DEFAULT_PROMPT
from server.made_agents.records import AgentRecord
from server.made_agents.service import AgentService
from server.made_agents.sources import PROMPT_LENGTH, Kind, SourceRefused, read_sources
from server.middleware import BodyBounds
from server.owners import Owner

BODY: Final = BodyBounds(48 << 20, 120.0)
"""A picture, a short film and a recording as base64; larger ones come by URL."""
RETRY_AFTER_S: Final = 10
EVENT: Final = "lip_created"


class GenerateRequest(RequestModel):
    """What the agent is made of; each may be left out. Files are https URLs, data: URLs or plain base64.

    `image` becomes its face, else the best frame of `video`, else a portrait of ours. Of the voices of this server the
    one most like `audio` (else the video's sound) speaks. `prompt` says who the agent is.
    """

    prompt: Annotated[str | None, Field(max_length=PROMPT_LENGTH)] = None
    image: str | None = None
    video: str | None = None
    audio: str | None = None


class GenerateAnswer(SnakeAnswer):
    """The agent is being made."""

    success: Literal[True] = True
    message: str = "Agent generation started"
    agent_id: str
    status: Literal["processing"] = "processing"


class AgentStatus(BaseModel):
    """An agent. The URLs are links that are valid for a day, anew at each request; null until it is ready.

    `image_url`: the picture it was made of; `video_url`: a film in which it greets; `model_url`: its avatar pack (ZIP).
    """

    agent_id: str
    event_type: Literal["lip_created"] = "lip_created"
    status: Literal["processing", "ready", "failed"]
    error_message: str | None
    created_at: str
    updated_at: str
    system_prompt: str
    image_url: str | None
    video_url: str | None
    name: str
    model_url: str | None


class StatusAnswer(SnakeAnswer):
    """The state of an agent."""

    success: Literal[True] = True
    data: AgentStatus


class AgentCreation:
    """The endpoints."""

    def __init__(
        self,
        generations: Generations,
        agents: AgentService,
        library: AvatarLibrary,
        files: AgentFiles,
        policy: UrlPolicy,
    ) -> None:
        self._generations = generations
        self._agents = agents
        self._library = library
        self._files = files
        self._policy = policy

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F3,
                method="POST",
                path="/v1/agent/generate",
                summary="Make an agent of a prompt, a picture, a video, a recording",
                handler=self.generate,
                body=GenerateRequest,
                answers={200: GenerateAnswer},
                limit="generate",
                paid=True,
                price="prices.agent",
                bounds=BODY,
                seconds=60.0,
                live=True,
                example={"prompt": "You are an art critic who analyzes visual artworks."},
            ),
            Endpoint(
                family=Family.F3,
                method="GET",
                path="/v1/agent/status/{agent_id}",
                summary="Read the state of an agent",
                handler=self.status,
                answers={200: StatusAnswer},
                limit="read",
            ),
        ]

    async def generate(self, call: ApiCall[GenerateRequest]) -> ApiResult:
        """POST /v1/agent/generate."""
        given = call.body
        files: dict[Kind, str | None] = {"image": given.image, "video": given.video, "audio": given.audio}
        try:
            sources = await self._generations.on_disk(read_sources, given.prompt, files, self._policy)
        except SourceRefused as error:
            raise Invalid(str(error)) from error
        record = await self._generations.prepare(Owner(account=call.account.id), sources)
        ordered = False

        def order(session: Session) -> ApiResult:
            nonlocal ordered
            self._generations.order(session, record)
            ordered = True
            return ApiResult(GenerateAnswer(agent_id=record.id))

        try:
            result = await call.transact(order)
        except TooManyInWork as error:
            await self._generations.discard(record)
            text = f"{error}: try again when one of them is ready"
            raise ApiError(text, status=429, headers={"retry-after": str(RETRY_AFTER_S)}) from error
        except BaseException:
            await self._generations.discard(record)
            raise
        if ordered:
            self._generations.begin(record)
        else:
            await self._generations.discard(record)
        return result

    async def status(self, call: ApiCall[None]) -> ApiResult:
        """GET /v1/agent/status/{agent_id}."""
        agent = await self._agents.get(call.path["agent_id"], Owner(account=call.account.id))
        if agent is None:
            raise NotFound("There is no such agent", details="agent_id: the one that generate returned is expected")
        return ApiResult(StatusAnswer(data=await self._shown(agent)))

    async def _shown(self, agent: AgentRecord) -> AgentStatus:
        avatar = None
        if agent.status == "ready" and agent.avatar_id is not None:
            avatar = await self._library.get(agent.avatar_id)
        return AgentStatus(
            agent_id=agent.id,
            status=agent.status,
            error_message=agent.error_message,
            created_at=_moment(agent.created),
            updated_at=_moment(agent.updated),
            system_prompt=str(agent.definition.get("system_prompt") or DEFAULT_PROMPT),
            image_url=None if avatar is None else self._files.link(avatar, "portrait.jpg"),
            video_url=None if avatar is None or not avatar.preview else self._files.link(avatar, "preview.mp4"),
            name=agent.name,
            model_url=None if avatar is None else self._files.link(avatar, "avatar.zip"),
        )


def _moment(moment: datetime) -> str:
    """RFC 3339 with microseconds and +00:00, as this family has it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
