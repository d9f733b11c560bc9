"""What can go wrong on a telephone line.

TelephonyError
├── ProtocolError   the peer broke the media-stream protocol; says how to close the connection
├── TokenRefused    a stream came with a token that does not let it in
└── TokensFull      too many calls are waiting for their stream; try again later
"""

from __future__ import annotations


class TelephonyError(Exception):
    """Base of this package's errors."""


class ProtocolError(TelephonyError):
    """The peer broke the protocol; the connection is to be closed with `code` and `reason`.

    `code` is a WebSocket close code (RFC 6455, 7.4), `reason` is cut to what
    fits into a close frame (123 bytes).
    """

    def __init__(self, code: int, reason: str) -> None:
        reason = reason.encode("ascii", "replace")[:123].decode()
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class TokenRefused(TelephonyError):
    """The token is unknown, expired, used, or was given to another call."""


class TokensFull(TelephonyError):
    """The store of waiting calls is full."""
