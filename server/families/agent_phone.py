"""How a voice agent of the API behaves on the telephone: the definition's fields, as requests and answers have them."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, model_validator

from agents.definition import PhoneDefinition
from server.gate.models import AnswerModel, CamelRequest


class AgentPhone(PhoneDefinition):
    """What the agent does on the telephone, and what it says there besides its greeting.

    Texts may hold `{name}` placeholders, filled in from a call's variables. `onMachine`: what it does where a machine
    answers; `message` is left after the beep. `disclosure` is said first in every call it makes, `consent` first in
    every call that is recorded. `screening` answers "please say who is calling"; `optOut` is said to who does not
    want to be called again.
    """

    model_config = CamelRequest.model_config

    @model_validator(mode="after")
    def _message_to_leave(self) -> Self:
        if self.on_machine == "leave_message" and not self.message.strip():
            raise ValueError("message must be set where onMachine is leave_message")
        return self


class ShownPhone(PhoneDefinition):
    """The same, as it is kept."""

    model_config = ConfigDict(**AnswerModel.model_config, json_schema_serialization_defaults_required=True)

    @classmethod
    def of(cls, kept: dict[str, Any] | None) -> ShownPhone:
        """Of the definition's section, with defaults where it says nothing."""
        return cls.model_validate(kept or {})
