"""Sessions that were asked for: each may be joined once, in time, by whoever holds its token. Pure."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from server.browser.errors import AlreadyJoined, Full, NoSession, TokenExpired, Unauthorised

CAPACITY: Final = 1024
RESERVED_SECONDS: Final = 30.0
"""So long a session that was asked for and not joined counts as one that is about to run."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A session that was asked for; `address` is the client's, `public` whether it came without a key of its own."""

    id: str
    token: str
    agent_id: str
    address: str
    public: bool
    issued: float
    expires: float
    joined: bool = False


class Tickets:
    """All of them, from the request until the session is over. Times are seconds of any monotonic clock."""

    def __init__(self, ttl: float, capacity: int = CAPACITY) -> None:
        self._ttl = ttl
        self._capacity = capacity
        self._tickets: dict[str, Ticket] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def issue(self, now: float, agent_id: str, *, address: str, public: bool) -> Ticket:
        """A new one. Raises `Full`."""
        self._forget(now)
        if len(self._tickets) >= self._capacity:
            raise Full("Too many sessions wait to be joined", retry_after=round(self._ttl))
        ticket = Ticket(
            f"session_{secrets.token_hex(8)}",
            secrets.token_urlsafe(32),
            agent_id,
            address,
            public,
            now,
            now + self._ttl,
        )
        self._tickets[ticket.id] = ticket
        return ticket

    def check(self, now: float, session_id: str, token: str) -> Ticket:
        """The ticket that this token is of. Raises `NoSession`, `Unauthorised` or `TokenExpired`."""
        ticket = self._tickets.get(session_id)
        if ticket is None:
            raise NoSession("There is no such session")
        if not hmac.compare_digest(ticket.token.encode(), token.encode("utf-8", "surrogatepass")):
            raise Unauthorised("This is not the token of this session")
        if not ticket.joined and now >= ticket.expires:
            raise TokenExpired("The session was not joined in time: ask for a new one")
        return ticket

    def join(self, now: float, session_id: str, token: str) -> Ticket:
        """Use the token; nobody else can. Raises as `check` does, and `AlreadyJoined`."""
        ticket = self.check(now, session_id, token)
        if ticket.joined:
            raise AlreadyJoined("The session has been joined: ask for a new one")
        ticket.joined = True
        return ticket

    def forget(self, ticket: Ticket) -> None:
        """The session is over, or will not be."""
        self._tickets.pop(ticket.id, None)

    def reserved(self, now: float) -> int:
        """Sessions that were asked for a moment ago and are not joined yet."""
        self._forget(now)
        return sum(not t.joined and now - t.issued < RESERVED_SECONDS for t in self._tickets.values())

    def held_by(self, now: float, address: str) -> int:
        """Sessions of this address without a key: those it is in, and those it has just asked for."""
        self._forget(now)
        return sum(
            t.public and t.address == address and (t.joined or now - t.issued < RESERVED_SECONDS)
            for t in self._tickets.values()
        )

    def _forget(self, now: float) -> None:
        # A minute longer than it is valid, so that whoever is late is told so.
        for ticket in [t for t in self._tickets.values() if not t.joined and now >= t.expires + 60]:
            del self._tickets[ticket.id]
