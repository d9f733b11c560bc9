"""The tools every agent can have: the time, waiting, ending the call, transferring it, sending digits, opting out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from agents.llm.protocol import ToolSpec
from agents.pieces import EndCall, Hold, OptOut, SendDigits, Transfer
from agents.tools.tool import Outcome, ToolError

_DIGITS = re.compile(r"[0-9*#A-Dw]{1,40}")
_TIMEOUT = 5.0
SUMMARY_LENGTH = 600
"""Characters of what a person is told before a call is transferred to them."""


def _now() -> datetime:
    return datetime.now(UTC)


class CurrentTime:
    """Tells the date and time where the agent is."""

    safe = True
    timeout = _TIMEOUT

    def __init__(self, time_zone: str, now: Callable[[], datetime] = _now) -> None:
        self._zone = ZoneInfo(time_zone)
        self._now = now

    @property
    def spec(self) -> ToolSpec:
        """`current_time`, without arguments."""
        return ToolSpec(
            "current_time",
            "The current date, weekday and time.",
            {"type": "object", "properties": {}, "additionalProperties": False},
        )

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """As a sentence a model can quote from, and in ISO 8601 to reckon with."""
        local = self._now().astimezone(self._zone)
        return Outcome(f"{local:%A, %d %B %Y, %H:%M} ({self._zone.key}; {local.isoformat(timespec='minutes')})")


class EndTheCall:
    """Lets the model hang up."""

    safe = False
    timeout = _TIMEOUT
    spec = ToolSpec(
        "end_call",
        "Hang up. Say goodbye first, in the same answer; use it when the caller has said goodbye or wants to end.",
        {"type": "object", "properties": {"reason": {"type": "string", "description": "why the call ends, in a word"}}},
    )

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Ends the call once everything has been heard."""
        return Outcome("The call ends.", EndCall(str(arguments.get("reason") or "agent")), final=True)


class TransferTheCall:
    """Lets the model hand the call to one of the people or numbers that the operator listed."""

    safe = False
    timeout = _TIMEOUT

    def __init__(self, targets: Mapping[str, str], *, warm: Collection[str] = ()) -> None:
        self._targets = dict(targets)
        self._warm = frozenset(warm)

    @property
    def spec(self) -> ToolSpec:
        """`transfer`, with the listed names as its choices."""
        properties = {
            "to": {"type": "string", "enum": sorted(self._targets), "description": "who takes the call"},
            "warm": {"type": "boolean", "description": "whether they are told the summary before they are connected"},
            "summary": {
                "type": "string",
                "description": "who calls and what about, in two sentences, for the person who takes the call",
            },
        }
        return ToolSpec(
            "transfer",
            "Hand the call over to a person. Tell the caller first, in the same answer.",
            {"type": "object", "properties": properties, "required": ["to"]},
        )

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Transfers the call once everything has been heard."""
        name = str(arguments["to"])
        if name not in self._targets:
            raise ToolError(f"there is nobody called {name}")
        warm = name in self._warm or bool(arguments.get("warm"))
        summary = " ".join(str(arguments.get("summary") or "").split())[:SUMMARY_LENGTH]
        return Outcome(
            f"The call is transferred to {name}.", Transfer(self._targets[name], name, warm, summary), final=True
        )


class WaitForTheCaller:
    """Lets the model be silent until the caller is back."""

    safe = False
    timeout = _TIMEOUT
    spec = ToolSpec(
        "wait",
        "The caller wants a moment: to look something up, to talk to somebody. Say briefly that there is time, in the "
        "same answer; then nothing is said until they speak again.",
        {"type": "object", "properties": {}},
    )

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Waits once everything has been heard."""
        return Outcome("You waited for the caller.", Hold(), final=True)


class DoNotCall:
    """Lets the model take somebody off the list of those who are called."""

    safe = False
    timeout = _TIMEOUT
    spec = ToolSpec(
        "do_not_call",
        "The person asks not to be called again. Call it at once and say nothing: it is confirmed to them for you, and "
        "the call ends.",
        {"type": "object", "properties": {}},
    )

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Notes it, confirms it and ends the call."""
        return Outcome("They will not be called again.", OptOut(), final=True)


class SendTheDigits:
    """Lets the model press keys, for menus on the other end of a call that the agent placed."""

    safe = False
    timeout = _TIMEOUT
    spec = ToolSpec(
        "send_digits",
        "Press telephone keys on this call.",
        {
            "type": "object",
            "properties": {"digits": {"type": "string", "description": "0-9, *, #; w waits half a second"}},
            "required": ["digits"],
        },
    )

    async def run(self, arguments: Mapping[str, Any]) -> Outcome:
        """Sends them as DTMF tones."""
        digits = re.sub(r"[\s().-]", "", str(arguments["digits"]))
        if not _DIGITS.fullmatch(digits):
            raise ToolError("digits may be 0-9, *, #, A-D and w, at most 40")
        return Outcome("The keys were pressed.", SendDigits(digits))
