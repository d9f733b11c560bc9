"""The tables of docs/turn-taking.md, made from the code: `python -m tests.agents.conversation.tables` renews them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.conversation import policy
from agents.conversation.machine import HANDLERS, TIMEOUTS
from agents.conversation.model import State

DOCUMENT = Path(__file__).parents[3] / "docs" / "turn-taking.md"


def events_table() -> str:
    """Which event is legal in which state, and what it does."""
    rows = [["event", *(state.value for state in State), "what it means"], ["---"] * (len(State) + 2)]
    for event, row in HANDLERS.items():
        cells = ["·" if state is State.ENDED else "✓" if state in row or None in row else "" for state in State]
        rows.append([f"`{event.__name__}`", *cells, _summary(next(iter(row.values())))])
    return _table(rows)


def deadlines_table() -> str:
    """What is waited for, and what happens when it is due."""
    rows = [["deadline", "what happens"], ["---", "---"]]
    rows += [[f"`{name.value}`", _summary(handler)] for name, handler in TIMEOUTS.items()]
    return _table(rows)


def options_table() -> str:
    """The options of an agent's `turn_taking`, their defaults and meanings."""
    rows = [["option", "default", "meaning"], ["---", "---:", "---"]]
    for name, meaning in _meanings().items():
        default = getattr(policy.TurnPolicy(), name)
        shown = f"{len(default)} phrases" if isinstance(default, frozenset) else f"{default:g}"
        rows.append([f"`{name}`", str(default).lower() if isinstance(default, bool) else shown, meaning])
    return _table(rows)


TABLES = {"events": events_table, "deadlines": deadlines_table, "options": options_table}


def renewed(document: str) -> str:
    """The document with its tables as the code has them now."""
    for name, table in TABLES.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, _, rest = document.partition(start)
        _, _, after = rest.partition(end)
        document = f"{before}{start}{table()}\n{end}{after}"
    return document


def _meanings() -> dict[str, str]:
    """The docstrings below the fields of `TurnPolicy`."""
    tree = ast.parse(inspect.getsource(policy.TurnPolicy))
    meanings: dict[str, str] = {}
    name = ""
    for node in tree.body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            meanings[name] = ""
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            meanings[name] = str(node.value.value)
    return meanings


def _summary(handler: Callable[..., Any]) -> str:
    return (inspect.getdoc(handler) or "").splitlines()[0]


def _table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
