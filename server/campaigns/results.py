"""What a campaign came to, as CSV (RFC 4180) that a spreadsheet may open. Pure.

Cells of strangers that begin as formulas do are written with an apostrophe before them (OWASP, CSV injection): a
spreadsheet shows them as text. Our own numbers (E.164) keep their plus: a spreadsheet reads those as plain numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from server.campaigns.contacts import COLUMN
from server.jobs.shapes import timestamp

COLUMNS: Final = (COLUMN, "status", "outcome", "attempts", "callId", "durationSeconds", "cost", "lastCallAt")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


@dataclass(frozen=True, slots=True)
class Result:
    """A contact and its calls. `seconds`: of the last call; `cost`: credits of all of them."""

    number: str
    status: str
    outcome: str | None
    attempts: int
    call_id: str | None
    seconds: int | None
    cost: int
    called: datetime | None
    variables: Mapping[str, Any]


def write_csv(results: Iterable[Result]) -> str:
    """The table: `COLUMNS`, then a column for each variable that any contact has, in the order of their appearance."""
    rows = list(results)
    names = dict.fromkeys(name for row in rows for name in row.variables)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *(name if name not in COLUMNS else f"variables.{name}" for name in names)])
    for row in rows:
        own = (
            row.number,
            row.status,
            row.outcome,
            row.attempts,
            row.call_id,
            row.seconds,
            row.cost,
            timestamp(row.called),
        )
        writer.writerow(
            ["" if value is None else value for value in own] + [_cell(row.variables.get(n)) for n in names]
        )
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.lstrip(" ").startswith(_FORMULA) else text
