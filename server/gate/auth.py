"""Who asks: an API key in any of three headers."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers

from server.database import Database, Identity, identify
from server.database.keys import identify_by_id, is_noted, note_use
from server.gate.errors import Unauthorised

TTL_S: Final = 2.0
"""A key that another process revokes, and a plan that it changes, may count for so long here."""
CACHED: Final = 10_000
MAX_KEY: Final = 200

MISSING = "Invalid or missing API key"
HOW = "Send your API key as Authorization: Bearer sk_live_…, as api-secret or as x-api-key"


def presented_key(headers: Headers) -> str:
    """The key that the headers present, "" where there is none. Raises `Unauthorised` for several that differ."""
    keys: set[str] = set()
    for name, value in headers.raw:
        if name in (b"api-secret", b"x-api-key"):
            keys.add(value.decode("latin-1").strip())
        elif name == b"authorization":
            scheme, _, token = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthorised(MISSING, details="Authorization must be: Bearer sk_live_…")
            keys.add(token.strip())
    if len(keys) > 1:
        raise Unauthorised("The request presents several API keys that differ", details="Send one key, in one header")
    return keys.pop() if keys else ""


class Authenticator:
    """Recognises keys, remembering for `TTL_S` whom each was found to speak for.

    What this process revokes it calls `forget` for, and that counts at once, also for look-ups under way. A key is
    remembered by its hash, so no secret stays in memory.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Identity | None]] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[Identity | None]] = {}
        self._generation = 0
        self.tell: Callable[[], object] = lambda: None
        """Told of each `forget`: the other process that recognises keys forgets too."""

    async def identify(self, key: str) -> Identity | None:
        """Whom this key speaks for, None if it is unknown or revoked."""
        if not key or len(key) > MAX_KEY or not key.isascii():
            return None
        digest = hashlib.sha256(key.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known[0]:
            return known[1]
        asked = self._asked.get(digest)
        if asked is None:  # however many requests come at once, one of them asks the database
            asked = self._asked[digest] = asyncio.get_running_loop().create_task(self._look_up(digest, key))
            asked.add_done_callback(_look_at)
        return await asyncio.shield(asked)

    async def identify_by_id(self, key_id: str) -> Identity | None:
        """Whom the key of this id speaks for, None if it is unknown or revoked."""
        return await self._database.read(identify_by_id, key_id)

    def forget(self) -> None:
        """Remember nobody: a key was revoked or rotated, or an account changed."""
        self.forget_here()
        self.tell()

    def forget_here(self) -> None:
        """The same, where it was said by the other process."""
        self._generation += 1
        self._known.clear()
        self._asked.clear()

    async def _look_up(self, digest: bytes, key: str) -> Identity | None:
        generation = self._generation
        try:
            found = await self._database.read(identify, key)
            if found is not None and not is_noted(found.key):
                await self._database.run(note_use, found.key.id)
        finally:
            if self._asked.get(digest) is asyncio.current_task():
                del self._asked[digest]
        if generation == self._generation:
            self._known[digest] = (self._clock() + TTL_S, found)
            self._known.move_to_end(digest)
            while len(self._known) > CACHED:
                self._known.popitem(last=False)
        return found


def _look_at(task: asyncio.Task[Identity | None]) -> None:
    """Whoever waited may have gone: then nobody is left to be told what went wrong."""
    if not task.cancelled():
        task.exception()
