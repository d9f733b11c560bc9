"""One frame of a puppet: eyes, head, lips, what is between them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from media.avatar import topology as topo
from media.avatar.face import FaceState
from media.avatar.landmarks import Picture
from media.avatar.pack import SIDE, AvatarPack
from media.avatar.puppet.cavity import Cavity
from media.avatar.puppet.eyes import Eyes
from media.avatar.puppet.fields import Field, Grid, smoothstep
from media.avatar.puppet.head import HeadMotion
from media.avatar.puppet.mouth import MouthGeometry

Array = npt.NDArray[Any]
RgbaPicture = npt.NDArray[np.uint8]

_STEP = 6  # pixels between points of the mouth's grid
_MARGIN = 8  # pixels by which the head may carry the mouth out of its place
_PAD = 32  # pixels around the mouth's patch that may be drawn into it
_SHIFT = 4  # fractional bits of polygon corners
_RELATIVE = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
_OPEN = 0.012  # gaps below this, in half widths, are closed


class Puppet:
    """A portrait that can be drawn in any `FaceState`.

    Everything that depends on the portrait alone is computed here (about 0.1 s); `draw` is a frame. A puppet holds no
    state between frames: the same state gives the same picture, on any thread.
    """

    def __init__(self, pack: AvatarPack) -> None:
        cv2.setNumThreads(1)  # frames of many sessions run beside one another; a frame is too short to be split
        self._layer: RgbaPicture = np.dstack([pack.portrait, np.full((SIDE, SIDE), 255, np.uint8)])
        self._head = HeadMotion(pack.landmarks)
        self._mouth = MouthGeometry(pack.landmarks)
        self._eyes = Eyes(pack.landmarks, self._layer)
        self._cavity = Cavity(pack.portrait, pack.landmarks, self._mouth)
        self._place_mouth()
        self._lay_out_jaw(pack)

    def draw(self, face: FaceState, *, layer: RgbaPicture | None = None) -> RgbaPicture:
        """The face as RGBA, uint8, [512, 512, 4], opaque.

        `layer`: another picture of the portrait (a network has repainted the mouth), which is moved instead; its own
        mouth is then left as it is, and it may be written to.
        """
        repainted = layer is not None
        layer = self._layer.copy() if layer is None else layer
        self._eyes.draw(layer, face)
        head = self._head.displacement(face)
        come = self._head.grid.gentle_inverse(head)
        where = self._head.grid.enlarge(np.negative(come))
        frame = np.asarray(cv2.remap(layer, where, None, _RELATIVE, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]
        if not repainted:
            self._draw_mouth(frame, face, head, come)
        return frame

    def carried_from(self, face: FaceState) -> Field:
        """How far what the head's motion shows at a point has come: [64, 64, 2] pixels, points 8 pixels apart.

        `draw` shows at p what the portrait has at p minus this; for drawing finer pictures of the same moment.
        """
        return self._head.grid.gentle_inverse(self._head.displacement(face))

    # ---- prepared once

    def _place_mouth(self) -> None:
        mouth = self._mouth
        lowest = mouth.chin + 0.3 + mouth.scale
        corners = mouth.to_pixels(np.array([[x, y] for x in (-2.5, 2.5) for y in (-1.2, lowest)], np.float64))
        left, top = np.clip(np.floor(corners.min(0)) - _MARGIN, 0, SIDE - 8 * _STEP).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(0)) + _MARGIN, None, SIDE).astype(int)
        columns, rows = int((right - left) // _STEP), int((bottom - top) // _STEP)
        self._grid = grid = Grid(int(left), int(top), columns, rows, _STEP)
        upper, lower = (mouth.turned(basis) for basis in mouth.bases(mouth.to_mouth(grid.points)))
        ramp = [np.minimum(np.arange(n), np.arange(n)[::-1]) / 2.0 for n in (columns, rows)]
        fade = np.clip(ramp[0], 0, 1)[None, :] * np.clip(ramp[1], 0, 1)[:, None]  # so that the patch has no border
        self._upper = (upper * fade[..., None]).reshape(len(upper), -1).astype(np.float32)
        self._lower = (lower * fade[..., None]).reshape(len(lower), -1).astype(np.float32)
        x, y = np.meshgrid(np.arange(grid.width), np.arange(grid.height))
        top, left = max(grid.top - _PAD, 0), max(grid.left - _PAD, 0)
        self._pixels = np.stack([x + grid.left - left, y + grid.top - top], -1).astype(np.float32)
        self._patch = (slice(top, grid.top + grid.height + _PAD), slice(left, grid.left + grid.width + _PAD))
        rim_upper, rim_lower = mouth.rims()
        self._rim_upper, self._rim_lower = rim_upper, rim_lower
        self._rim_upper_bases = mouth.bases(rim_upper)[0].reshape(len(upper), -1)
        self._rim_lower_bases = mouth.bases(rim_lower)[1].reshape(len(lower), -1)

    def _lay_out_jaw(self, pack: AvatarPack) -> None:
        """The mouth's patch of the portrait with what moves with the jaw as its alpha.

        The chin slides over neck and collar, which stay: alpha is 1 on the face and fades out below its outline.
        """
        half = self._mouth.half
        outline = pack.landmarks[list(topo.OVAL), :2]
        face = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(face, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
        outside = np.asarray(cv2.distanceTransform(255 - face, cv2.DIST_L2, 5), np.float32) / half
        rows = np.arange(SIDE)[:, None]
        level = self._mouth.centre[1] + 0.25 * half  # above the mouth nothing may show through
        above = 1 - smoothstep(level, level + 0.6 * half, rows)
        alpha = np.maximum(1 - smoothstep(0.03, 0.20, outside), above)
        self._skin = np.ascontiguousarray(self._layer[self._patch])
        self._skin[..., 3] = np.rint(255 * alpha[self._patch]).astype(np.uint8)

    # ---- each frame

    def _draw_mouth(self, frame: RgbaPicture, face: FaceState, head: Field, come: Field) -> None:
        mouth, grid = self._mouth, self._grid
        weights = mouth.amplitudes(face.mouth)
        upper, lower = self._rims(weights)
        open_by = lower[:, 1] - upper[:, 1]
        corner = np.array([grid.left, grid.top])
        upper_line = self._carried(mouth.to_pixels(upper), head) - corner
        lower_line = self._carried(mouth.to_pixels(lower), head) - corner

        points = grid.points - self._head.grid.sample(come, grid.points)  # where the head's motion has them from
        above = self._warped(self._upper, weights, points)
        below = self._warped(self._lower, weights, points)
        side = self._below_seam((upper_line + lower_line) / 2)
        skin = _blend(above, below, cv2.merge([side, side, side, side]))
        place = frame[grid.top : grid.top + grid.height, grid.left : grid.left + grid.width]
        alpha = skin[..., 3]
        place[:] = _blend(place, skin, cv2.merge([alpha, alpha, alpha, alpha]))
        place[..., 3] = 255
        if float(open_by.max()) > _OPEN:
            self._open(place, face, np.concatenate([upper_line, lower_line[::-1]]), head)
        elif mouth.parted:
            self._contact(place, (upper_line + lower_line) / 2)

    def _rims(self, weights: npt.NDArray[np.float32]) -> tuple[Array, Array]:
        """The lips' edges in mouth coordinates; where they would cross, they meet midway."""
        upper = self._rim_upper + (weights @ self._rim_upper_bases).reshape(-1, 2)
        lower = self._rim_lower + (weights @ self._rim_lower_bases).reshape(-1, 2)
        crossed = lower[:, 1] < upper[:, 1]
        upper[crossed, 1] = lower[crossed, 1] = ((upper + lower) / 2)[crossed, 1]
        return upper, lower

    def _carried(self, points: Array, head: Field) -> Array:
        """Points of the still portrait where the head's motion takes them."""
        there = points.astype(np.float32)[None]
        return np.asarray(points + self._head.grid.sample(head, there)[0])

    def _warped(self, bases: Array, weights: npt.NDArray[np.float32], points: Field) -> RgbaPicture:
        grid = self._grid
        # not a matrix product: OpenBLAS would wake threads for it that spin in other sessions' way
        field = np.einsum("k,kn->n", weights, bases).reshape(grid.rows, grid.columns, 2)
        come = grid.inverse(field, 3)
        away = points - grid.sample(come, points) - grid.points
        where = grid.enlarge(away) + self._pixels
        return np.asarray(cv2.remap(self._skin, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]

    def _below_seam(self, seam: Array) -> Picture:
        """255 below the line between the lips, carried on beyond the corners, 0 above it."""
        height, width = self._grid.height, self._grid.width
        along = self._mouth.across * width
        corners = [seam[0] - along, *seam, seam[-1] + along, (width + 9, height + 9), (-9, height + 9)]
        mask = np.zeros((height, width), np.uint8)
        _fill(mask, np.array(corners))
        return np.asarray(cv2.GaussianBlur(mask, (5, 5), 0), np.uint8)

    def _open(self, place: RgbaPicture, face: FaceState, outline: Array, head: Field) -> None:
        half = self._mouth.half
        x0, y0 = np.maximum(np.floor(outline.min(0)).astype(int) - 8, 0)
        x1, y1 = np.ceil(outline.max(0)).astype(int) + 9
        part = place[y0:y1, x0:x1]
        mask = np.zeros(part.shape[:2], np.uint8)
        _fill(mask, outline - (x0, y0))
        inside = cv2.GaussianBlur(mask, (0, 0), max(0.8, 0.018 * half)).astype(np.float32)[..., None] / 255
        depth = cv2.GaussianBlur(mask, (0, 0), max(1.5, 0.10 * half)).astype(np.float32)[..., None] / 255
        shade = np.clip(depth * 1.45 - 0.10, 0, 1).astype(np.float32)
        origin = np.array([x0 + self._grid.left, y0 + self._grid.top], np.float64)
        seen = self._cavity.paint(face.mouth, shade, self._cavity_to_frame(head), origin)
        colour = part[..., :3]
        colour[:] = np.clip(colour + (seen - colour) * inside, 0, 255).astype(np.uint8)

    def _cavity_to_frame(self, head: Field) -> Array:
        matrix = self._cavity.to_portrait()
        reach = self._mouth.half
        textures = self._cavity.origin + np.array([[0, 0], [reach, 0], [0, reach]])
        frame = self._carried(textures @ matrix[:, :2].T + matrix[:, 2], head)
        return np.asarray(cv2.getAffineTransform(textures.astype(np.float32), frame.astype(np.float32)))

    def _contact(self, place: RgbaPicture, seam: Array) -> None:
        """The line where lips meet that are parted in the portrait."""
        half = self._mouth.half
        line = np.zeros(place.shape[:2], np.uint8)
        corners = np.rint(seam[3:-3] * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(line, [corners], False, 255, max(1, int(0.03 * half)), cv2.LINE_AA, _SHIFT)
        line = np.asarray(cv2.GaussianBlur(line, (0, 0), max(0.8, 0.03 * half)), np.uint8)
        rows, columns = np.nonzero(line > 2)
        if len(rows):
            strength = (line[rows, columns].astype(np.float32) / 255 * 0.75)[:, None]
            dark = np.array([92.0, 40.0, 40.0], np.float32) * np.float32(self._cavity.light)
            painted = place[rows, columns, :3] * (1 - strength) + dark * strength
            place[rows, columns, :3] = painted.astype(np.uint8)


def _fill(mask: Picture, outline: Array) -> None:
    cv2.fillPoly(mask, [np.rint(outline * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)


def _blend(under: RgbaPicture, over: RgbaPicture, alpha: Array) -> RgbaPicture:
    """`over` upon `under`, `alpha` 0 to 255 for each value."""
    return np.asarray(
        cv2.add(cv2.multiply(under, cv2.bitwise_not(alpha), scale=1 / 255), cv2.multiply(over, alpha, scale=1 / 255)),
        np.uint8,
    )
