"""What a tool is to the dialogue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jsonschema

from agents.llm.protocol import ToolSpec
from agents.pieces import Action

_REASON_MAX = 300


class ToolError(Exception):
    """The tool did not do what was asked; the message is told to the model, so it names no secret."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool gives back: text for the model, and an action for the session if there is one.

    `final` ends the answer: nothing is left to say after it.
    """

    text: str
    action: Action | None = None
    final: bool = False


class Tool(Protocol):
    """A tool the model may call. One instance serves all sessions of an agent."""

    @property
    def spec(self) -> ToolSpec:
        """What the model is told about it."""
        ...

    @property
    def safe(self) -> bool:
        """Whether it only reads, so that it may run for a turn that is not confirmed yet."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds it may take."""
        ...

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Do it; `arguments` fit the spec's schema. Raises `ToolError`. Cancelling it stops it."""
        ...


def parse_arguments(spec: ToolSpec, text: str) -> dict[str, Any]:
    """The arguments of a call as the model wrote them, checked against the tool's schema. Raises `ToolError`."""
    try:
        arguments = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ToolError(f"the arguments are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ToolError("the arguments must be a JSON object")
    schema = dict(spec.parameters)
    problems = sorted(jsonschema.Draft202012Validator(schema).iter_errors(arguments), key=lambda e: list(e.path))
    if problems:
        where = ".".join(map(str, problems[0].path))
        reason = f"{where}: {problems[0].message}" if where else problems[0].message
        raise ToolError(f"wrong arguments: {reason}"[:_REASON_MAX])
    return arguments
