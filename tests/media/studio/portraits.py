"""Pictures with the drawn face somewhere in them."""

from __future__ import annotations

import cv2
import numpy as np

from media.avatar.enrol import Placement
from media.studio.framing import Portrait
from tests.media.avatar.faces import drawn_pack


def placed(
    width: int, height: int, *, left: float | None = None, top: float | None = None, side: float | None = None
) -> Portrait:
    """The face as large as fits in the middle, unless said otherwise; around it a checkered wall."""
    side = float(min(width, height)) if side is None else side
    left = (width - side) / 2 if left is None else left
    top = (height - side) / 2 if top is None else top
    rows, columns = np.mgrid[0:height, 0:width]
    wall = 90 + 80 * ((rows // 16 + columns // 16) % 2)
    picture = np.dstack([wall, wall, 255 - wall]).astype(np.uint8)
    pack = drawn_pack()
    size = round(side)
    face = cv2.resize(pack.portrait, (size, size), interpolation=cv2.INTER_AREA if size < 512 else cv2.INTER_CUBIC)
    x, y = min(round(left), width - size), min(round(top), height - size)
    picture[y : y + size, x : x + size] = face
    return Portrait(picture, pack, Placement(float(x), float(y), float(size)))
