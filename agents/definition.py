"""An agent as its YAML file defines it. Errors name the file, the field and what it may be."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import jsonschema
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from agents.tools.http import PLACEHOLDER, check_url
from media.avatar.assets import DEMO_PORTRAIT

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
PORTRAITS: Mapping[str, Path] = {"mira": DEMO_PORTRAIT}
"""Portraits that come with Visavis, by name."""
BUILT_IN = ("end_call", "current_time", "send_digits", "wait", "do_not_call")

Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Phrases = Annotated[list[Text], Field(min_length=1, max_length=20)]


class AgentError(Exception):
    """An agent's definition is wrong; the text names the file, the field and the fix."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VoiceChoice(_Strict):
    """Which voice speaks (None: the server's default) and how fast."""

    name: str | None = None
    speed: float = Field(default=1.0, ge=0.5, le=2.0)


class LlmChoice(_Strict):
    """What this agent has otherwise than the server's `llm` section; None: as there."""

    base_url: str | None = Field(default=None, pattern=r"^https?://")
    model: str | None = Field(default=None, min_length=1)
    api_key: SecretStr | None = None
    fallback_model: str | None = Field(default=None, min_length=1)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    max_tokens: int | None = Field(default=None, ge=1, le=8192)
    context_tokens: int | None = Field(default=None, ge=256, le=1_000_000)


