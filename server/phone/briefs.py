"""What a session is told of its call: its first words, and whom it talks with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from agents.definition import AgentDefinition, TransferDefinition
from server.phone.book import CallOrder

_PLACEHOLDER = re.compile(r"(?P<before>\s*)\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
_LEADING = re.compile(r"^[\s,;:.!?]+")
_LONGEST_VALUE: Final = 200
_MOST_VARIABLES: Final = 50


def fill(text: str, variables: Mapping[str, Any]) -> str:
    """`text` with its `{name}` placeholders filled in from a call's variables.

    A value is a text, a number or a truth; one that is missing, empty or of another kind leaves the placeholder out,
    with the blanks before it: "Hello {name}!" becomes "Hello!". What is filled in is not looked at again.
    """

    def value(match: re.Match[str]) -> str:
        given = _shown(variables.get(match["name"]))
        return match["before"] + given if given else ""

    filled = _PLACEHOLDER.sub(value, text).strip()
    if filled == text.strip():
        return filled
    begun = _LEADING.sub("", filled)
    return begun[:1].upper() + begun[1:] if begun != filled else filled


def opening(definition: AgentDefinition, order: CallOrder, *, recorded: bool) -> str:
    """The first words of a call: who calls it says so, who records it says so, then the greeting."""
    phone = definition.phone
    texts = [
        phone.disclosure if order.direction == "outbound" else "",
        phone.consent if recorded else "",
        definition.greeting,
    ]
    return " ".join(filled for text in texts if (filled := fill(text, order.variables)))


def notes(order: CallOrder, *extra: str) -> str:
    """For the model: whom it talks with, what is known of them, and what else there is to say."""
    whom = order.peer or "a number that is not shown"
    if order.direction == "outbound":
        lines = [f"This is a telephone call. You have called {whom}, who has answered."]
    else:
        lines = [f"This is a telephone call. {whom} has called you."]
    known = [
        f"{name}: {shown}"
        for name, value in list(order.variables.items())[:_MOST_VARIABLES]
        if (shown := _shown(value))
    ]
    if known:
        lines.append("What is known of them and of the reason for the call: " + "; ".join(known) + ".")
    return "\n".join([*lines, *(text for text in extra if text)])


def transfer_targets(definition: AgentDefinition) -> Mapping[str, str]:
    """To whom an agent may transfer calls: names, and numbers (E.164) or SIP addresses."""
    return {
        name: target
        for tool in definition.tools
        if isinstance(tool, TransferDefinition)
        for name, target in tool.transfer.items()
    }


def _shown(value: object) -> str:
    """A value as it is said, "" for what cannot be."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int | float):
        return ""
    return " ".join(str(value).split())[:_LONGEST_VALUE]
