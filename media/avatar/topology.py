"""Which of the 478 face landmarks is what (the numbering of Google's canonical face mesh).

"Left" and "right" are as seen in the picture. Chains run from left to right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LANDMARKS: Final = 478
SKIN_LANDMARKS: Final = 468  # the others are the irises

MOUTH_LEFT, MOUTH_RIGHT = 61, 291
UPPER_INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_LIP_PAIRS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402))

FOREHEAD, CHIN = 10, 152
CHEEK_LEFT, CHEEK_RIGHT = 234, 454
NOSE_TIP, NOSE_BASE = 1, 2
EYE_OUTER_LEFT, EYE_OUTER_RIGHT = 33, 263
CHEEKS = (50, 280, 205, 425)
UPPER_CHEEKS = (116, 345, 117, 346, 50, 280, 9, 151)
AROUND_MOUTH = (164, 167, 393, 18, 200, 83, 313, 212, 432)

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
    150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EyeTopology:
    """One eye: its lids from corner to corner, the brow above its middle, its iris (centre, then four on the rim)."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    crease: tuple[int, ...]
    brow: tuple[int, ...]
    iris: tuple[int, ...]


EYES = (
    EyeTopology(
        upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
        lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
        crease=(130, 247, 30, 29, 27, 28, 56, 190, 243),
        brow=(46, 53, 52, 65, 55),
        iris=(468, 469, 470, 471, 472),
    ),
    EyeTopology(
        upper=(362, 398, 384, 385, 386, 387, 388, 466, 263),
        lower=(362, 382, 381, 380, 374, 373, 390, 249, 263),
        crease=(463, 414, 286, 258, 257, 259, 260, 467, 359),
        brow=(285, 295, 282, 283, 276),
        iris=(473, 474, 475, 476, 477),
    ),
)
