"""Where the mouth is in a portrait, and how its parts move: displacement bases in mouth coordinates.

Mouth coordinates: u along the line through the corners, v downwards, both in halves of the mouth's width, the origin
midway between the corners. Upper and lower lip are two layers that part along the seam; each has its own displacement
of every point, a sum of nine bases weighted by `MouthShape`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from media.avatar import topology as topo
from media.avatar.face import LIP_SHAPES, MouthShape
from media.avatar.landmarks import Points
from media.avatar.puppet.fields import smoothstep

Array = npt.NDArray[Any]

PARTED = 0.10
"""Lips further apart than this (in half widths) in the portrait are taken as parted."""

_USUAL_HALF_WIDTH = 0.300  # of the outer eye corners' distance: a mouth at rest, neither smiling nor pursed
_RIM_POINTS = 41


class MouthGeometry:
    """The mouth of one portrait.

    `centre` and `half` (half the mouth's width) in pixels; `across`, `down`: its axes as unit vectors. `scale`: how
    much further this mouth must open, in its own units, to open as far as a usual one. `parted`: whether teeth may
    show in the portrait.
    """

    def __init__(self, landmarks: Points) -> None:
        points = landmarks[:, :2].astype(np.float64)
        left, right = points[topo.MOUTH_LEFT], points[topo.MOUTH_RIGHT]
        self.centre = (left + right) / 2
        self.half = float(np.hypot(*(right - left))) / 2
        self.across = (right - left) / (2 * self.half)
        self.down = np.array([-self.across[1], self.across[0]])
        eyes = float(np.hypot(*(points[topo.EYE_OUTER_RIGHT] - points[topo.EYE_OUTER_LEFT])))
        self.scale = float(np.clip(_USUAL_HALF_WIDTH * eyes / self.half, 0.6, 1.25))
        self.chin = float(self.to_mouth(points[[topo.CHIN]])[0, 1])
        self._trace_seam(points)

    def _trace_seam(self, points: Array) -> None:
        u = np.linspace(-1.0, 1.0, 81)
        upper_points = self.to_mouth(points[list(topo.UPPER_INNER_LIP)])
        lower_points = self.to_mouth(points[list(topo.LOWER_INNER_LIP)])
        upper = np.interp(u, upper_points[:, 0], upper_points[:, 1])
        lower = np.maximum(np.interp(u, lower_points[:, 0], lower_points[:, 1]), upper)
        self.parted = float((lower - upper).max()) >= PARTED
        self._u = u
        if self.parted:  # the lower lip will travel further to meet the upper
            self._seam = _smooth(upper + 0.35 * (lower - upper))
            self._above = _smooth(np.maximum(self._seam - upper, 0))
            self._below = _smooth(np.maximum(lower - self._seam, 0))
        else:
            self._seam = _smooth((upper + lower) / 2)
            self._above = self._below = np.zeros_like(u)

    def to_mouth(self, points: Array) -> Array:
        """Pixels to mouth coordinates, shape [..., 2]."""
        away = (points - self.centre) / self.half
        return np.stack([away @ self.across, away @ self.down], -1)

    def to_pixels(self, uv: Array) -> Array:
        """Mouth coordinates to pixels, shape [..., 2]."""
        return np.asarray(self.centre + self.half * (uv[..., :1] * self.across + uv[..., 1:] * self.down))

    def turned(self, displacement: Array) -> Array:
        """A displacement in mouth coordinates as one in pixels."""
        return np.asarray(displacement @ (np.stack([self.across, self.down]) * self.half))

    def seam(self, u: Array) -> tuple[Array, Array, Array]:
        """v of the seam at u, and how far the portrait's lips are above and below it."""
        inside = np.clip(u, -1, 1)
        seam, above, below = (np.interp(inside, self._u, curve) for curve in (self._seam, self._above, self._below))
        return seam, above, below

    def rims(self) -> tuple[Array, Array]:
        """The edges of upper and lower lip where they meet the mouth's inside, [41, 2] in mouth coordinates."""
        u = np.linspace(-1, 1, _RIM_POINTS)
        seam, above, below = self.seam(u)
        return np.stack([u, seam - above], -1), np.stack([u, seam + below], -1)

    def bases(self, uv: Array) -> tuple[Array, Array]:
        """How points of the upper and of the lower layer move: two arrays [9, ..., 2] in mouth coordinates."""
        u, v = uv[..., 0], uv[..., 1]
        seam, above, below = self.seam(u)
        y, side = v - seam, np.abs(u)
        lid = np.clip(1 - side**2.2, 0, 1) ** 0.8  # how far a lip can leave the other: not at all at the corners
        into_upper, into_lower = np.maximum(-y - above, 0), np.maximum(y - below, 0)  # from the rims into the skin
        upper = np.zeros((LIP_SHAPES, *u.shape, 2))
        lower = np.zeros_like(upper)

        jaw = 0.30 * smoothstep(-0.8, 0.0, y) + 0.70 * smoothstep(0.0, 0.8, y)
        wider = smoothstep(0.3, 1.4, y)  # the chin moves as one, the cheeks hardly
        jaw = jaw * (1 - smoothstep(0.0, 1.0, (side - 0.9 - 0.5 * wider) / (1.2 - 0.1 * wider)))
        pull = np.where(side < 1, side, np.exp(-(((side - 1) / 0.5) ** 2))) * np.exp(-((y / 0.8) ** 2))
        lip_follows = lid * np.exp(-into_lower / 1.4) * (1 - smoothstep(self.chin - 0.4, self.chin + 0.1, v))
        _put(upper, lower, MouthShape.JAW, x=-0.16 * np.sign(u) * pull)
        upper[MouthShape.JAW, ..., 1] = jaw * (1 - lid * np.exp(-into_upper / 0.40))
        lower[MouthShape.JAW, ..., 1] = jaw + (1 - jaw) * lip_follows

        corners = np.sign(u) * np.where(side < 1, side, np.exp(-(((side - 1) / 0.65) ** 2)))
        _put(upper, lower, MouthShape.WIDE, x=corners * np.exp(-((y / 0.9) ** 2)))

        # rounding: lips fuller towards their outer edge, the opening's middle higher than its sides
        full = np.exp(-((y / 0.55) ** 2)) * np.exp(-((u / 0.8) ** 4))
        _put(upper, lower, MouthShape.ROUND, y=0.9 * y * full)
        round_gap = np.clip(1 - (u / 0.95) ** 2, 0, 1)
        upper[MouthShape.ROUND, ..., 1] -= 0.13 * round_gap * np.exp(-into_upper / 0.35)
        lower[MouthShape.ROUND, ..., 1] += 0.17 * round_gap * np.exp(-into_lower / 0.45)

        upper[MouthShape.UPPER, ..., 1] = -lid * np.exp(-into_upper / 0.40)
        lower[MouthShape.LOWER, ..., 1] = lid * np.exp(-into_lower / 0.75)
        upper[MouthShape.CLOSE, ..., 1] = above * np.exp(-into_upper / 0.5)
        lower[MouthShape.CLOSE, ..., 1] = -below * np.exp(-into_lower / 0.9)
        middle = np.exp(-((u / 0.95) ** 6))
        upper[MouthShape.PRESS, ..., 1] = into_upper * np.exp(-into_upper / 0.22) * middle
        lower[MouthShape.PRESS, ..., 1] = -into_lower * np.exp(-into_lower / 0.25) * middle
        upper[MouthShape.BITE, ..., 1] = -0.25 * lid * np.exp(-into_upper / 0.40)
        lower[MouthShape.BITE, ..., 1] = -lid * np.exp(-into_lower / 0.30)

        lift = np.exp(-(((side - 1.05) / 0.55) ** 2)) * np.exp(-((y / 0.8) ** 2))
        _put(upper, lower, MouthShape.SMILE, x=0.7 * np.sign(u) * lift, y=-lift)
        return upper, lower

    def amplitudes(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The bases' weights for this mouth: what opens is scaled to the face, not to a smile's width."""
        scaled = weights[:LIP_SHAPES].copy()
        scaled[[MouthShape.JAW, MouthShape.UPPER, MouthShape.LOWER, MouthShape.BITE]] *= self.scale
        relax = max(0.0, 1.0 - self.scale) * float(scaled[MouthShape.CLOSE])  # a broad smile eases when it speaks
        scaled[MouthShape.SMILE] -= 0.5 * relax
        scaled[MouthShape.WIDE] -= 0.35 * relax + 0.8 * relax * max(0.0, -float(weights[MouthShape.WIDE]))
        scaled[MouthShape.CLOSE] = min(max(float(scaled[MouthShape.CLOSE]), 0.0), 1.0)
        return scaled


def _put(
    upper: Array, lower: Array, shape: MouthShape, *, x: Array | float | None = None, y: Array | float | None = None
) -> None:
    for layer in (upper, lower):
        if x is not None:
            layer[shape, ..., 0] += x
        if y is not None:
            layer[shape, ..., 1] += y


def _smooth(curve: Array) -> Array:
    return np.convolve(np.pad(curve, 3, "edge"), np.ones(7) / 7, "valid")
