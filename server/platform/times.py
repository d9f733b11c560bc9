"""Moments as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second, with Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The billing cycle that a moment is in: the first moment of its month (UTC), and that of the next."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=31)).replace(day=1)
