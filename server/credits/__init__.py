"""Credits: an append-only ledger, and a balance that is never negative."""

from server.credits.ledger import (
    Day,
    Entry,
    InsufficientCredits,
    Usage,
    audit,
    balance,
    daily,
    entries,
    grant,
    refund,
    reserve,
    settle,
    usage,
    withdraw,
)

__all__ = [
    "Day",
    "Entry",
    "InsufficientCredits",
    "Usage",
    "audit",
    "balance",
    "daily",
    "entries",
    "grant",
    "refund",
    "reserve",
    "settle",
    "usage",
    "withdraw",
]
