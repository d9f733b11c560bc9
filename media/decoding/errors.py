"""What can be wrong with media from outside."""

from __future__ import annotations

from enum import StrEnum


class MediaProblem(StrEnum):
    """Why media was refused; stable, for programs to tell apart."""

    EMPTY = "empty"
    UNREADABLE = "unreadable"
    WRONG_KIND = "wrong_kind"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_COSTLY = "too_costly"
    NO_AUDIO = "no_audio"
    NO_VIDEO = "no_video"
    BUSY = "busy"
    FAILED = "failed"


OUR_FAULT = frozenset({MediaProblem.BUSY, MediaProblem.FAILED})
"""Problems that the media is not to blame for: another attempt may succeed."""


class MediaError(Exception):
    """Media that cannot be used. The text is fit to be shown to whoever sent it; it names no path and no address."""

    def __init__(self, code: MediaProblem, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def retryable(self) -> bool:
        """Whether the same media may be accepted another time."""
        return self.code in OUR_FAULT
