"""Keys: paths of plain segments, by which a file is known to its account and in its URL."""

from __future__ import annotations

import re
from typing import Final

from server.storage.errors import KeyInvalid

MAX_LENGTH: Final = 300

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"  # a dot never begins one: no "..", nothing hidden
_KEY = re.compile(rf"{_SEGMENT}(/{_SEGMENT})+")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_RESERVED = ("agents/",)  # below /files there are others' routes


def is_key(text: str) -> bool:
    """Whether this can be a key."""
    return len(text) <= MAX_LENGTH and _KEY.fullmatch(text) is not None and not text.startswith(_RESERVED)


def location(account_id: str, key: str) -> str:
    """Where an account's file lies in the store: below the account's own folder. Raises `KeyInvalid`."""
    if not is_key(key) or not _ACCOUNT.fullmatch(account_id):
        raise KeyInvalid("The key must be a path of letters, digits and . _ - such as outputs/name/file.mp4")
    return f"{account_id}/{key}"