class HttpToolDefinition(_Strict):
    """A tool that is one HTTP request. `${NAME}` in a header stands for an environment variable.

    `{argument}` in the URL's path or query is filled in; the other arguments go into the query (GET, DELETE)
    or the JSON body. `safe` says that it only reads, so that it may run before the caller's turn is confirmed.
    """

    name: str = Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,63}$")
    description: Text
    url: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    timeout: float = Field(default=5.0, gt=0.0, le=60.0)
    safe: bool = False

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        check_url(value)
        return value

    @field_validator("parameters")
    @classmethod
    def _schema(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            jsonschema.Draft202012Validator.check_schema(value)
        except jsonschema.SchemaError as error:
            raise ValueError(f"is no JSON schema: {error.message}") from error
        if value.get("type") != "object":
            raise ValueError("must be a JSON schema with type: object")
        return value

    @model_validator(mode="after")
    def _placeholders(self) -> HttpToolDefinition:
        if self.name in (*BUILT_IN, "transfer"):
            raise ValueError(f"name: {self.name} is a built-in tool; choose another")
        required = set(self.parameters.get("required", ()))
        if missing := sorted(set(PLACEHOLDER.findall(self.url)) - required):
            raise ValueError(f"url: {', '.join(missing)} must be among parameters.required")
        return self


class TransferDefinition(_Strict):
    """The built-in `transfer`, with whom the call may go to: names and numbers (E.164) or SIP addresses.

    `warm`: the names of those who are always told what it is about before the caller is connected.
    """

    transfer: dict[str, Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{4,14}|sips?:[^\s<>]+)$")]] = Field(min_length=1)
    warm: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _warm_are_listed(self) -> TransferDefinition:
        if unknown := sorted(set(self.warm) - set(self.transfer)):
            raise ValueError(f"warm: {', '.join(unknown)} must be among the names of transfer")
        return self


def _form(tool: Any) -> str:
    """What a tool's entry is meant to be, so that errors speak of that form only."""
    if isinstance(tool, TransferDefinition) or (isinstance(tool, dict) and "transfer" in tool):
        return "transfer"
    return "http" if isinstance(tool, HttpToolDefinition | dict) else "built-in"


ToolDefinition = Annotated[
    Annotated[Literal["end_call", "current_time", "send_digits", "wait", "do_not_call"], Tag("built-in")]
    | Annotated[TransferDefinition, Tag("transfer")]
    | Annotated[HttpToolDefinition, Tag("http")],
    Discriminator(_form),
]


class QuestionAnswer(_Strict):
    """An answer and the ways callers ask for it."""

    questions: Annotated[list[Text], Field(min_length=1)]
    answer: Text


class KnowledgeDefinition(_Strict):
    """What the agent knows. Paths are relative to the agent's file; folders are read for .txt and .md.

    `direct` says when an answer of `questions` is given word for word instead of by the model: "auto" only
    with the embedded model. Then `unknown` is said, each in turn, to what is near a known question but not
    answered by it; without any, the model answers. `top` passages, at most `tokens` together, go to the model with
    each question.
    """

    paths: list[str] = Field(default_factory=list)
    texts: list[Text] = Field(default_factory=list)
    questions: list[QuestionAnswer] = Field(default_factory=list)
    unknown: list[Text] = Field(default_factory=list)
    direct: Literal["auto", "always", "never"] = "auto"
    top: int = Field(default=3, ge=1, le=20)
    tokens: int = Field(default=400, ge=50, le=8000)


class PhraseBook(_Strict):
    """What the agent says without asking its model; of several wordings each is used in turn.

    `filler` bridges a wait for the agent, `waiting` answers a caller who asks the agent to wait.
    """

    filler: Phrases = ["One moment, please.", "Let me have a look.", "Just a second."]
    waiting: Phrases = ["Of course, take your time.", "Sure, no hurry."]
    reprompt: Phrases = ["Are you still there?", "Hello? I am still here if you need me."]
    not_understood: Phrases = ["Sorry, I did not catch that.", "Could you say that again, please?"]
    apology: Phrases = ["I am sorry, I lost my thread. Could you say that again?"]
    goodbye: Phrases = ["Thank you for calling. Goodbye!"]
    time_is_up: Phrases = ["I am afraid our time is up. Thank you for calling. Goodbye!"]


class PhoneDefinition(_Strict):
    """How the agent behaves on calls that it makes, and what it says there besides its greeting.

    Texts may hold `{name}` placeholders, filled in from the call's variables. `on_machine`: what it does where a
    machine answers, if `detect_machine` tells; `message` is left after the beep. `disclosure` is said first in every
    outbound call, `consent` first in every call that is recorded. `screening` answers "please say who is calling";
    `opt_out` confirms that somebody is not called again.
    """

    on_machine: Literal["hang_up", "leave_message", "carry_on"] = "hang_up"
    detect_machine: bool = True
    message: str = Field(default="", max_length=2000)
    disclosure: str = Field(default="", max_length=1000)
    recording: bool = False
    consent: str = Field(default="This call is recorded.", max_length=1000)
    screening: str = Field(default="", max_length=1000)
    opt_out: str = Field(
        default="Of course. I have taken your number off our list, and we will not call you again. Goodbye.",
        max_length=1000,
    )

    @model_validator(mode="after")
    def _message_to_leave(self) -> PhoneDefinition:
        if self.on_machine == "leave_message" and not self.message.strip():
            raise ValueError("message must be set where on_machine is leave_message")
        return self


class AgentDefinition(_Strict):
    """One agent. `turn_taking` overrides options of `agents.conversation.policy.TurnPolicy`, which checks them.

    `short_prompt` replaces the system prompt for the embedded model, which loses its thread in a long one.
    `hint` are names and words the recogniser should expect; `language` is ISO 639-1 or "auto". `avatar` is the agent's
    portrait: a picture (JPEG, PNG, WebP), its path relative to the agent's file, or the name of a packaged one, mira.
    """

    name: Text
    system_prompt: Text
    short_prompt: str = Field(default="", max_length=2000)
    greeting: str = Field(default="", max_length=2000)
    language: str = Field(default="en", pattern=r"^(auto|[a-z]{2,3})$")
    time_zone: str = "UTC"
    hint: str = Field(default="", max_length=500)
    avatar: str | None = Field(default=None, min_length=1, max_length=1000)
    voice: VoiceChoice = VoiceChoice()
    llm: LlmChoice = LlmChoice()
    turn_taking: dict[str, Any] = Field(default_factory=dict)
    tools: list[ToolDefinition] = Field(default_factory=list)
    knowledge: KnowledgeDefinition = KnowledgeDefinition()
    phrases: PhraseBook = PhraseBook()
    phone: PhoneDefinition = PhoneDefinition()
    max_call_minutes: float = Field(default=30.0, gt=0.0, le=240.0)
    folder: Path = Field(default=Path(), exclude=True)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not a time zone; write it like Europe/Rome") from error
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> AgentDefinition:
        names = [tool_name(tool) for tool in self.tools]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"tools: {', '.join(twice)} is there twice")
        return self

    def portrait(self) -> Path | None:
        """The file of `avatar`; None without one. Raises `AgentError` for one that is not there."""
        if self.avatar is None:
            return None
        path = PORTRAITS.get(self.avatar) or (self.folder / self.avatar).resolve()
        if not path.is_file():
            packaged = ", ".join(PORTRAITS)
            raise AgentError(f"agent {self.name}: avatar: there is no file {path}, and no packaged one but: {packaged}")
        return path

    def knowledge_files(self) -> list[Path]:
        """The files of `knowledge.paths`, folders opened. Raises `AgentError` for one that is not there."""
        files: list[Path] = []
        for name in self.knowledge.paths:
            path = (self.folder / name).resolve()
            if path.is_dir():
                files += sorted(file for file in path.rglob("*") if file.suffix in (".txt", ".md") and file.is_file())
            elif path.is_file():
                files.append(path)
            else:
                raise AgentError(f"agent {self.name}: knowledge.paths: {path} is neither a file nor a folder")
        return files


