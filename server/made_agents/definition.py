"""What people may say about their agents, and the definition that the server makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from agents.definition import BUILT_IN, AgentDefinition, AgentError
from server.made_agents.records import AgentRecord

FIELDS: Final = frozenset(
    {
        "greeting",
        "hint",
        "knowledge",
        "language",
        "llm",
        "max_call_minutes",
        "name",
        "phone",
        "phrases",
        "short_prompt",
        "system_prompt",
        "time_zone",
        "tools",
        "turn_taking",
        "voice",
    }
)
SHORT_PROMPT: Final = 300
"""Characters of a prompt for the embedded model, which has room for about 280 tokens in all."""
_SPOKEN_OF: Final = frozenset({"questions"})
"""What callers say is left as it is when an agent gets another name."""


class DefinitionRefused(ValueError):
    """A definition that cannot be used; the text names the field and the fix, and is fit for who wrote it."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field


def checked(fields: Mapping[str, Any], voices: Collection[str]) -> AgentDefinition:
    """The definition that these fields make, safe to run for a stranger. `voices`: whose names may be chosen.

    A file of the server's own may read files, call addresses and hold keys; one that came over the network may not.
    Raises `DefinitionRefused`.
    """
    if strange := sorted(set(fields) - FIELDS):
        raise DefinitionRefused(str(strange[0]), f"is not a field here; fields are: {', '.join(sorted(FIELDS))}")
    try:
        definition = AgentDefinition.model_validate(dict(fields))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "definition"
        raise DefinitionRefused(place, problem["msg"].removeprefix("Value error, ")) from error
    if definition.knowledge.paths:
        raise DefinitionRefused(
            "knowledge.paths", "files of the server cannot be read; give the text in knowledge.texts"
        )
    if any(not isinstance(tool, str) for tool in definition.tools):
        raise DefinitionRefused("tools", f"only the built-in ones can be used here: {', '.join(BUILT_IN)}")
    if definition.llm.base_url is not None or definition.llm.api_key is not None:
        raise DefinitionRefused("llm", "base_url and api_key are the server's; leave them out")
    if definition.voice.name is not None and definition.voice.name not in voices:
        raise DefinitionRefused("voice.name", f"there is no such voice; there are: {', '.join(sorted(voices))}")
    return definition


def definition_of(record: AgentRecord, configured: Mapping[str, AgentDefinition]) -> AgentDefinition:
    """The definition of an agent that somebody made. Raises `AgentError` where it cannot be used any more."""
    fields: dict[str, Any] = {}
    if record.based_on is not None:
        if record.based_on not in configured:
            raise AgentError(f"agent {record.id}: {record.based_on}, which it is based on, is not there any more")
        base = renamed(configured[record.based_on], record.name)
        fields = {name: getattr(base, name) for name in AgentDefinition.model_fields}
    fields |= record.definition
    if record.voice is not None:
        voice = fields.get("voice") or {}
        fields["voice"] = {**(voice.model_dump() if isinstance(voice, BaseModel) else voice), "name": record.voice}
    if not fields.get("short_prompt"):
        fields["short_prompt"] = shortened(str(fields.get("system_prompt", "")))
    try:
        return AgentDefinition.model_validate({"name": record.name, **fields})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise AgentError(f"agent {record.id}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


def renamed(definition: AgentDefinition, name: str) -> AgentDefinition:
    """The agent under another name, also in what it says and is told.

    Where the old name is the end of a longer one ("Trattoria Lucia"), it is left.
    """
    put = _renaming(definition.name, name)

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return put(value)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, BaseModel):
            return value.model_copy(
                update={
                    field: walk(getattr(value, field))
                    for field in type(value).model_fields
                    if field not in _SPOKEN_OF or not _texts(getattr(value, field))
                }
            )
        return value

    spoken = ("greeting", "system_prompt", "short_prompt", "phrases", "knowledge")
    return definition.model_copy(update={"name": name, **{field: walk(getattr(definition, field)) for field in spoken}})


def first_words(record: AgentRecord, configured: Mapping[str, AgentDefinition]) -> tuple[str, str]:
    """Language and greeting of an agent, without making all of its definition."""
    base = configured.get(record.based_on or "")
    language, greeting = ("auto", "") if base is None else (base.language, base.greeting)
    if base is not None:
        greeting = _renaming(base.name, record.name)(greeting)
    elif record.based_on is None:
        language = "en"
    given = record.definition
    return str(given.get("language", language)), str(given.get("greeting", greeting))


def _renaming(old: str, new: str) -> Callable[[str], str]:
    """Puts a new name into a text; see `renamed`."""
    # With the word before it, where that has a capital and nothing but a space between.
    found = re.compile(rf"(\b[A-Z]\w* )?\b{re.escape(old)}\b")
    return lambda text: found.sub(lambda match: match[0] if match[1] else new, text)


def shortened(prompt: str) -> str:
    """The beginning of a prompt that the embedded model can keep in mind, in whole sentences where that is possible.

    "" for a prompt that is short enough as it is.
    """
    text = " ".join(prompt.split())
    if len(text) <= SHORT_PROMPT:
        return ""
    beginning = text[: SHORT_PROMPT + 1]
    end = max(beginning.rfind(mark) for mark in (". ", "! ", "? ", "。"))
    return beginning[: end + 1] if end > SHORT_PROMPT // 4 else beginning.rpartition(" ")[0] or beginning[:SHORT_PROMPT]


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
