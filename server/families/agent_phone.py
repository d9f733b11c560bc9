"""How a voice agent of the API behaves on the telephone, as requests and answers have it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from agents.definition import PhoneDefinition
from server.gate.models import AnswerModel, CamelRequest

Sentence = Annotated[str, Field(max_length=1000)]
_DEFAULT = PhoneDefinition()


class AgentPhone(CamelRequest):
    """What the agent does on the telephone, and what it says there besides its greeting.

    Texts may hold `{name}` placeholders, filled in from a call's variables. `onMachine`: what it does where a machine
    answers; `message` is left after the beep. `disclosure` is said first in every call it makes, `consent` first in
    every call that is recorded. `screening` answers "please say who is calling"; `optOut` is said to who does not
    want to be called again.
    """

    on_machine: Literal["hang_up", "leave_message", "carry_on"] = _DEFAULT.on_machine
    detect_machine: bool = _DEFAULT.detect_machine
    message: Annotated[str, Field(max_length=2000)] = _DEFAULT.message
    disclosure: Sentence = _DEFAULT.disclosure
    recording: bool = _DEFAULT.recording
    consent: Sentence = _DEFAULT.consent
    screening: Sentence = _DEFAULT.screening
    opt_out: Sentence = _DEFAULT.opt_out

    @model_validator(mode="after")
    def _message_to_leave(self) -> Self:
        if self.on_machine == "leave_message" and not self.message.strip():
            raise ValueError("message must be set where onMachine is leave_message")
        return self


class ShownPhone(AnswerModel):
    """The same, as it is kept."""

    on_machine: Literal["hang_up", "leave_message", "carry_on"]
    detect_machine: bool
    message: str
    disclosure: str
    recording: bool
    consent: str
    screening: str
    opt_out: str

    @classmethod
    def of(cls, kept: dict[str, Any] | None) -> ShownPhone:
        """Of the definition's section, with defaults where it says nothing."""
        return cls.model_validate(PhoneDefinition.model_validate(kept or {}).model_dump(), by_name=True)
