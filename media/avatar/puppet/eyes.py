"""Lids that close and eyes that look elsewhere, drawn on the portrait before it is warped.

A lid is painted from the colour of the skin at its crease, with a lash line at its edge; nothing above the crease is
touched, so the rims of glasses stay where they are. An eye is moved inside the opening of its lids only.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from media.avatar.face import FaceState
from media.avatar.landmarks import Picture, Points
from media.avatar.puppet.fields import smoothstep
from media.avatar.topology import EYES, EyeTopology

Array = npt.NDArray[Any]

_LEAST = 0.02  # movements below this are not drawn


class Eye:
    """One eye of a portrait, and the patch around it."""

    def __init__(self, landmarks: Points, eye: EyeTopology, layer: Picture) -> None:
        upper, lower = landmarks[list(eye.upper), :2], landmarks[list(eye.lower), :2]
        crease = landmarks[list(eye.crease), :2]
        inner, outer = upper[0], upper[-1]
        width = float(np.hypot(*(outer - inner)))
        self.iris = landmarks[eye.iris[0], :2].astype(np.float64)
        self.radius = float(np.mean(np.hypot(*(landmarks[list(eye.iris[1:]), :2] - landmarks[eye.iris[0], :2]).T)))
        self.left, self.right = int(inner[0] - 0.10 * width), int(outer[0] + 0.10 * width) + 2
        self.top, self.bottom = int(upper[:, 1].min() - 0.32 * width), int(lower[:, 1].max() + 0.18 * width) + 2
        self.pristine = layer[self.top : self.bottom, self.left : self.right].copy()

        columns = np.arange(self.left, self.right, dtype=np.float32)
        self._x = np.tile(columns - self.left, (self.bottom - self.top, 1)).astype(np.float32)
        self._y = np.tile(np.arange(self.top, self.bottom, dtype=np.float32)[:, None], (1, len(columns)))
        lid, floor = (_widened(chain, columns) for chain in (upper, lower))
        fold = np.interp(columns, crease[:, 0], crease[:, 1])
        self._lid = (lid + 0.02 * width).astype(np.float32)
        self._drop = np.maximum(floor - lid, 0).astype(np.float32)
        room = np.clip(0.95 * (lid - fold), 0.18 * width, 0.26 * width)  # up to where a closing lid is drawn
        opening = self._drop / max(float(self._drop.max()), 1.0)
        room *= 0.4 + 0.6 * smoothstep(0.0, 0.8, opening)  # a lid is round: it is low at the corners of the eye
        self._fold = (self._lid - room).astype(np.float32)
        self._sides = np.clip(np.minimum(columns - self.left, self.right - 1 - columns) / (0.08 * width), 0, 1)
        self._towards_corners = smoothstep(0.0, 0.12, opening)
        self._soft = np.float32(max(0.8, 0.02 * width))
        self._top = smoothstep(0.0, 1.0, (self._y - self._fold) / np.maximum(0.30 * (self._lid - self._fold), 1.0))
        self._line = np.float32(max(1.0, 0.035 * width))
        self._skin, self._lash = self._colours(width)
        self._take_out_iris(lid, floor, width)

    def _colours(self, width: float) -> tuple[Array, Array]:
        """The lid's skin for each column, from just above the fold, and the lashes' colour."""
        patch = self.pristine[..., :3].astype(np.float32)
        luma = patch @ np.array([0.299, 0.587, 0.114], np.float32)
        height = len(patch)
        near = np.abs(self._y - (self._fold - 0.06 * width)) <= max(2.0, 0.08 * width)
        skin = np.empty((patch.shape[1], 3), np.float32)
        for column in range(patch.shape[1]):
            rows = np.flatnonzero(near[:, column]) if near[:, column].any() else np.arange(min(3, height))
            order = rows[np.argsort(luma[rows, column])]
            skin[column] = patch[order[int(0.7 * len(order))], column]
        # rims of glasses and strands of hair cross here: the middle value of the neighbourhood, then smooth
        reach = max(2, int(0.12 * width))
        padded = np.pad(skin, ((reach, reach), (0, 0)), "edge")
        skin = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0), axis=-1)
        skin = cv2.GaussianBlur(skin.astype(np.float32)[None], (0, 0), 0.10 * width, borderType=cv2.BORDER_REPLICATE)[0]
        around = np.median(
            patch.reshape(-1, 3), axis=0
        )  # in the shade of brows or glasses a lid is darker than the fold
        skin = 0.65 * skin + 0.35 * around
        strip = (np.abs(self._y - self._lid) < 0.08 * width) & (self._drop > 0)
        lash = patch[strip][luma[strip] <= np.percentile(luma[strip], 12)].mean(0)
        return skin, lash

    def _take_out_iris(self, lid: Array, floor: Array, width: float) -> None:
        """Part the eye into the opening of the lids, the white as it is under the iris, and the iris."""
        patch = self.pristine[..., :3]
        y = self._y.astype(np.float64)
        inside = np.minimum(y - (lid[None] + 0.02 * width), floor[None] - 0.01 * width - y)  # the lids' edges stay
        self._opening = np.clip(inside / max(1.0, 0.025 * width) + 0.5, 0, 1).astype(np.float32)[..., None]
        away = np.hypot(self._x + self.left - self.iris[0], y - self.iris[1])
        hole = ((away < 1.12 * self.radius + 1) & (self._opening[..., 0] > 0)).astype(np.uint8)
        beyond = ((self._opening[..., 0] < 1) & (away < 1.6 * self.radius)).astype(np.uint8)  # lids are no white
        white = cv2.inpaint(np.ascontiguousarray(patch), hole | beyond, 3, cv2.INPAINT_TELEA)
        self._white = cv2.GaussianBlur(white, (0, 0), 1.2).astype(np.float32)
        # what the lids hide of the iris is what lies opposite
        centre_y = float(self.iris[1]) - self.top
        mirrored = cv2.remap(patch, self._x, (2 * centre_y - (self._y - self.top)).astype(np.float32), cv2.INTER_LINEAR)
        hidden = cv2.GaussianBlur(1 - self._opening[..., 0], (0, 0), 0.8)[..., None]
        ball = patch * (1 - hidden) + mirrored * hidden
        disc = np.clip(1.06 * self.radius - away + 0.5, 0, 1)[..., None]
        self._ball = np.concatenate([ball, disc], -1).astype(np.float32)

    def draw(self, layer: Picture, shut: float, gaze_x: float, gaze_y: float) -> None:
        """Draw this eye on `layer` (RGBA, the whole portrait), `shut` 0 to 1, the gaze in iris radii."""
        patch = self.pristine
        looks = abs(gaze_x) > _LEAST or abs(gaze_y) > _LEAST
        if looks:
            patch = self._looking(patch, gaze_x, gaze_y)
        if shut > _LEAST:
            patch = self._blinking(patch, min(shut, 1.0))
        if looks or shut > _LEAST:
            layer[self.top : self.bottom, self.left : self.right] = patch

    def _looking(self, patch: Picture, gaze_x: float, gaze_y: float) -> Picture:
        matrix = np.array([[1, 0, gaze_x * self.radius], [0, 1, gaze_y * self.radius]], np.float32)
        ball = cv2.warpAffine(self._ball, matrix, (patch.shape[1], patch.shape[0]))
        eye = self._white + (ball[..., :3] - self._white) * ball[..., 3:]
        out = patch.copy()
        out[..., :3] = np.clip(patch[..., :3] + (eye - patch[..., :3]) * self._opening, 0, 255)
        return out

    def _blinking(self, patch: Picture, shut: float) -> Picture:
        lid = self._lid + np.float32(0.97 * shut) * self._drop
        fold, y = self._fold, self._y
        height = np.clip((y - fold) / np.maximum(lid - fold, 1.0), 0, 1)
        # the ball under the lid: a little light above its middle, darker towards the lashes
        shade = 0.95 + 0.04 * np.exp(-(((height - 0.45) / 0.25) ** 2)) - 0.14 * height**3
        skin = self._skin[None] * shade[..., None]
        here = np.clip((lid - y) / self._soft + 0.5, 0, 1) * self._top * self._sides
        here *= min(1.0, 3.0 * shut) * self._towards_corners
        drawn = patch[..., :3] + (skin - patch[..., :3]) * here[..., None]
        below = np.where(y > lid, 1.7, 1.0)  # lashes point down on a closed eye
        line = np.exp(-(((y - lid) / (self._line * below)) ** 2)) * self._sides * min(1.0, 2.0 * shut)
        line *= 0.75 * self._towards_corners
        drawn += (self._lash - drawn) * line[..., None]
        out = patch.copy()
        out[..., :3] = np.clip(drawn, 0, 255)
        return out


def _widened(chain: Array, columns: Array) -> Array:
    """A lid's line at each column, its corners a little further out than the landmarks have them."""
    middle = (chain[0, 0] + chain[-1, 0]) / 2
    return np.interp(columns, middle + 1.08 * (chain[:, 0] - middle), chain[:, 1])


class Eyes:
    """Both eyes of a portrait."""

    def __init__(self, landmarks: Points, layer: Picture) -> None:
        self._eyes = [Eye(landmarks, eye, layer) for eye in EYES]

    def draw(self, layer: Picture, face: FaceState) -> None:
        """Draw both eyes on `layer` (RGBA) as the face has them."""
        for eye, shut in zip(self._eyes, face.lids, strict=True):
            eye.draw(layer, shut, face.gaze_x, face.gaze_y)
