"""The demo portrait's skin: a relief of the head in the light, nose and mouth."""

from __future__ import annotations

import numpy as np

from media.avatar.assets.brush import SCALE, SIDE, Array, Canvas, blurred, curve, filled, mirrored, spot, tapered
from media.avatar.assets.palette import EYE, EYE_LEVEL, FACE, LIP, MIDDLE, SHADOW, SKIN


def relief() -> tuple[Array, Array]:
    """The head as a height field, and the mask of the face."""
    face = filled(curve(mirrored(FACE, MIDDLE), closed=True))
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SCALE
    u, v = (x - MIDDLE) / 205, (y - 455) / 290
    height = 190 * np.sqrt(np.clip(1 - u * u - 0.62 * v * v, 0.02, 1))
    bumps: list[tuple[Array, float]] = [
        (spot((MIDDLE, 500), 22, 66), 20),
        (spot((MIDDLE, 552), 23, 19), 23),
        (spot((MIDDLE, 335), 110, 60), 6),
        (spot((MIDDLE, 690), 42, 28), 15),
        (spot((MIDDLE, 656), 52, 13), -7),
        (spot((MIDDLE, 622), 66, 34), 9),
        (spot((MIDDLE, 590), 9, 16), -3),
    ]
    for side in (-1, 1):
        bumps += [
            (spot((MIDDLE + side * EYE, EYE_LEVEL - 4), 48, 28), -15),
            (spot((MIDDLE + side * EYE, EYE_LEVEL - 2), 31, 17), 10),
            (spot((MIDDLE + side * 92, 402), 62, 14, side * 6), 8),
            (spot((MIDDLE + side * 104, 532), 50, 38, side * -18), 12),
            (spot((MIDDLE + side * 27, 562), 13, 12), 10),
            (spot((MIDDLE + side * 122, 610), 46, 46), -7),
            (spot((MIDDLE + side * 64, 590), 14, 36, side * -28), -5),
            (spot((MIDDLE + side * 42, 478), 17, 40, side * -6), -3.5),
        ]
    for bump, size in bumps:
        height = height + size * bump
    return np.asarray(blurred(height, 5.0), np.float32), face


