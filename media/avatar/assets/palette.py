"""Colours and measures that the parts of the demo portrait share, in units of the 1024 canvas."""

from __future__ import annotations

from media.avatar.assets.brush import Colour

MIDDLE = 512.0
SKIN: Colour = (232, 182, 154)
SHADOW: Colour = (140, 82, 64)
HAIR_DARK: Colour = (46, 29, 23)
HAIR_LIGHT: Colour = (122, 80, 56)
LIP: Colour = (200, 104, 98)

FACE = [
    (512, 196),
    (590, 206),
    (644, 268),
    (668, 350),
    (675, 430),
    (671, 500),
    (661, 558),
    (642, 614),
    (606, 664),
    (560, 698),
    (512, 708),
]
"""The right half of the face's outline, from the hairline to the chin."""

EYE = 84.0
"""From the middle to the centre of an eye."""

EYE_LEVEL = 452.0
