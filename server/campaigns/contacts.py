"""Whom a campaign calls: rows of JSON or CSV, checked. Pure.

CSV is that of RFC 4180: commas, double quotes, a header. The column `phoneNumber` is the number, every other column
is a variable of its header's name.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from telephony.numbers import DestinationRefused, check_destination

MOST_CONTACTS: Final = 10_000
"""Of one campaign."""
MOST_VARIABLES: Final = 50
LONGEST_VALUE: Final = 1000
"""Characters of a variable."""
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""What a variable may be called."""
MOST_SHOWN: Final = 5
"""Wrong rows that one error names."""
COLUMN: Final = "phoneNumber"

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to call: a number (E.164) and what the agent's texts are filled in with."""

    number: str
    variables: Mapping[str, Value] = field(default_factory=dict)


class ContactsRefused(ValueError):
    """Rows that cannot be called; the text names the first few and what to mend."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as it came; `label` is how its owner finds it."""

    label: str
    number: str
    variables: Mapping[str, Value]


def checked(rows: Iterable[tuple[str, Mapping[str, Value]]], countries: AbstractSet[str]) -> list[Contact]:
    """Contacts of a JSON list: numbers and variables. Raises `ContactsRefused`, naming `contacts[3].phoneNumber`."""
    return _checked([_Row(f"contacts[{index}]", *row) for index, row in enumerate(rows)], countries)


def read_csv(text: str, countries: AbstractSet[str]) -> list[Contact]:
    """Contacts of a CSV file. Raises `ContactsRefused`, naming `line 4`. Empty lines are passed over."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[_Row] = []
    try:
        header = next(reader, None)
        if not header:
            raise ContactsRefused(f"the CSV is empty: its first line must name the columns, {COLUMN} among them")
        names = _columns(header)
        for fields in reader:
            if not any(each.strip() for each in fields):
                continue
            rows.append(_row(reader.line_num, names, fields))
            if len(rows) > MOST_CONTACTS:
                break
    except csv.Error as error:
        raise ContactsRefused(f"line {reader.line_num} is not CSV (RFC 4180): {error}") from None
    return _checked(rows, countries)


def _columns(header: Sequence[str]) -> list[str]:
    names = [COLUMN if name.strip().lower() == COLUMN.lower() else name.strip() for name in header]
    if COLUMN not in names:
        raise ContactsRefused(
            f"the CSV has no column {COLUMN}: its first line must name the columns, with commas between"
        )
    if len(names) > MOST_VARIABLES + 1:
        raise ContactsRefused(f"the CSV has more than {MOST_VARIABLES + 1} columns")
    for number, name in enumerate(names, 1):
        if not NAME.fullmatch(name):
            raise ContactsRefused(f"column {number} must be named by letters, digits and _, as first_name")
        if names.count(name) > 1:
            raise ContactsRefused(f"two columns are called {name}")
    return names


def _row(line: int, names: Sequence[str], fields: Sequence[str]) -> _Row:
    if len(fields) != len(names):
        raise ContactsRefused(f"line {line} has {len(fields)} fields, and the header names {len(names)}")
    values = dict(zip(names, fields, strict=True))
    return _Row(f"line {line}", values.pop(COLUMN).strip(), values)


def _checked(rows: Sequence[_Row], countries: AbstractSet[str]) -> list[Contact]:
    if not rows:
        raise ContactsRefused("there is nobody to call: name at least one contact")
    if len(rows) > MOST_CONTACTS:
        raise ContactsRefused(f"there are more than {MOST_CONTACTS} contacts")
    found: list[Contact] = []
    places: dict[str, str] = {}
    problems: list[str] = []
    for row in rows:
        try:
            contact = _contact(row, countries)
        except ContactsRefused as error:
            problems.append(str(error))
            continue
        first = places.setdefault(contact.number, row.label)
        if first != row.label:
            problems.append(f"{row.label}.{COLUMN}: is the number of {first} too; nobody is called twice")
        found.append(contact)
    if problems:
        more = f"; and {len(problems) - MOST_SHOWN} more" if len(problems) > MOST_SHOWN else ""
        raise ContactsRefused("; ".join(problems[:MOST_SHOWN]) + more)
    return found


def _contact(row: _Row, countries: AbstractSet[str]) -> Contact:
    try:
        number = check_destination(row.number, countries).number
    except DestinationRefused as error:
        raise ContactsRefused(f"{row.label}.{COLUMN}: {str(error).removeprefix(f'{COLUMN} ')}") from None
    for name, value in row.variables.items():
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            raise ContactsRefused(f"{row.label}.{name}: must have at most {LONGEST_VALUE} characters")
    return Contact(number, row.variables)
