"""What is kept: accounts, API keys, calls and turns, in SQLite or PostgreSQL.

`Database.run` takes a function of a session and its arguments, and runs it in one transaction off the event loop:

    await database.run(record_turn, turn)
"""

from server.database.calls import (
    CallRecord,
    TurnRecord,
    finish_call,
    next_sequence,
    note_end_reason,
    record_call,
    record_turn,
)
from server.database.engine import Database, DatabaseError
from server.database.keys import (
    Identity,
    IssuedKey,
    KeyInfo,
    authenticate,
    create_account,
    create_key,
    first_key,
    identify,
    list_keys,
    revoke_key,
    rotate_key,
)

__all__ = [
    "CallRecord",
    "Database",
    "DatabaseError",
    "Identity",
    "IssuedKey",
    "KeyInfo",
    "TurnRecord",
    "authenticate",
    "create_account",
    "create_key",
    "finish_call",
    "first_key",
    "identify",
    "list_keys",
    "next_sequence",
    "note_end_reason",
    "record_call",
    "record_turn",
    "revoke_key",
    "rotate_key",
]
