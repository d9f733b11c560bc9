"""What can be wrong with an avatar.

AvatarError
├── PortraitRefused   the picture or video cannot become an avatar; `code` says why, the text says what would help
├── PackInvalid       the folder is not an avatar pack this version can use
├── SpeechUnreadable  the audio to be spoken cannot be decoded
└── NetworkInvalid    a lip-sync network's file or shapes are not what its adapter needs
"""

from __future__ import annotations

from enum import StrEnum


class AvatarError(Exception):
    """Base of everything that is wrong with an avatar."""


class Refusal(StrEnum):
    """Why a portrait was refused; stable, for programs to tell apart."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    PROFILE = "profile"
    COVERED_MOUTH = "covered_mouth"
    TOO_BLURRY = "too_blurry"


class PortraitRefused(AvatarError):
    """A portrait that cannot become an avatar. The text is fit to be shown to the person who sent it."""

    def __init__(self, code: Refusal, text: str) -> None:
        super().__init__(text)
        self.code = code


class PackInvalid(AvatarError):
    """A folder that is not a whole avatar pack of a version that can be used."""


class SpeechUnreadable(AvatarError):
    """Audio that cannot be decoded."""


class NetworkInvalid(AvatarError):
    """A lip-sync network that cannot be loaded or has other shapes than its adapter needs."""
