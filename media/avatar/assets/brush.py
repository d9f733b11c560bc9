"""A small painter: soft shapes, strokes and light on a float canvas, twice oversampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Point = tuple[float, float]
Colour = tuple[float, float, float]

SIZE = 1024
SCALE = 2
SIDE = SIZE * SCALE
_BITS = 4


def curve(points: Sequence[Point] | Array, *, closed: bool = False, steps: int = 16) -> Array:
    """A Catmull-Rom curve through points in units of the 1024 canvas: [n, 2]."""
    given = np.asarray(points, np.float64)
    if closed:
        ring = np.concatenate([given[-1:], given, given[:2]])
    else:
        ring = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(ring[:-3], ring[1:-2], ring[2:-1], ring[3:], strict=True):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    if not closed:
        parts.append(given[-1:])
    return np.concatenate(parts)


def mirrored(points: Sequence[Point], middle: float) -> list[Point]:
    """Points of a right half, from top to bottom, and their mirror images back up."""
    return [*points, *((2 * middle - x, y) for x, y in reversed(points) if abs(x - middle) > 0.5)]


def blurred(mask: Array, radius: float) -> Array:
    """Gaussian blur; the radius (sigma) in units of the canvas."""
    return mask if radius <= 0 else np.asarray(cv2.GaussianBlur(mask, (0, 0), radius * SCALE))


def filled(outline: Array, soft: float = 0.0) -> Array:
    """A shape as a mask [side, side], 0 to 1."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    corners = np.rint((outline * SCALE) * (1 << _BITS)).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, _BITS)
    return blurred(mask.astype(np.float32) / 255, soft)


def spot(centre: Point, radius_x: float, radius_y: float, angle: float = 0.0) -> Array:
    """A Gaussian spot, 1 at its middle."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SCALE
    dx, dy = x - centre[0], y - centre[1]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    u, v = (cos * dx + sin * dy) / radius_x, (-sin * dx + cos * dy) / radius_y
    return np.asarray(np.exp(-0.5 * (u * u + v * v)), np.float32)


def tapered(line: Array, width: float, *, ends: tuple[float, float] = (0.0, 0.0), soft: float = 0.3) -> Array:
    """A line with a width that swells to `width` in its middle from `ends` (parts of it), as a mask."""
    t = np.linspace(0, 1, len(line))
    swell = np.sin(np.pi * t) ** 0.7
    half = width / 2 * np.maximum(swell, ends[0] * (1 - t) + ends[1] * t)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
    return filled(np.concatenate([line + across * half[:, None], (line - across * half[:, None])[::-1]]), soft)


class Canvas:
    """A picture in the making, float RGB, 0 to 255."""

    def __init__(self) -> None:
        self.pixels: Array = np.zeros((SIDE, SIDE, 3), np.float32)

    def paint(self, mask: Array, colour: Colour | Array, strength: float = 1.0) -> None:
        """Lay a colour (or a picture) on, as opaque as the mask says."""
        cover = (mask * strength)[..., None]
        self.pixels += (np.asarray(colour, np.float32) - self.pixels) * cover

    def shade(self, mask: Array, tint: Colour, strength: float = 1.0) -> None:
        """Multiply by a tint (1 is no change) where the mask says."""
        self.pixels *= 1 + (np.asarray(tint, np.float32) - 1) * (mask * strength)[..., None]

    def light(self, mask: Array, colour: Colour, strength: float = 1.0) -> None:
        """Add light: the brighter the picture, the less it adds."""
        glow = np.asarray(colour, np.float32) * (mask * strength)[..., None]
        self.pixels += glow * (1 - np.clip(self.pixels, 0, 255) / 255)

    def hairs(self, lines: Sequence[Array], colours: Sequence[Colour], widths: Sequence[float]) -> None:
        """Draw many fine lines, in order."""
        drawn = np.clip(self.pixels, 0, 255).astype(np.uint8)
        for line, colour, width in zip(lines, colours, widths, strict=True):
            corners = np.rint((line * SCALE) * (1 << _BITS)).astype(np.int32)
            thick = max(1, round(width * SCALE))
            cv2.polylines(drawn, [corners], False, tuple(float(c) for c in colour), thick, cv2.LINE_AA, _BITS)
        self.pixels = drawn.astype(np.float32)

    def picture(self) -> npt.NDArray[np.uint8]:
        """The finished picture, [1024, 1024, 3]."""
        small = cv2.resize(np.clip(self.pixels, 0, 255), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        return np.asarray(np.rint(small), np.uint8)
