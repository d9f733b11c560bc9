"""Displacement fields on coarse grids: blended, inverted, enlarged."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
"""Shape [rows, columns, 2]: how far a point moves, x and y, in pixels."""


def smoothstep(start: float, end: float, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """0 before `start`, 1 after `end`, smooth between."""
    t = np.clip((x - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


class Grid:
    """A grid of points `step` pixels apart that covers a rectangle of the frame, cell centres as its points."""

    def __init__(self, left: int, top: int, columns: int, rows: int, step: int) -> None:
        self.left, self.top, self.columns, self.rows, self.step = left, top, columns, rows, step
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        self.cells: Field = np.stack([x, y], -1).astype(np.float32)
        self.points: Field = (self.cells + np.float32(0.5)) * np.float32(step) - np.float32(0.5)
        self.points += np.array([left, top], np.float32)

    @property
    def width(self) -> int:
        """In pixels."""
        return self.columns * self.step

    @property
    def height(self) -> int:
        """In pixels."""
        return self.rows * self.step

    def sample(self, field: Field, points: Field) -> Field:
        """Values of a field given on this grid at other points (pixels of the frame), linear, constant outside."""
        cells = (points - np.array([self.left - 0.5, self.top - 0.5], np.float32)) / np.float32(self.step) - 0.5
        return np.asarray(
            cv2.remap(field, cells, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        )

    def enlarge(self, field: Field) -> Field:
        """A field on this grid at every pixel of its rectangle."""
        return np.asarray(cv2.resize(field, (self.width, self.height), interpolation=cv2.INTER_LINEAR))

    def gentle_inverse(self, field: Field) -> Field:
        """`inverse` for a field whose slope is well below one, by substitution."""
        come = field
        for _ in range(2):
            where = self.cells - come * np.float32(1.0 / self.step)
            come = np.asarray(cv2.remap(field, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]
        return come

    def inverse(self, field: Field, steps: int) -> Field:
        """For each grid point, how far the point that lands on it has come: I with I(x + field(x)) = field(x).

        Newton's iteration with the field's slope along each axis: a field may stretch many times over, where plain
        substitution diverges, but must not fold.
        """
        slope = np.empty_like(field)
        scale = np.float32(1.0 / self.step)
        slope[:, 1:-1, 0] = (field[:, 2:, 0] - field[:, :-2, 0]) * (scale / 2)
        slope[:, 0, 0] = slope[:, -1, 0] = 0.0
        slope[1:-1, :, 1] = (field[2:, :, 1] - field[:-2, :, 1]) * (scale / 2)
        slope[0, :, 1] = slope[-1, :, 1] = 0.0
        np.maximum(slope, -0.6, out=slope)
        both = np.concatenate([field, slope], -1)
        come = field
        for _ in range(steps):
            there = cv2.remap(both, self.cells - come * scale, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
            come = come + (there[..., :2] - come) / (1.0 + there[..., 2:])
        return np.asarray(come, np.float32)
