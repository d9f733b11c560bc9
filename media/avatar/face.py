"""What a face does at one instant: numbers between the driver, which knows time, and the renderers, which do not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

MouthWeights = npt.NDArray[np.float32]
"""Shape [10], indexed by `MouthShape`."""


class MouthShape(IntEnum):
    """The ways a mouth moves. Lengths are in halves of the mouth's width at rest; 0 everywhere is the portrait.

    JAW drops the lower jaw. WIDE pulls the corners apart (negative: together). ROUND makes the lips fuller and the
    opening round. UPPER and LOWER part the lips from the teeth. CLOSE, 0 to 1, brings lips that are parted in the
    portrait together. PRESS rolls the lips in. BITE brings the lower lip to the upper teeth. SMILE lifts the corners.
    TONGUE, 0 to 1, lifts the tongue's tip to the teeth.
    """

    JAW = 0
    WIDE = 1
    ROUND = 2
    UPPER = 3
    LOWER = 4
    CLOSE = 5
    PRESS = 6
    BITE = 7
    SMILE = 8
    TONGUE = 9


MOUTH_SHAPES: Final = len(MouthShape)
LIP_SHAPES: Final = MOUTH_SHAPES - 1  # those that move the lips; the tongue only shows through


def mouth(**weights: float) -> MouthWeights:
    """Mouth weights by lower-case names: `mouth(jaw=0.6, wide=0.1)`."""
    out = np.zeros(MOUTH_SHAPES, np.float32)
    for name, weight in weights.items():
        out[MouthShape[name.upper()]] = weight
    return out


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """A face at one instant.

    `lids`: how far left and right eye are shut, 0 to 1. `gaze_x`, `gaze_y`: where the eyes look, in iris radii from
    the portrait's direction, right and down positive. `yaw`, `pitch`, `roll`: of the head in radians against the
    portrait, at most about 0.15. `shift_x`, `shift_y`, `zoom`: of the head, in parts of the face's half width.
    `brows`: raised (1) or lowered (-1). `breath`: -1 (out) to 1 (in).
    """

    mouth: MouthWeights = field(default_factory=mouth)
    lids: tuple[float, float] = (0.0, 0.0)
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    zoom: float = 0.0
    brows: float = 0.0
    breath: float = 0.0

    def with_mouth(self, weights: MouthWeights) -> FaceState:
        """The same face with another mouth."""
        return replace(self, mouth=weights)