def tool_name(tool: str | TransferDefinition | HttpToolDefinition) -> str:
    """The name under which the model calls a tool."""
    if isinstance(tool, str):
        return tool
    return tool.name if isinstance(tool, HttpToolDefinition) else "transfer"


def load_agents(folder: Path, environ: Mapping[str, str] = os.environ) -> dict[str, AgentDefinition]:
    """All agents of a folder by id, which is the name of their file without .yaml. Raises `AgentError`."""
    if not folder.is_dir():
        raise AgentError(f"{folder}: there is no such folder; agents are YAML files in it")
    return {path.stem: load_agent(path, environ) for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])}


def load_agent(path: Path, environ: Mapping[str, str] = os.environ) -> AgentDefinition:
    """One agent from its file, environment variables filled in. Raises `AgentError`."""
    if not _FILE_NAME.fullmatch(path.stem):
        raise AgentError(f"{path}: an agent's file name may have a-z, 0-9, - and _ only")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise AgentError(f"{path}: is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise AgentError(f"{path}: must hold fields like name: and system_prompt:")
    try:
        return AgentDefinition.model_validate({**_expanded(data, environ), "folder": path.parent})
    except _Undefined as error:
        raise AgentError(f"{path}: {error}") from error
    except ValidationError as error:
        raise AgentError("\n".join(f"{path}: {line}" for line in _explained(error))) from error


class _Undefined(Exception):
    """A variable that the environment does not have."""


def _expanded(data: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The definition with `${NAME}` replaced where secrets may stand: tool headers and the model's key."""

    def expand(text: Any, place: str) -> Any:
        if not isinstance(text, str):
            return text
        for name in _VARIABLE.findall(text):
            if name not in environ:
                raise _Undefined(f"{place}: the environment variable {name} is not set; set it or remove the line")
        return _VARIABLE.sub(lambda match: environ[match.group(1)], text)

    result = dict(data)
    if isinstance(result.get("llm"), dict) and "api_key" in result["llm"]:
        result["llm"] = {**result["llm"], "api_key": expand(result["llm"]["api_key"], "llm.api_key")}
    tools = result.get("tools")
    if isinstance(tools, list):
        result["tools"] = [
            {**tool, "headers": {k: expand(v, f"tools.{i}.headers.{k}") for k, v in tool["headers"].items()}}
            if isinstance(tool, dict) and isinstance(tool.get("headers"), dict)
            else tool
            for i, tool in enumerate(tools)
        ]
    return result


def _explained(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        location = list(problem["loc"])
        if location[:1] == ["tools"] and len(location) > _FORM_AT:
            del location[_FORM_AT]
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"is not a field here; fields are: {_fields(problem['loc'])}"
        elif problem["type"] == "missing":
            message = "is missing: add it"
        lines.append(f"{'.'.join(map(str, location))}: {message}" if location else message)
    return lines


_FORM_AT = 2
"""Where in a tool's location the form stands that was taken for it: tools, index, form, field."""
_FORMS: dict[str | int, Any] = {"http": HttpToolDefinition, "transfer": TransferDefinition, "built-in": None}
_SECTIONS: dict[str | int, Any] = {
    "voice": VoiceChoice,
    "llm": LlmChoice,
    "knowledge": KnowledgeDefinition,
    "phrases": PhraseBook,
    "phone": PhoneDefinition,
    "questions": QuestionAnswer,
    **_FORMS,
}


def _fields(location: tuple[str | int, ...]) -> str:
    section = next((_SECTIONS[part] for part in reversed(location[:-1]) if part in _SECTIONS), AgentDefinition)
    return ", ".join(name for name in section.model_fields if name != "folder")
