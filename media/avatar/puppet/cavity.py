"""What shows between the lips: teeth, tongue and the dark behind them.

Textures are drawn once for a portrait, four times oversampled, in pixels of the portrait with v = 0 at the seam. The
upper row is fixed to the skull, the lower follows the jaw. Brightness and tint come from the portrait: from its own
teeth where it shows them, else from the whites of its eyes and its skin.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from media.avatar import topology as topo
from media.avatar.face import MouthShape, MouthWeights
from media.avatar.landmarks import Picture, Points
from media.avatar.puppet.mouth import MouthGeometry

Array = npt.NDArray[Any]
Layer = npt.NDArray[np.float32]

_OVERSAMPLING = 4
_SEAM_AT = 0.40  # of the texture's height
_LUMA = np.array([0.299, 0.587, 0.114])
_ENAMEL = np.array([246.0, 236.0, 218.0])
_UPPER_WIDTHS = (0.34, 0.27, 0.30, 0.28, 0.27)  # central incisor to second premolar, half widths of the mouth
_LOWER_WIDTHS = (0.21, 0.23, 0.26, 0.27, 0.27)


class Cavity:
    """The inside of one portrait's mouth."""

    def __init__(self, portrait: Picture, landmarks: Points, mouth: MouthGeometry) -> None:
        self._mouth = mouth
        half = mouth.half
        self.width, self.height = int(2.6 * half), int(2.8 * half)
        self.origin = np.array([self.width / 2, self.height * _SEAM_AT])
        rows, columns = np.mgrid[0 : self.height * _OVERSAMPLING, 0 : self.width * _OVERSAMPLING]
        self._u = (columns / _OVERSAMPLING - self.width / 2) / half
        self._v = (rows / _OVERSAMPLING - self.origin[1]) / half
        skin = _at(portrait, landmarks, topo.CHEEKS).mean(0)
        self.light = float(np.clip(skin @ _LUMA / 185.0, 0.45, 1.15))
        self._tint = np.clip(skin / max(float(skin @ _LUMA), 1.0), 0.6, 1.5)
        self._back = self._draw_back()
        enamel = self._enamel(portrait, landmarks)
        self._upper = self._draw_teeth(1, 0.095, 0.44, _UPPER_WIDTHS, enamel)
        self._lower = self._draw_teeth(-1, 0.125, 0.34, _LOWER_WIDTHS, enamel * np.array([0.90, 0.88, 0.85]))
        self._tongue, self._tongue_cover = self._draw_tongue()
        if mouth.parted:
            self._take_own_teeth(portrait)
        self._u = self._v = np.empty(0)  # only needed to draw the textures

    def paint(self, weights: MouthWeights, shade: Layer, to_frame: Array, origin: Array) -> Layer:
        """The inside as it looks from the front, float RGB, of the size of `shade`.

        `weights` as in a `FaceState`; `shade`: 0 next to the lips to 1
        well inside, [h, w, 1]; `to_frame`: 2×3 matrix from the textures to the frame, `origin`: the frame's pixel at
        [0, 0] of the result.
        """
        height, width = shade.shape[:2]
        half = self._mouth.half
        jaw = float(weights[MouthShape.JAW]) * self._mouth.scale

        def placed(texture: Layer, drop: float) -> Layer:
            matrix = to_frame.copy()
            matrix[:, 2] += matrix[:, 1] * drop * half - origin
            return np.asarray(cv2.warpAffine(texture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))

        dark = 0.30 + 0.70 * shade
        out = placed(self._back, 0.5 * jaw) * dark
        tongue = float(weights[MouthShape.TONGUE])
        drop = 0.48 * jaw - 0.10 - 0.32 * tongue
        cover = placed(self._tongue_cover, drop)[..., None]
        out += (placed(self._tongue, drop) * dark - out) * cover
        behind = 1.0 - 0.75 * min(
            max((float(weights[MouthShape.ROUND]) - 0.25) / 0.5, 0.0), 1.0
        )  # pursed lips hide the teeth
        in_front = 0.80 + 0.20 * np.minimum(shade * 1.6, 1.0)
        lower = placed(self._lower, 0.93 * jaw)
        out += (lower[..., :3] * (0.86 * in_front) - out) * (lower[..., 3:] * behind)
        upper = placed(self._upper, 0.0)
        out += (upper[..., :3] * in_front - out) * (upper[..., 3:] * behind)
        return np.asarray(out, np.float32)

    def _draw_back(self) -> Layer:
        deep = np.clip(np.hypot(self._u / 1.05, (self._v - 0.35) / 0.9), 0, 1)[..., None]
        colour = np.array([98.0, 36.0, 33.0]) * deep + np.array([36.0, 11.0, 11.0]) * (1 - deep)
        return self._reduced(colour * self.light)

    def _draw_tongue(self) -> tuple[Layer, Layer]:
        round_ = np.clip(1 - np.hypot(self._u / 0.64, (self._v - 0.60) / 0.32) ** 2, 0, 1)
        groove = 1 - 0.16 * np.exp(-((self._u / 0.06) ** 2)) * np.clip(round_ * 2, 0, 1)
        colour = np.array([206.0, 104.0, 100.0]) * ((0.46 + 0.44 * round_) * groove)[..., None] * self.light * 0.86
        cover = cv2.GaussianBlur(np.minimum(round_ * 3, 1), (0, 0), _OVERSAMPLING * 1.6)
        return self._reduced(colour), self._reduced(cover)

    def _draw_teeth(self, sign: int, edge: float, tall: float, widths: tuple[float, ...], enamel: Array) -> Layer:
        """A row of teeth as RGBA, alpha 0 to 1. `sign` 1 is the upper row; `edge`: v of its free edge at the middle."""
        u, v = self._u, self._v
        colour = np.zeros((*u.shape, 3))
        cover = np.zeros(u.shape)
        arch = 0.95
        for side in (-1, 1):
            begin = 0.0
            for number, width in enumerate(widths):
                near, far = (float(np.sin(min(t / arch, 1.5)) * arch) for t in (begin, begin + width))
                begin += width
                centre, half = side * (near + far) / 2, (far - near) / 2
                free = edge - sign * (0.09 * centre**2 + (0.016 if number == 1 else 0.0))
                across = np.abs(u - centre) / half
                rise = sign * (free - v) / tall  # 0 at the free edge, 1 at the gum
                rounding = 0.09 * np.clip(across, 0, 1) ** 5
                inside = (across < 1.0) & (rise > rounding) & (rise < 1)
                height = np.clip(rise, 0, 1)
                shade = (1.0 - 0.13 * np.clip(across, 0, 1) ** 4) * (1 - 0.10 * height)
                shade *= 1 - 0.07 * np.exp(-np.clip(rise - rounding, 0, 1) / 0.07)  # the edge lets light through
                shade *= (1 - 0.035 * number) * (1.0 - 0.50 * np.clip(np.abs(u), 0, 1.1) ** 2.4)
                colour[inside] = (enamel * shade[..., None])[inside]
                cover[inside] = 1
        soft = cv2.GaussianBlur(cover, (0, 0), _OVERSAMPLING * 0.55)
        painted = cv2.GaussianBlur(colour * cover[..., None], (0, 0), _OVERSAMPLING * 0.60)
        painted = painted / np.maximum(cv2.GaussianBlur(cover, (0, 0), _OVERSAMPLING * 0.60), 0.02)[..., None]
        return self._reduced(np.dstack([painted, soft]))

    def _enamel(self, portrait: Picture, landmarks: Points) -> Array:
        """The teeth's colour in this portrait's light: between the whites of the eyes and its lit skin made neutral."""
        white = _whites(portrait, landmarks)
        skin = float(np.percentile(_at(portrait, landmarks, (*topo.CHEEKS, *topo.UPPER_CHEEKS)) @ _LUMA, 75))
        level = np.clip(max(1.04 * float(white @ _LUMA) if white is not None else 0.0, 1.08 * skin), 70, 228)
        cast = 0.6 * self._tint + 0.4 * (white / max(float(white @ _LUMA), 1.0) if white is not None else self._tint)
        cast = 0.45 + 0.55 * np.clip(cast, 0.75, 1.3)
        enamel = _ENAMEL / float(_ENAMEL @ _LUMA) * cast
        return np.asarray(np.clip(enamel / float(enamel @ _LUMA) * level, 0, 250))

    def _take_own_teeth(self, portrait: Picture) -> None:
        """Where the portrait shows its teeth, use them for the upper row and tint the drawn ones to match."""
        mouth, half = self._mouth, self._mouth.half
        matrix = self.to_portrait()
        seen = cv2.warpAffine(
            portrait, matrix, (self.width, self.height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        ).astype(np.float32)
        upper, lower = mouth.rims()
        outline = mouth.to_pixels(np.concatenate([upper, lower[::-1]]))
        back = cv2.invertAffineTransform(matrix)
        outline = outline @ back[:, :2].T + back[:, 2]
        opening = np.zeros((self.height, self.width), np.uint8)
        cv2.fillPoly(opening, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        core = cv2.erode(opening, np.ones((3, 3), np.uint8), iterations=max(1, int(0.045 * half)))
        luma = seen @ _LUMA.astype(np.float32)
        saturation = (seen.max(-1) - seen.min(-1)) / np.maximum(seen.max(-1), 1)
        tooth = (core > 128) & (luma > 0.55 * float(np.percentile(luma[core > 128], 90))) & (saturation < 0.40)
        if tooth.sum() < 40:
            return
        drawn = self._upper[self._upper[..., 3] > 0.9][:, :3].mean(0)
        gain = np.clip(seen[tooth].mean(0) / np.maximum(drawn, 1), 0.5, 1.6)
        self._upper[..., :3] *= gain
        self._lower[..., :3] *= gain
        area = cv2.morphologyEx((tooth * 255).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        soft = cv2.GaussianBlur(area.astype(np.float32) / 255, (0, 0), max(0.8, 0.035 * half))
        take = np.clip(soft * 1.6 - 0.3, 0, 1)[..., None]
        self._upper[..., :3] = self._upper[..., :3] * (1 - take) + seen * take
        self._upper[..., 3:] = np.maximum(self._upper[..., 3:], take)

    def to_portrait(self) -> Array:
        """2×3 matrix from pixels of the textures to pixels of the portrait."""
        mouth = self._mouth
        matrix = np.stack([mouth.across, mouth.down], 1)
        seam = mouth.to_pixels(np.array([[0.0, float(mouth.seam(np.zeros(1))[0][0])]]))[0]
        return np.concatenate([matrix, (seam - matrix @ self.origin)[:, None]], 1)

    def _reduced(self, drawn: Array) -> Layer:
        return cv2.resize(drawn, (self.width, self.height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _at(portrait: Picture, landmarks: Points, where: tuple[int, ...]) -> Array:
    """Colours of the portrait at some landmarks, [n, 3]."""
    points = np.clip(np.rint(landmarks[list(where), :2]).astype(int), 0, portrait.shape[0] - 1)
    return np.asarray(portrait[points[:, 1], points[:, 0]], np.float64)


def _whites(portrait: Picture, landmarks: Points) -> Array | None:
    """The colour of the whites of the eyes, None where too little of them shows."""
    seen = []
    for eye in topo.EYES:
        outline = landmarks[[*eye.upper, *eye.lower[::-1]], :2]
        area: Array = np.zeros(portrait.shape[:2], np.uint8)
        cv2.fillPoly(area, [np.rint(outline).astype(np.int32)], 255)
        radius = float(np.mean(np.hypot(*(landmarks[list(eye.iris[1:]), :2] - landmarks[eye.iris[0], :2]).T)))
        centre = np.rint(landmarks[eye.iris[0], :2]).astype(int)
        cv2.circle(area, (int(centre[0]), int(centre[1])), int(1.15 * radius), 0, -1)
        area = cv2.erode(area, np.ones((3, 3), np.uint8))
        seen.append(portrait[area > 0].astype(np.float64))
    pixels = np.concatenate(seen)
    if len(pixels) < 24:
        return None
    luma = pixels @ _LUMA
    return np.asarray(pixels[luma >= np.percentile(luma, 70)].mean(0))
