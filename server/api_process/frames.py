"""What the server and its API process tell each other: one message is one packet of a `SOCK_SEQPACKET` socket pair.

A packet is a byte that says what it is, then the message: JSON, or for the bytes of a connection those bytes.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from typing import Any, Final

from server.gate.limits import Verdict

CHUNK_BYTES: Final = 32 * 1024
"""Bytes of a connection in one packet; a packet has to fit into the socket's buffer whole."""
PACKET_BYTES: Final = 64 * 1024
"""No packet is larger."""
SEEN_AT_ONCE: Final = 100


class FrameError(ValueError):
    """The packet is none of ours."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The API process is there and answers."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A connection, whose descriptor comes with this packet, or more of what was read from the one before.

    `data`: bytes read from it and not yet looked at; `more`: the next packet has more of them.
    """

    data: bytes
    more: bool = False
    begins: bool = True


@dataclass(frozen=True, slots=True)
class Count:
    """Count a request: of an account with a plan in the window `kind`, or, with no `kind`, of an address."""

    number: int
    subject: str
    plan: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of it; None: it could not be counted."""

    number: int
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Forget:
    """A key was revoked or an account changed: remember nobody."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Requests that were answered: method, route, status, seconds; at most `SEEN_AT_ONCE`."""

    requests: tuple[tuple[str, str, int, float], ...]


Message = Ready | Moved | Count | Counted | Forget | Seen

_READY, _MOVED, _COUNT, _COUNTED, _FORGET, _SEEN = range(1, 7)
_MORE, _BEGINS = 1, 2


def encode(message: Message) -> bytes:
    """The packet of a message."""
    match message:
        case Ready():
            return bytes((_READY,))
        case Forget():
            return bytes((_FORGET,))
        case Moved(data, more, begins):
            return bytes((_MOVED, _MORE * more | _BEGINS * begins)) + data
        case Count(number, subject, plan, kind):
            return _json(_COUNT, [number, subject, plan, kind])
        case Counted(number, verdict):
            return _json(_COUNTED, [number, *([] if verdict is None else astuple(verdict))])
        case Seen(requests):
            return _json(_SEEN, requests)


def decode(packet: bytes) -> Message:
    """The message of a packet. Raises `FrameError`."""
    kind, body = packet[:1], packet[1:]
    if kind == bytes((_READY,)) and not body:
        return Ready()
    if kind == bytes((_FORGET,)) and not body:
        return Forget()
    if kind == bytes((_MOVED,)) and body and body[0] <= _MORE | _BEGINS:
        return Moved(body[1:], bool(body[0] & _MORE), bool(body[0] & _BEGINS))
    try:
        return _decoded(kind[0] if kind else 0, json.loads(body))
    except (ValueError, TypeError, RecursionError) as error:
        raise FrameError("the packet is none of ours") from error


def _decoded(kind: int, fields: Any) -> Message:
    if not isinstance(fields, list):
        raise FrameError("the packet is none of ours")
    if kind == _COUNT:
        number, subject, plan, window = fields
        return Count(int(number), str(subject), str(plan), str(window))
    if kind == _COUNTED:
        number, *verdict = fields
        return Counted(int(number), _verdict(*verdict) if verdict else None)
    if kind == _SEEN:
        return Seen(tuple((str(method), str(route), int(status), float(s)) for method, route, status, s in fields))
    raise FrameError("the packet is none of ours")


def _verdict(admitted: Any, limit: Any, remaining: Any, end: Any) -> Verdict:
    return Verdict(bool(admitted), int(limit), int(remaining), float(end))


def _json(kind: int, fields: Any) -> bytes:
    return bytes((kind,)) + json.dumps(fields, separators=(",", ":")).encode()


def moved(data: bytes) -> list[Moved]:
    """The packets of a connection with what was read from it; its descriptor goes with the first."""
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)] or [b""]
    return [Moved(chunk, more=number + 1 < len(chunks), begins=number == 0) for number, chunk in enumerate(chunks)]
