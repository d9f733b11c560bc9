"""What is kept: accounts, API keys, calls and turns, in SQLite or PostgreSQL.

`Database.run` takes a function of a session and its arguments, and runs it in one transaction off the event loop:

    await database.run(record_turn, turn)
"""

from server.database.calls import CallRecord, TurnRecord, finish_call, record_call, record_turn
from server.database.engine import Database, DatabaseError
from server.database.keys import IssuedKey, KeyInfo, authenticate, create_key, first_key, list_keys, revoke_key

__all__ = [
    "CallRecord",
    "Database",
    "DatabaseError",
    "IssuedKey",
    "KeyInfo",
    "TurnRecord",
    "authenticate",
    "create_key",
    "finish_call",
    "first_key",
    "list_keys",
    "record_call",
    "record_turn",
    "revoke_key",
]
