"""Refusals of the page's avatar endpoints; each carries the answer that the client gets."""

from __future__ import annotations

from typing import Final

from media.avatar.errors import PortraitRefused, Refusal
from media.decoding import MediaError, MediaProblem
from server.browser.errors import Refused

CODES: Final = {
    Refusal.UNREADABLE: "UNSUPPORTED_MEDIA_TYPE",
    Refusal.TOO_LARGE: "PAYLOAD_TOO_LARGE",
    Refusal.NO_FACE: "NO_FACE",
    Refusal.SEVERAL_FACES: "SEVERAL_FACES",
    Refusal.TOO_SMALL: "FACE_TOO_SMALL",
    Refusal.PROFILE: "PROFILE",
    Refusal.COVERED_MOUTH: "COVERED_MOUTH",
    Refusal.TOO_BLURRY: "TOO_BLURRY",
}
_STATUSES: Final = {"UNSUPPORTED_MEDIA_TYPE": 415, "PAYLOAD_TOO_LARGE": 413}
_MEDIA: Final = {
    MediaProblem.TOO_LARGE: "PAYLOAD_TOO_LARGE",
    MediaProblem.TOO_COSTLY: "PAYLOAD_TOO_LARGE",
    MediaProblem.BUSY: "SERVICE_UNAVAILABLE",
    MediaProblem.FAILED: "SERVICE_UNAVAILABLE",
}
RETRY_AFTER: Final = 5


class PictureRefused(Refused):
    """A picture that cannot become an avatar: `code` says why, the text what would help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = _STATUSES.get(code, 422)

    @classmethod
    def of(cls, error: PortraitRefused | MediaError) -> Refused:
        """The same for the client."""
        if isinstance(error, PortraitRefused):
            return cls(CODES[error.code], str(error))
        code = _MEDIA.get(error.code, "UNSUPPORTED_MEDIA_TYPE")
        if error.retryable:
            return Busy(error.message, retry_after=RETRY_AFTER)
        return cls(code, error.message)


class ConsentNeeded(Refused):
    """Nobody said that the person in the picture agrees."""

    code = "CONSENT_NEEDED"


class NoAvatar(Refused):
    """There is no such avatar of this visitor's."""

    status = 404
    code = "AVATAR_NOT_FOUND"


class Busy(Refused):
    """Too much is being made at the moment."""

    status = 503
    code = "SERVICE_UNAVAILABLE"
