"""The animated face put back into the whole picture, frame by frame.

The puppet draws the pack's square at 512×512. That is scaled to its place in the frame; what the scaling lost of the
picture's finer detail is carried along with the head and added again, except where lips and lids move over it. At the
square's edges, where they lie inside the picture, it fades into the picture that stands still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from media.avatar import topology as topo
from media.avatar.enrol import Placement, resampled
from media.avatar.face import FaceState
from media.avatar.film import I420
from media.avatar.landmarks import Picture
from media.avatar.pack import SIDE, AvatarPack
from media.avatar.puppet.fields import smoothstep
from media.avatar.puppet.renderer import Puppet
from media.avatar.renderer import to_frame
from media.studio.framing import Portrait, View

Plane = npt.NDArray[np.uint8]

_FADE, _FADE_BELOW = 0.03, 0.10  # of the square's side, from its edges
_INSIDE = 1.5  # pixels of the picture an edge must be away from the picture's own to be faded
_FILL_BLUR, _FILL_LIGHT = 0.05, 0.72
_NO_DETAIL = 128
_SPILL = 3  # pixels by which a picture may fall short of a frame that it is meant to fill


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The visible part of the square in one plane of the frame.

    `side`: of the whole square in the plane's samples. `rows`, `columns`: where its visible part lies in the plane;
    `own_rows`, `own_columns`: the same in the square. `inside`: a rectangle of that part in which it
    shows alone; `seams`: the rest, in rectangles.
    """

    side: int
    rows: slice
    columns: slice
    own_rows: slice
    own_columns: slice
    inside: tuple[slice, slice]
    seams: tuple[_Seam, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Seam:
    """Where the square fades into the picture. `square`, `picture`: how much either shows, adding up to one."""

    place: tuple[slice, slice]
    square: npt.NDArray[np.float32]
    picture: npt.NDArray[np.float32]


class Scene:
    """A portrait in a frame. Implements `media.avatar.film.Painter`."""

    def __init__(self, portrait: Portrait, view: View) -> None:
        view, left, top, side = snapped(view, portrait.place)
        self.width, self.height = view.width, view.height
        self._puppet = Puppet(portrait.pack)
        self._scale = side / SIDE
        self._still = np.asarray(cv2.cvtColor(_background(portrait, view), cv2.COLOR_RGB2YUV_I420), np.uint8)
        fades = _fades(portrait)
        size = (self.width, self.height)
        self._luma = _part(fades, left, top, side, size)
        self._chroma = _part(fades, left // 2, top // 2, side // 2, (size[0] // 2, size[1] // 2))
        self._detail = self._lost_detail(portrait.pack)

    def paint(self, face: FaceState) -> I420:
        """See `media.avatar.film.Painter.paint`."""
        y, u, v = _planes(to_frame(self._puppet.draw(face)).i420, SIDE, SIDE)
        frame = self._still.copy()
        planes = _planes(frame, self.width, self.height)
        luma = cv2.addWeighted(_placed(y, self._luma), 1.0, self._carried_detail(face), 1.0, -_NO_DETAIL)
        _blend(planes[0], np.asarray(luma, np.uint8), self._luma)
        for plane, drawn in zip(planes[1:], (u, v), strict=True):
            _blend(plane, _placed(drawn, self._chroma), self._chroma)
        return frame

    def _carried_detail(self, face: FaceState) -> Plane:
        part = self._luma
        come = self._puppet.carried_from(face) * np.float32(-self._scale)
        field = cv2.resize(come, (part.side, part.side), interpolation=cv2.INTER_LINEAR)
        where = np.ascontiguousarray(field[part.own_rows, part.own_columns])
        moved = cv2.remap(  # type: ignore[call-overload]
            self._detail, where, None, cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(moved, np.uint8)

    def _lost_detail(self, pack: AvatarPack) -> Plane:
        """What the picture's luma has in the square's place and the scaled square has not, around `_NO_DETAIL`."""
        part = self._luma
        still = np.dstack([pack.portrait, np.full((SIDE, SIDE), 255, np.uint8)])
        y, _, _ = _planes(to_frame(still).i420, SIDE, SIDE)
        seen = _planes(self._still, self.width, self.height)[0][part.rows, part.columns]
        moving = cv2.resize(_moving(pack), (part.side, part.side), interpolation=cv2.INTER_LINEAR)
        kept = 1 - np.asarray(moving, np.float32)[part.own_rows, part.own_columns]
        lost = (seen.astype(np.float32) - _placed(y, part)) * kept
        return np.asarray(np.clip(np.rint(lost + _NO_DETAIL), 0, 255), np.uint8)


def snapped(view: View, place: Placement) -> tuple[View, int, int, int]:
    """The view a little closer, so that the square lies on even pixels; its left, top and side there.

    Its middle moves by a pixel at most.
    """
    side = max(16, 2 * math.ceil(place.side * view.scale / 2 - 1e-6))
    scale = side / place.side
    closer = (1 / view.scale - 1 / scale) / 2
    left = 2 * round((place.left - view.left - closer * view.width) * scale / 2)
    top = 2 * round((place.top - view.top - closer * view.height) * scale / 2)
    moved = replace(view, left=place.left - left / scale, top=place.top - top / scale, scale=scale)
    return moved, left, top, side


def _part(fades: npt.NDArray[np.float32], left: int, top: int, side: int, size: tuple[int, int]) -> _Part:
    columns = slice(max(0, left), min(size[0], left + side))
    rows = slice(max(0, top), min(size[1], top + side))
    own_columns, own_rows = slice(columns.start - left, columns.stop - left), slice(rows.start - top, rows.stop - top)
    whole = np.asarray(cv2.resize(fades, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    square = whole[own_rows, own_columns]
    inside, outside = _divided(square)
    seams = tuple(_Seam(place, np.ascontiguousarray(square[place]), 1 - square[place]) for place in outside)
    return _Part(side, rows, columns, own_rows, own_columns, inside, seams)


def _divided(square: npt.NDArray[np.float32]) -> tuple[tuple[slice, slice], list[tuple[slice, slice]]]:
    """The largest rectangle around the middle in which everything is 1, and rectangles that cover the rest."""
    height, width = square.shape
    inside = _ones(square[:, width // 2]), _ones(square[height // 2])
    if not (square[inside] == 1).all():
        inside = slice(0, 0), slice(0, 0)
    (top, bottom), (left, right) = ((part.start, part.stop) for part in inside)
    around = [
        (slice(0, top), slice(0, width)),
        (slice(bottom, height), slice(0, width)),
        (inside[0], slice(0, left)),
        (inside[0], slice(right, width)),
    ]
    return inside, [(tall, wide) for tall, wide in around if tall.stop > tall.start and wide.stop > wide.start]


def _ones(line: npt.NDArray[np.float32]) -> slice:
    """From the first 1 to the last."""
    places = np.flatnonzero(line == 1)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def _placed(plane: Plane, part: _Part) -> Plane:
    """A plane of the square at its size in the frame, as much of it as is visible."""
    way = cv2.INTER_AREA if part.side < plane.shape[0] else cv2.INTER_LINEAR
    whole = cv2.resize(plane, (part.side, part.side), interpolation=way)
    return np.ascontiguousarray(np.asarray(whole, np.uint8)[part.own_rows, part.own_columns])


def _blend(plane: Plane, drawn: Plane, part: _Part) -> None:
    place = plane[part.rows, part.columns]
    place[part.inside] = drawn[part.inside]
    for seam in part.seams:
        ours, under = np.ascontiguousarray(drawn[seam.place]), np.ascontiguousarray(place[seam.place])
        place[seam.place] = cv2.blendLinear(ours, under, seam.square, seam.picture)


def _planes(i420: I420, width: int, height: int) -> tuple[Plane, Plane, Plane]:
    """Views of Y, U and V."""
    flat, count = i420.reshape(-1), width * height
    u, v = flat[count : count * 5 // 4], flat[count * 5 // 4 :]
    return i420[:height], u.reshape(height // 2, width // 2), v.reshape(height // 2, width // 2)


def _background(portrait: Portrait, view: View) -> Picture:
    """The picture standing still; where it does not fill the frame, a blurred enlargement of itself behind it."""
    height, width = portrait.picture.shape[:2]
    offset = np.array([(0.5 - view.left) * view.scale - 0.5, (0.5 - view.top) * view.scale - 0.5])
    matrix = np.array([[view.scale, 0, offset[0]], [0, view.scale, offset[1]]], np.float64)
    shown = resampled(portrait.picture, matrix, view.width, view.height)
    edges = [-view.left * view.scale, -view.top * view.scale]
    far = [(width - view.left) * view.scale, (height - view.top) * view.scale]
    if max(edges) < _SPILL and far[0] > view.width - _SPILL and far[1] > view.height - _SPILL:
        return shown
    cover = max(view.width / width, view.height / height)
    shift = [(view.width - 1 - cover * (width - 1)) / 2, (view.height - 1 - cover * (height - 1)) / 2]
    filling = np.array([[cover, 0, shift[0]], [0, cover, shift[1]]], np.float64)
    fill = resampled(portrait.picture, filling, view.width, view.height)
    fill = np.asarray(cv2.GaussianBlur(fill, (0, 0), _FILL_BLUR * min(view.width, view.height)), np.uint8)
    x, y = np.arange(view.width) + 0.5, np.arange(view.height) + 0.5
    across = np.clip(np.minimum(x - edges[0], far[0] - x) + 0.5, 0, 1)
    down = np.clip(np.minimum(y - edges[1], far[1] - y) + 0.5, 0, 1)
    inside = (across[None, :] * down[:, None])[..., None]
    return np.asarray(fill * _FILL_LIGHT * (1 - inside) + shown * inside, np.uint8)


def _fades(portrait: Portrait) -> npt.NDArray[np.float32]:
    """How much the moving square shows, [512, 512]."""
    height, width = portrait.picture.shape[:2]
    place = portrait.place
    at = (np.arange(SIDE) + 0.5) / SIDE
    across, down = np.ones(SIDE), np.ones(SIDE)
    if place.left > _INSIDE:
        across = np.minimum(across, smoothstep(0, _FADE, at))
    if place.left + place.side < width - _INSIDE:
        across = np.minimum(across, smoothstep(0, _FADE, 1 - at))
    if place.top > _INSIDE:
        down = np.minimum(down, smoothstep(0, _FADE, at))
    if place.top + place.side < height - _INSIDE:
        down = np.minimum(down, smoothstep(0, _FADE_BELOW, 1 - at))
    return np.asarray(across[None, :] * down[:, None], np.float32)


def _moving(pack: AvatarPack) -> npt.NDArray[np.float32]:
    """1 where skin moves against the head, [512, 512]: from under the nose to the chin, and the eyes."""
    points = pack.landmarks[:, :2]
    mask = np.zeros((SIDE, SIDE), np.float32)
    mouth = points[[topo.MOUTH_LEFT, topo.MOUTH_RIGHT]]
    half = float(np.hypot(*(mouth[1] - mouth[0]))) / 2
    centre, chin = mouth.mean(0), float(points[topo.CHIN, 1])
    top, bottom = float(centre[1]) - 0.75 * half, chin + 0.3 * half
    middle = (round(float(centre[0])), round((top + bottom) / 2))
    cv2.ellipse(mask, middle, (round(1.7 * half), max(2, round((bottom - top) / 2))), 0, 0, 360, 1.0, -1)
    for eye in topo.EYES:
        around = points[[*eye.upper, *eye.lower, *eye.crease]]
        low, high = around.min(0), around.max(0)
        size = (high - low) / 2
        where = (round(float((low + high)[0] / 2)), round(float((low + high)[1] / 2)))
        cv2.ellipse(
            mask, where, (round(1.35 * float(size[0])), max(2, round(1.35 * float(size[1])))), 0, 0, 360, 1.0, -1
        )
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.15 * half)), np.float32)
