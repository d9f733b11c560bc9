"""How the whole picture moves with the head: turning by depth, leaning, breathing, brows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from media.avatar import topology as topo
from media.avatar.face import FaceState
from media.avatar.landmarks import Points
from media.avatar.pack import SIDE
from media.avatar.puppet.fields import Field, Grid, smoothstep

STEP = 8


class HeadMotion:
    """Displacement of the picture for a pose: eight bases on a 64×64 grid, precomputed from the landmarks' depth."""

    def __init__(self, landmarks: Points) -> None:
        self.grid = Grid(0, 0, SIDE // STEP, SIDE // STEP, STEP)
        oval = landmarks[list(topo.OVAL), :2].astype(np.float64)
        self._x, self._y = self.grid.points[..., 0].astype(np.float64), self.grid.points[..., 1].astype(np.float64)
        self._centre = oval.mean(0)
        self.half_width, self.half_height = float(np.ptp(oval[:, 0])) / 2, float(np.ptp(oval[:, 1])) / 2
        chin = landmarks[topo.CHIN].astype(np.float64)
        self._neck = (float(self._centre[0]), float(chin[1]) + 0.25 * self.half_height)
        self._bases = self._make(landmarks.astype(np.float64)).reshape(8, -1).astype(np.float32)

    def displacement(self, face: FaceState) -> Field:
        """The picture's displacement on the grid, pixels."""
        pose = np.array(
            [face.yaw, face.pitch, face.roll, face.shift_x, face.shift_y, face.zoom, face.brows, face.breath],
            np.float32,
        )
        return np.asarray(np.einsum("k,kn->n", pose, self._bases).reshape(self.grid.rows, self.grid.columns, 2))

    def _make(self, landmarks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y, size = self._x, self._y, self.half_width
        depth, head = self._depth(landmarks), self._head()
        neck_x, neck_y = self._neck
        body = smoothstep(neck_y + 0.2 * self.half_height, neck_y + 1.2 * self.half_height, y)
        lean = np.maximum(head, 0.25 * body)
        bases = np.zeros((8, *x.shape, 2))
        bases[0, ..., 0] = (depth + 0.55 * size) * head
        bases[1, ..., 1] = -(depth + 0.35 * size) * head
        bases[2, ..., 0], bases[2, ..., 1] = -(y - neck_y) * head, (x - neck_x) * head
        bases[3, ..., 0] = size * lean
        bases[4, ..., 1] = size * lean
        bases[5, ..., 0], bases[5, ..., 1] = (x - neck_x) * head, (y - neck_y) * head
        bases[6, ..., 1] = self._brows(landmarks)
        bases[7, ..., 1] = -0.018 * size * (body + 0.45 * head)
        edge = np.minimum.reduce([x, y, SIDE - 1 - x]) / (0.06 * SIDE)  # the picture's border stays, but for the bottom
        return np.asarray(bases * np.clip(edge, 0, 1)[..., None])

    def _depth(self, landmarks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Towards the camera, pixels: from the landmarks inside the face, fading to none outside it."""
        points, towards = landmarks[: topo.SKIN_LANDMARKS, :2], -landmarks[: topo.SKIN_LANDMARKS, 2]
        towards = towards - np.median(towards[list(topo.OVAL)])
        apart = (self._x[..., None] - points[:, 0]) ** 2 + (self._y[..., None] - points[:, 1]) ** 2
        weight = 1 / (apart + (0.10 * self.half_width) ** 2) ** 1.5
        blended = (weight * towards).sum(-1) / weight.sum(-1)
        x, y = (self._x - self._centre[0]) / self.half_width, (self._y - self._centre[1]) / self.half_height
        return np.asarray(blended * (1 - smoothstep(0.85, 1.25, np.hypot(x, y))))

    def _head(self) -> npt.NDArray[np.float64]:
        """1 on the head with its hair, fading to 0 in the background and below the neck."""
        x = (self._x - self._centre[0]) / (1.55 * self.half_width)
        y = (self._y - self._centre[1] + 0.15 * self.half_height) / (1.45 * self.half_height)
        return np.asarray(1 - smoothstep(0.62, 1.18, np.hypot(x, y)))

    def _brows(self, landmarks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Upwards over the brows and the forehead above them; nothing at the lids."""
        lifted = np.zeros_like(self._x)
        for eye in topo.EYES:
            brow = landmarks[list(eye.brow), :2].mean(0)
            width = float(np.hypot(*(landmarks[eye.upper[-1], :2] - landmarks[eye.upper[0], :2])))
            lid = float(landmarks[list(eye.upper), 1].min())
            across = np.exp(-(((self._x - brow[0]) / (1.0 * width)) ** 2))
            below = smoothstep(lid - 0.05 * width, float(brow[1]) - 0.05 * width, self._y)
            above = np.exp(-((np.maximum(brow[1] - self._y, 0) / (1.0 * width)) ** 2))
            lifted = np.maximum(lifted, across * below * above)
        return np.asarray(-0.032 * self.half_width * lifted)
