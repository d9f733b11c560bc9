"""Errors that handlers raise and clients read; the gate gives each the shape of its family."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """An answer that is an error. The text says what is wrong and how to mend it, never anything internal.

    `code` defaults to the status's own, `details` (shown in F3 only) to the text. `reason`: for programs, where one
    status has several.
    """

    status = 500

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        details: str | None = None,
        reason: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or type(self).status
        self.code = code
        self.details = details
        self.reason = reason
        self.headers = dict(headers or {})


class Invalid(ApiError):
    """Input that cannot be used: 422 in F1, 400 elsewhere. `field` is named at the beginning of the text."""

    status = 400

    def __init__(self, problem: str, *, field: str | None = None) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)


class Unauthorised(ApiError):
    """No key, or none that is valid."""

    status = 401


class PaymentRequired(ApiError):
    """Not enough credits."""

    status = 402


class Forbidden(ApiError):
    """Not on this plan, or no engine is configured for it."""

    status = 403


class NotFound(ApiError):
    """There is no such thing, or it is another account's."""

    status = 404


class Conflict(ApiError):
    """It cannot be done in the state that things are in."""

    status = 409


class UnsupportedMedia(ApiError):
    """A body of the wrong kind."""

    status = 415


class Unavailable(ApiError):
    """Not now; it is worth trying again."""

    status = 503