def lit(height: Array) -> tuple[Array, Array]:
    """How much light falls on the relief, and where it shines, both 0 to about 1."""
    down, across = np.gradient(height * SCALE)
    normal = np.stack([-across, -down, np.ones_like(height)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    key = np.array([-0.42, -0.50, 0.76])
    fill = np.array([0.70, -0.05, 0.71])
    bright = 0.80 * np.clip((normal @ key + 0.28) / 1.28, 0, 1) + 0.27 * np.clip(normal @ fill, 0, 1)
    halfway = key + np.array([0, 0, 1.0])
    shine = np.clip(normal @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 26
    return np.asarray(bright, np.float32), np.asarray(shine, np.float32)


def skin(canvas: Canvas) -> Array:
    """The face's skin in its light; returns its mask."""
    height, face = relief()
    bright, shine = lit(height)
    ramp = np.clip(bright, 0, 1)[..., None]
    base = np.array(SKIN, np.float32)
    dark = np.array(SHADOW, np.float32)
    warm = np.array([206, 118, 92], np.float32)
    tone = dark + (base * 1.10 - dark) * ramp**0.85
    glow = 4 * ramp * (1 - ramp)  # light that has gone through skin is redder at the edge of shade
    tone = tone + (warm - tone) * 0.12 * glow
    canvas.paint(blurred(face, 0.6), tone)
    for side in (-1, 1):
        canvas.paint(spot((MIDDLE + side * 108, 548), 44, 32, side * -14) * face, (216, 112, 98), 0.24)
    canvas.paint(spot((MIDDLE, 556), 22, 16) * face, (214, 116, 100), 0.20)
    canvas.paint(spot((MIDDLE, 694), 30, 16) * face, (214, 124, 106), 0.12)
    canvas.light(shine * face, (255, 238, 226), 0.24)
    canvas.light(spot((506, 548), 6.5, 5.5) * face, (255, 240, 230), 0.40)
    canvas.light(spot((509, 492), 6, 34) * face, (255, 238, 226), 0.13)
    return face


def nose(canvas: Canvas) -> None:
    """Nostrils and the shade under the tip; the relief did the rest."""
    for side in (-1, 1):
        hole = curve(
            [
                (MIDDLE + side * 9, 574),
                (MIDDLE + side * 16, 569.5),
                (MIDDLE + side * 25, 571.5),
                (MIDDLE + side * 21, 577),
            ],
            closed=True,
        )
        canvas.shade(filled(hole, 1.8), (0.40, 0.24, 0.22), 0.92)
        wing = curve(
            [(MIDDLE + side * 33, 549), (MIDDLE + side * 40, 561), (MIDDLE + side * 37, 573), (MIDDLE + side * 28, 577)]
        )
        canvas.shade(tapered(wing, 6.5, soft=2.8), (0.66, 0.48, 0.44), 0.75)
    canvas.shade(spot((MIDDLE + 4, 583), 24, 5), (0.70, 0.52, 0.48), 0.55)


def mouth(canvas: Canvas) -> None:
    """Closed lips with the beginning of a smile."""
    seam = [
        (MIDDLE - 66, 614),
        (MIDDLE - 44, 622),
        (MIDDLE - 20, 626),
        (MIDDLE, 628),
        (MIDDLE + 20, 626),
        (MIDDLE + 44, 622),
        (MIDDLE + 66, 614),
    ]
    top = [
        (MIDDLE + 66, 614),
        (MIDDLE + 42, 609.5),
        (MIDDLE + 15, 604.5),
        (MIDDLE, 608),
        (MIDDLE - 15, 604.5),
        (MIDDLE - 42, 609.5),
        (MIDDLE - 66, 614),
    ]
    low = [
        (MIDDLE + 66, 614),
        (MIDDLE + 49, 632),
        (MIDDLE + 26, 647.5),
        (MIDDLE, 652),
        (MIDDLE - 26, 647.5),
        (MIDDLE - 49, 632),
        (MIDDLE - 66, 614),
    ]
    upper = filled(np.concatenate([curve(seam), curve(top)]), 1.3)
    lower = filled(np.concatenate([curve(seam), curve(low)]), 1.5)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SCALE
    canvas.paint(upper, (182, 92, 88), 0.86)
    canvas.paint(lower, LIP, 0.88)
    canvas.shade(upper * np.clip((y - 612) / 16, 0, 1), (0.74, 0.64, 0.64), 0.8)
    canvas.shade(upper * np.clip((x - 500) / 80, 0, 1), (0.86, 0.80, 0.80), 0.8)
    canvas.shade(lower * np.clip((y - 641) / 12, 0, 1), (0.74, 0.62, 0.60), 0.8)
    canvas.light(spot((500, 637), 22, 4.6) * lower, (255, 214, 206), 0.38)
    canvas.light(spot((538, 638), 12, 3.6) * lower, (255, 206, 198), 0.18)
    canvas.light(
        tapered(curve([(486, 606), (499, 602.5), (512, 606.5), (525, 602.5), (538, 606)]), 3, soft=1.4),
        (255, 226, 212),
        0.28,
    )
    canvas.paint(tapered(curve(seam), 3.4, ends=(0.5, 0.5), soft=0.8), (84, 32, 34), 0.88)
    for side in (-1, 1):
        canvas.shade(spot((MIDDLE + side * 70, 612), 6, 6), (0.62, 0.46, 0.44), 0.62)
        crease = curve(
            [(MIDDLE + side * 46, 572), (MIDDLE + side * 66, 590), (MIDDLE + side * 80, 612), (MIDDLE + side * 82, 630)]
        )
        canvas.shade(tapered(crease, 9, soft=5), (0.80, 0.66, 0.62), 0.45)
    canvas.shade(spot((MIDDLE, 660), 30, 5.5), (0.72, 0.55, 0.51), 0.60)
