"""One-time tokens: they let the media stream that was asked for in, and nothing else.

A stream's URL can carry no secret of its own, so the answer to the webhook hands the stream a token, valid once,
for a short time, for this call. Pure: the time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from telephony.errors import TokenRefused, TokensFull

TTL: Final = 30.0
"""Seconds between the webhook and the start of its stream."""

CAPACITY: Final = 1024
"""Calls that may wait for their streams, or be in them, at once."""


T = TypeVar("T")


@dataclass(slots=True)
class Grant(Generic[T]):
    """What a token stands for: its ticket says what the stream is for."""

    token: str
    ticket: T
    expires: float
    used: bool = False
    over: bool = False


class StreamTokens(Generic[T]):
    """The tokens of the calls that wait for their streams or are in them, one a call, each with a ticket.

    A webhook may come twice, for carriers try again when an answer is late. The same call and ticket get the
    same token as long as it is valid, and also when it has been used: the answer is the same to the letter,
    but the token in it opens nothing, so a repetition never makes a second session. A call is given a
    new token when the old one expired unused, when it has another ticket, or when its stream has ended and
    the token's time is up: then the carrier has asked again because the call was sent back to us.
    """

    def __init__(self, ttl: float = TTL, capacity: int = CAPACITY) -> None:
        self._ttl = ttl
        self._capacity = capacity
        self._grants: OrderedDict[str, Grant[T]] = OrderedDict()  # by call, the oldest first

    def __len__(self) -> int:
        return len(self._grants)

    def waiting(self, now: float) -> int:
        """Calls that have a valid token and no stream yet."""
        self._forget(now)
        return sum(not grant.used for grant in self._grants.values())

    def knows(self, now: float, call_sid: str) -> bool:
        """Whether this call has been answered before, and waits for its stream or is in it."""
        self._forget(now)
        return call_sid in self._grants

    def issue(self, now: float, call_sid: str, ticket: T) -> str:
        """A token for the stream of this call: letters and digits. Raises `TokensFull`."""
        if self.knows(now, call_sid) and self._grants[call_sid].ticket == ticket:
            return self._grants[call_sid].token
        if call_sid not in self._grants and len(self._grants) >= self._capacity:
            raise TokensFull(f"{self._capacity} calls are waiting for their streams")
        token = secrets.token_hex(32)
        self._grants[call_sid] = Grant(token, ticket, now + self._ttl)
        self._grants.move_to_end(call_sid)
        return token

    def redeem(self, now: float, call_sid: str, token: str) -> Grant[T]:
        """Use a token up; returns what it stands for. Raises `TokenRefused`.

        Whoever redeems says `release` when the stream has ended.
        """
        grant = self._grants.get(call_sid)
        if grant is None or not hmac.compare_digest(grant.token.encode(), token.encode("utf-8", "surrogatepass")):
            raise TokenRefused("unknown token")
        if grant.used:
            raise TokenRefused("the token has been used")
        if now >= grant.expires:
            raise TokenRefused("the token has expired")
        grant.used = True
        return grant

    def release(self, now: float, call_sid: str, token: str) -> None:
        """The stream that this token opened has ended."""
        grant = self._grants.get(call_sid)
        if grant is not None and grant.token == token:
            grant.over = True
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop what can matter no more: expired, and not in a stream."""
        gone = [sid for sid, grant in self._grants.items() if now >= grant.expires and (grant.over or not grant.used)]
        for call_sid in gone:
            del self._grants[call_sid]
