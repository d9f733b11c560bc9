"""What of a portrait picture a video shows, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from media.avatar import topology as topo
from media.avatar.enrol import Placement, enrol_in_place
from media.avatar.landmarks import FaceLandmarker, Picture, Points
from media.avatar.pack import SIDE, AvatarPack
from media.studio.errors import OptionInvalid

RESOLUTIONS: Final = {"480p": 480, "720p": 720, "1080p": 1080}
"""The shorter side of the frame, by the names customers use."""

SMALLEST, LARGEST = 128, 1080
_ASPECTS = (0.4, 2.5)
_ALIKE = 0.02  # aspects that differ less are met by cutting
_HEADROOM = 0.30  # of the face's height, for the hair
_FACE_AT = 0.42  # of the frame's height, where the middle of the face should be


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture (RGB) with an avatar pack made of it, and where in the picture the pack's square lies."""

    picture: Picture
    pack: AvatarPack
    place: Placement

    @classmethod
    def of_picture(cls, picture: Picture, landmarker: FaceLandmarker, *, name: str = "avatar") -> Portrait:
        """Find the face in a decoded picture. Raises `media.avatar.errors.PortraitRefused`."""
        pack, place = enrol_in_place(picture, landmarker, name=name)
        return cls(picture, pack, place)

    @classmethod
    def of_pack(cls, pack: AvatarPack) -> Portrait:
        """Where only the pack is left of the picture."""
        return cls(pack.portrait, pack, Placement(0.0, 0.0, float(SIDE)))

    @property
    def landmarks(self) -> Points:
        """In pixels of the picture."""
        scale = self.place.side / SIDE
        points = self.pack.landmarks[:, :2].astype(np.float64)
        return np.asarray((points + 0.5) * scale - 0.5 + (self.place.left, self.place.top), np.float32)


@dataclass(frozen=True, slots=True)
class Framing:
    """How the frame is filled.

    `size`: its shorter side in pixels. `aspect`: width over height; None for the picture's own. `crop`: show the face
    only, a square around it, `expand_ratio` of the face's width and height added on each side (0 to 3).
    """

    size: int = 720
    aspect: float | None = None
    crop: bool = False
    expand_ratio: float = 0.5

    def __post_init__(self) -> None:
        """Raises `OptionInvalid`."""
        if not SMALLEST <= self.size <= LARGEST:
            raise OptionInvalid("output_size", f"{self.size} is not from {SMALLEST} to {LARGEST}")
        if self.aspect is not None and not _ASPECTS[0] <= self.aspect <= _ASPECTS[1]:
            raise OptionInvalid("aspect", f"{self.aspect} is not from {_ASPECTS[0]} to {_ASPECTS[1]}")
        if not 0.0 <= self.expand_ratio <= 3.0:
            raise OptionInvalid("expand_ratio", f"{self.expand_ratio} is not from 0 to 3")

    @classmethod
    def of_resolution(cls, resolution: str, *, aspect: float | None = None) -> Framing:
        """By one of the names 480p, 720p and 1080p. Raises `OptionInvalid`."""
        if resolution not in RESOLUTIONS:
            raise OptionInvalid("resolution", f"{resolution!r} is none of {', '.join(RESOLUTIONS)}")
        return cls(RESOLUTIONS[resolution], aspect=aspect)


@dataclass(frozen=True, slots=True)
class View:
    """The part of a picture that a frame of `width` by `height` pixels (both even) shows.

    `left`, `top`: its corner in the picture's pixels. `scale`: pixels of the frame for one of the picture. It reaches
    beyond the picture where the picture cannot fill the frame.
    """

    left: float
    top: float
    scale: float
    width: int
    height: int


def view_of(portrait: Portrait, framing: Framing) -> View:
    """What is shown: the face, the whole picture, or as much of it as has the frame's aspect.

    Where that would cut the head, the whole picture is shown and the frame's rest left for the background.
    """
    height, width = portrait.picture.shape[:2]
    if framing.crop:
        return _face_view(portrait, framing)
    own = min(max(width / height, _ASPECTS[0]), _ASPECTS[1])
    frame_width, frame_height = _frame(framing.size, framing.aspect or own)
    aspect = frame_width / frame_height
    cover = max(frame_width / width, frame_height / height)
    left, top = _around_face(portrait, frame_width / cover, frame_height / cover)
    alike = abs(aspect / (width / height) - 1) < _ALIKE
    if alike or _holds_head(portrait, left, top, frame_width / cover, frame_height / cover):
        return View(left, top, cover, frame_width, frame_height)
    scale = min(frame_width / width, frame_height / height)
    return View(
        (width - frame_width / scale) / 2, (height - frame_height / scale) / 2, scale, frame_width, frame_height
    )


def _frame(size: int, aspect: float) -> tuple[int, int]:
    longer = size * max(aspect, 1 / aspect)
    short, long = 2 * round(size / 2), 2 * round(longer / 2)
    return (long, short) if aspect >= 1 else (short, long)


def _face_view(portrait: Portrait, framing: Framing) -> View:
    height, width = portrait.picture.shape[:2]
    low, high = _face_box(portrait)
    side = float((high - low).max()) * (1 + 2 * framing.expand_ratio)
    frame_width, frame_height = _frame(framing.size, framing.aspect or 1.0)
    shown_width = side * max(1.0, frame_width / frame_height)
    shown_height = shown_width * frame_height / frame_width
    shrink = min(1.0, width / shown_width, height / shown_height)
    shown_width, shown_height = shown_width * shrink, shown_height * shrink
    middle = (low + high) / 2
    left = float(np.clip(middle[0] - shown_width / 2, 0, width - shown_width))
    top = float(np.clip(middle[1] - shown_height / 2, 0, height - shown_height))
    return View(left, top, frame_width / shown_width, frame_width, frame_height)


def _face_box(portrait: Portrait) -> tuple[Points, Points]:
    skin = portrait.landmarks[: topo.SKIN_LANDMARKS]
    return skin.min(0), skin.max(0)


def _around_face(portrait: Portrait, wide: float, high: float) -> tuple[float, float]:
    height, width = portrait.picture.shape[:2]
    top_left, bottom_right = _face_box(portrait)
    middle = (top_left + bottom_right) / 2
    left = float(np.clip(middle[0] - wide / 2, 0, max(0.0, width - wide)))
    top = float(np.clip(middle[1] - _FACE_AT * high, 0, max(0.0, height - high)))
    return left, top


def _holds_head(portrait: Portrait, left: float, top: float, wide: float, high: float) -> bool:
    low, chin = _face_box(portrait)
    tall = float(chin[1] - low[1])
    above = max(0.0, float(low[1]) - _HEADROOM * tall)
    inside = left <= low[0] and chin[0] <= left + wide
    return bool(inside and top <= above and chin[1] + 0.1 * tall <= top + high)
