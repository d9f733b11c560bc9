"""Parts of a file, as HTTP asks for them (RFC 9110, section 14) and as conditions allow (section 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range lies beyond the end of the file: 416."""


def wanted_range(headers: Mapping[str, str], size: int, etag: str, modified: datetime) -> tuple[int, int] | None:
    """The bytes `begin` up to `end` that a request asks for; None: all of it.

    Several ranges, other units and what cannot be read are ignored, as the standard allows, and so is a range whose
    If-Range does not hold any more. Raises `Unsatisfiable`.
    """
    asked = headers.get("range", "")
    found = _RANGE.fullmatch(asked.strip())
    if found is None or not any(found.groups()) or not _still_holds(headers.get("if-range", ""), etag, modified):
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes
        if int(last) == 0 or size == 0:
            raise Unsatisfiable
        return max(0, size - int(last)), size
    begin, end = int(first), int(last) + 1 if last else size
    if end <= begin and last:
        return None  # not a valid range: 9-3
    if begin >= size:
        raise Unsatisfiable
    return begin, min(end, size)


def is_unchanged(headers: Mapping[str, str], etag: str, modified: datetime) -> bool:
    """Whether the client has the file already: 304."""
    if tags := headers.get("if-none-match"):
        return tags.strip() == "*" or f'"{etag}"' in (tag.strip().removeprefix("W/") for tag in tags.split(","))
    return _same_or_later(headers.get("if-modified-since", ""), modified)


def http_date(moment: datetime) -> str:
    """As in Last-Modified."""
    return format_datetime(moment, usegmt=True)


def _still_holds(condition: str, etag: str, modified: datetime) -> bool:
    condition = condition.strip()
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == f'"{etag}"'  # a weak tag never matches here
    return condition == http_date(modified)


def _same_or_later(text: str, modified: datetime) -> bool:
    try:
        return bool(text) and parsedate_to_datetime(text) >= modified.replace(microsecond=0)
    except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
        return False
