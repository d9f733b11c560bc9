"""What an answer consists of: things to say and things to do, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agents.llm.protocol import Usage


@dataclass(frozen=True, slots=True)
class Say:
    """A piece of the answer to speak; it holds a letter or a digit, and may begin or end with white space."""

    text: str


@dataclass(frozen=True, slots=True)
class Filler:
    """A phrase of the agent's own that covers a wait ("One moment, please.")."""

    text: str


@dataclass(frozen=True, slots=True)
class EndCall:
    """Hang up once everything said before has been heard."""

    reason: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the call to `target` (a number or address from the agent's definition) once everything has been heard.

    `name`: as the definition calls who takes it. `warm`: they are told `summary` before they are connected.
    """

    target: str
    name: str = ""
    warm: bool = False
    summary: str = ""


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Send DTMF digits: 0-9, *, #, A-D, and w for half a second of silence."""

    digits: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait, after everything was said, until the caller is back."""


@dataclass(frozen=True, slots=True)
class OptOut:
    """The person does not want to be called again: confirm it and hang up."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is complete. `usage` sums the tokens of all rounds, None where the model does not say.

    `tools` names the tools that ran, in order; `source` is the model's name, or "knowledge" for a direct answer.
    """

    usage: Usage | None = None
    tools: tuple[str, ...] = ()
    source: str = ""


Action: TypeAlias = EndCall | Transfer | SendDigits | Hold | OptOut
Piece: TypeAlias = Say | Filler | Action | Done
