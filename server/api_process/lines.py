"""Whose a request is, by the first bytes of it; nothing is parsed that is not needed for that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from server.gate.gate import NOT_GATED
from server.gate.registry import Registry

LINE_BYTES: Final = 8 * 1024
"""A longer request line is none of the API's."""

_LINE = re.compile(rb"(?:\r?\n)*([A-Z]+) (/[!-~]*) HTTP/1\.1\r\n")
_BODILESS: Final = ("GET", "HEAD", "DELETE")


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request's method and path, both "" where it is no plain request of HTTP/1.1."""

    method: str
    path: str


NO_REQUEST: Final = RequestLine("", "")


def request_line(data: bytes) -> RequestLine | None:
    """The request line that `data` begins with; None while it is not whole.

    Of HTTP/1.1 with a path in origin form (RFC 9112, 3.2.1); whatever else there is, is `NO_REQUEST`.
    """
    found = _LINE.match(data, 0, LINE_BYTES)
    if found is not None:
        return RequestLine(found[1].decode(), found[2].partition(b"?")[0].decode())
    whole = b"\n" in data.lstrip(b"\r\n") or len(data) >= LINE_BYTES
    return NO_REQUEST if whole else None


def is_api(registry: Registry, line: RequestLine) -> bool:
    """Whether the API process answers this: a known endpoint that does not need the conversations' process.

    Paths with escapes are not: the server, which answers everything, decodes them.
    """
    if not line.method or "%" in line.path or line.path.startswith(NOT_GATED):
        return False
    found = registry.find(line.path)
    endpoint = found[0].endpoint(line.method) if found else None
    return endpoint is not None and not endpoint.live


def is_alone(line: RequestLine, data: bytes) -> bool:
    """Whether nothing is known to follow the request: another one may be for the other side."""
    end = data.find(b"\r\n\r\n") if line.method in _BODILESS else -1
    return end < 0 or end + 4 == len(data)
