"""What can go wrong before a browser session runs. Each carries the answer that the client gets."""

from __future__ import annotations


class Refused(Exception):
    """A request that is not granted: `status` and `code` of the answer; the text says why. The base of the others.

    `retry_after`: seconds after which it may be worth asking again, None where it is not.
    """

    status = 400
    code = "BAD_REQUEST"

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unauthorised(Refused):
    """Nobody said who is asking, or what was said is not true."""

    status = 401
    code = "UNAUTHORIZED"


class Forbidden(Refused):
    """Whoever is asking may not."""

    status = 403
    code = "FORBIDDEN"


class NoAgent(Refused):
    """There is no agent of that name."""

    status = 404
    code = "AGENT_NOT_FOUND"


class NoPoster(Refused):
    """The agent has no face."""

    status = 404
    code = "POSTER_NOT_FOUND"


class NoSession(Refused):
    """There is no such session, or it is over."""

    status = 404
    code = "SESSION_NOT_FOUND"


class TokenExpired(Refused):
    """The session was not joined in time."""

    status = 410
    code = "TOKEN_EXPIRED"


class AlreadyJoined(Refused):
    """A session is joined once."""

    status = 409
    code = "ALREADY_JOINED"


class BadOffer(Refused):
    """The offer cannot be answered."""

    code = "INVALID_OFFER"


class TooMany(Refused):
    """This address has enough sessions for now."""

    status = 429
    code = "RATE_LIMITED"


class Full(Refused):
    """The machine holds no more sessions."""

    status = 503
    code = "SERVER_FULL"
