"""What can be wrong with a URL or with what it names."""

from __future__ import annotations

from enum import StrEnum


class FetchProblem(StrEnum):
    """Why something was not fetched; stable, for programs to tell apart."""

    INVALID_URL = "invalid_url"
    NOT_PUBLIC = "not_public"
    UNKNOWN_HOST = "unknown_host"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    REDIRECTS = "redirects"
    TOO_LARGE = "too_large"
    WRONG_KIND = "wrong_kind"
    INVALID_DATA = "invalid_data"


PASSING = frozenset({FetchProblem.UNKNOWN_HOST, FetchProblem.UNREACHABLE, FetchProblem.TIMEOUT})
"""Problems that may be gone at another attempt."""


class FetchError(Exception):
    """Something that was not fetched. The text is fit to be shown to whoever gave the URL.

    It never tells what a name resolved to, nor how far a connection got inside a network: that would be a port scanner.
    """

    def __init__(self, code: FetchProblem, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def retryable(self) -> bool:
        """Whether another attempt may succeed."""
        return self.code in PASSING
