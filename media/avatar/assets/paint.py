"""Paint the demo agent's portrait: `python -m media.avatar.assets.paint [OUT.webp]`.

An invented face: a relief of the head lit from the upper left gives the skin its form; eyes, brows, lips and hair are
painted on it. Nobody sat for it and no picture went into it. The same seed paints the same picture.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.assets.brush import (
    SCALE,
    SIDE,
    Array,
    Canvas,
    Colour,
    blurred,
    curve,
    filled,
    mirrored,
    spot,
    tapered,
)

MIDDLE = 512.0
SKIN: Colour = (232, 182, 154)
SHADOW: Colour = (140, 82, 64)
HAIR_DARK: Colour = (46, 29, 23)
HAIR: Colour = (74, 46, 34)
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
EYE = 84.0  # from the middle to the centre of an eye
EYE_LEVEL = 452.0


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


def background(canvas: Canvas) -> None:
    """A studio wall, lighter behind the head."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SCALE
    wall = np.array([176.0, 196.0, 204.0], np.float32)
    edge = np.array([92.0, 118.0, 134.0], np.float32)
    far = np.clip(np.hypot((x - 420) / 760, (y - 330) / 820), 0, 1)[..., None]
    canvas.pixels[:] = wall * (1 - far) + edge * far


def shoulders(canvas: Canvas) -> None:
    """Neck, and a dark green jacket over a light top."""
    neck = filled(
        curve(
            [
                (440, 590),
                (438, 690),
                (428, 762),
                (366, 810),
                (310, 1100),
                (714, 1100),
                (658, 810),
                (596, 762),
                (586, 690),
                (584, 590),
            ],
            closed=True,
        ),
        0.7,
    )
    canvas.paint(neck, (214, 160, 132))
    _, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SCALE
    canvas.shade(neck * np.clip((x - 470) / 150, 0, 1), (0.70, 0.60, 0.56))
    canvas.shade(neck * np.clip((470 - x) / 60, 0, 1), (0.84, 0.76, 0.72))
    under = blurred(filled(curve([(416, 640), (450, 735), (512, 775), (584, 735), (612, 640)], closed=True)), 15)
    canvas.shade(neck * under, (0.56, 0.42, 0.38), 0.95)
    for side in (-1, 1):
        bone = curve([(MIDDLE + side * 20, 852), (MIDDLE + side * 80, 836), (MIDDLE + side * 150, 824)])
        canvas.shade(tapered(bone, 16, soft=7) * neck, (0.80, 0.70, 0.66), 0.8)
        cord = curve([(MIDDLE + side * 66, 740), (MIDDLE + side * 40, 800), (MIDDLE + side * 16, 848)])
        canvas.shade(tapered(cord, 14, soft=6) * neck, (0.84, 0.75, 0.72), 0.8)
    canvas.light(spot((486, 822), 40, 18) * neck, (90, 60, 46), 0.5)

    top = filled(
        curve([(356, 880), (430, 900), (512, 930), (594, 900), (668, 880), (700, 1100), (324, 1100)], closed=True), 0.8
    )
    canvas.paint(top, (236, 230, 220))
    canvas.shade(top * np.clip((x - 500) / 160, 0, 1), (0.80, 0.80, 0.84))
    for side in (-1, 1):
        jacket = [
            (MIDDLE + side * 110, 800),
            (MIDDLE + side * 190, 818),
            (MIDDLE + side * 306, 846),
            (MIDDLE + side * 394, 890),
            (MIDDLE + side * 438, 968),
            (MIDDLE + side * 462, 1100),
            (MIDDLE + side * 52, 1100),
            (MIDDLE + side * 92, 960),
            (MIDDLE + side * 122, 880),
        ]
        cloth = filled(curve(jacket, closed=True), 0.8)
        canvas.paint(cloth, (34, 84, 86))
        canvas.light(spot((MIDDLE + side * 260 - 40, 880), 100, 44) * cloth, (70, 110, 110), 0.55)
        canvas.shade(cloth * np.clip(((x - MIDDLE) * side - 250) / 240, 0, 1), (0.45, 0.50, 0.54))
        lapel = [
            (MIDDLE + side * 110, 800),
            (MIDDLE + side * 152, 838),
            (MIDDLE + side * 172, 930),
            (MIDDLE + side * 118, 972),
            (MIDDLE + side * 56, 1100),
            (MIDDLE + side * 92, 960),
            (MIDDLE + side * 122, 880),
        ]
        collar = filled(curve(lapel, closed=True, steps=10), 0.8)
        canvas.shade(blurred(collar, 9) * cloth, (0.62, 0.66, 0.68), 0.9)
        canvas.paint(collar, (42, 98, 99))
        canvas.light(spot((MIDDLE + side * 138 - 10, 880), 30, 60) * collar, (70, 104, 104), 0.5)


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


def eye(canvas: Canvas, side: int) -> None:
    """One eye, from the ball outwards."""

    def at(points: Sequence[tuple[float, float]]) -> Array:
        """Points given for the right half, relative to the eye's centre."""
        return curve([(MIDDLE + side * (EYE + x), EYE_LEVEL + y) for x, y in points])

    upper = [(-44, 8.5), (-34, -5.5), (-15, -18), (7, -21.0), (29, -13), (45, -1.5)]
    lower = [(45, -1.5), (31, 10.5), (10, 16.5), (-12, 16.5), (-33, 12), (-44, 8.5)]
    opening = np.concatenate([at(upper), at(lower)])
    ball = filled(opening, 0.5)
    centre = (MIDDLE + side * EYE + 0.5, EYE_LEVEL - 2.0)

    canvas.shade(
        blurred(filled(at([(-50, 10), (-34, -16), (0, -31), (34, -24), (52, -2), (34, 6), (-20, 10)])), 7),
        (0.80, 0.66, 0.62),
        0.70,
    )
    canvas.paint(ball, (238, 232, 226))
    canvas.shade(ball * np.clip(1 - spot(centre, 34, 40), 0, 1), (0.80, 0.74, 0.74), 0.9)
    iris(canvas, centre, ball)
    shadow = blurred(tapered(at([(x, y + 3) for x, y in upper]), 13, ends=(0.4, 0.4)), 2.5)
    canvas.shade(shadow * ball, (0.42, 0.34, 0.36), 0.85)
    caruncle = spot((MIDDLE + side * (EYE - 39.5), EYE_LEVEL + 7), 4, 3)
    canvas.paint(caruncle * ball, (206, 130, 118), 0.75)
    canvas.paint(tapered(at(lower), 3.0, ends=(0.6, 0.5), soft=0.7), (206, 142, 126), 0.75)
    canvas.shade(tapered(at([(x, y + 3.0) for x, y in lower[:-1]]), 3.2, soft=1.5), (0.62, 0.46, 0.44), 0.6)
    canvas.shade(tapered(at([(40, 10), (20, 22), (-8, 25), (-34, 19)]), 7, soft=4), (0.84, 0.72, 0.70), 0.6)
    canvas.light(blurred(tapered(at([(34, 20), (8, 31), (-24, 27)]), 8), 5), (255, 226, 206), 0.12)

    canvas.paint(tapered(at(upper), 5.6, ends=(0.25, 0.9), soft=0.7), (44, 26, 24), 0.92)
    fold = [(-43, -2), (-31, -18), (-9, -30.0), (14, -31.5), (36, -22.5), (52, -7)]
    canvas.shade(tapered(at(fold), 4.2, ends=(0.1, 0.3), soft=1.2), (0.50, 0.34, 0.31), 0.78)
    canvas.light(blurred(tapered(at([(-24, -14), (0, -22.5), (22, -20)]), 5), 2), (255, 222, 200), 0.14)
    lashes(canvas, at(upper), side)


def iris(canvas: Canvas, centre: tuple[float, float], ball: Array) -> None:
    """A hazel iris, its pupil and the window's reflection."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SCALE
    dx, dy = x - centre[0], y - centre[1]
    away = np.hypot(dx, dy)
    radius = 19.6
    angle = np.arctan2(dy, dx)
    fibres = 0.5 + 0.28 * np.sin(angle * 37 + 1.3 * np.sin(angle * 11)) + 0.22 * np.sin(angle * 61 + 2.0)
    disc = np.clip((radius - away) / 1.3 + 0.5, 0, 1) * ball
    deep, hazel = np.array([58.0, 38.0, 24.0]), np.array([148.0, 100.0, 52.0])
    part = np.clip(1 - away / radius, 0, 1)[..., None]
    below = np.clip(0.35 + dy / radius * 0.55, 0, 1)[..., None]  # light gathers opposite to where it enters
    colour = deep + (hazel - deep) * np.clip(0.30 + 0.55 * below + 0.35 * (fibres[..., None] - 0.5), 0, 1)
    colour = colour * (0.80 + 0.35 * np.sin(np.pi * part))
    canvas.paint(disc, colour.astype(np.float32))
    canvas.shade(disc * np.clip((away - 0.80 * radius) / (0.2 * radius), 0, 1), (0.34, 0.28, 0.26), 0.9)
    canvas.paint(np.clip((8.2 - away) / 1.4 + 0.5, 0, 1) * ball, (14, 10, 10))
    canvas.light(
        filled(
            curve(
                [
                    (centre[0] - 9.5, centre[1] - 10),
                    (centre[0] - 3.2, centre[1] - 11),
                    (centre[0] - 2.6, centre[1] - 4),
                    (centre[0] - 9, centre[1] - 3.4),
                ],
                closed=True,
            ),
            0.7,
        )
        * ball,
        (255, 255, 255),
        0.95,
    )
    canvas.light(spot((centre[0] + 7, centre[1] + 8), 3.2, 2.2) * ball, (210, 224, 236), 0.45)


def lashes(canvas: Canvas, lid: Array, side: int) -> None:
    """Lashes along the upper lid, longer outwards."""
    random = np.random.default_rng(5 if side > 0 else 6)
    lines, colours, widths = [], [], []
    for part in np.linspace(0.45, 1.0, 17):
        root = lid[int(part * (len(lid) - 1))]
        long = 1.5 + 8.5 * part + random.uniform(-1.5, 1.5)
        lean = side * (0.15 + 1.0 * (part - 0.25)) + random.uniform(-0.1, 0.1)
        tip = root + long * np.array([lean, -0.86 + 0.25 * part])
        bend = (root + tip) / 2 + np.array([side * 1.2, 1.6])
        lines.append(curve([tuple(root), tuple(bend), tuple(tip)], steps=8))
        colours.append((74.0, 48.0, 42.0))
        widths.append(0.5)
    canvas.hairs(lines, colours, widths)


def brow(canvas: Canvas, side: int) -> None:
    """A brow of single hairs over a soft ground."""
    random = np.random.default_rng(8)
    spine = curve([(MIDDLE + side * x, y) for x, y in [(42, 405), (68, 396), (98, 389), (124, 391), (147, 404)]])
    canvas.shade(tapered(spine, 12, ends=(0.55, 0.0), soft=3.0), (0.44, 0.34, 0.30), 0.66)
    lines, colours, widths = [], [], []
    along = np.gradient(spine, axis=0)
    along /= np.hypot(*along.T)[:, None]
    for _ in range(190):
        part = random.uniform(0, 0.97)
        index = int(part * (len(spine) - 1))
        thick = 5.6 * (0.75 + 0.45 * np.sin(np.pi * min(part * 1.25, 1))) * (1 - 0.72 * part**2.2)
        offset = random.uniform(-1, 1)
        root = spine[index] + np.array([0, offset * thick])
        steep = (1.15 - 1.0 * part) if offset > -0.2 else 0.45 - 0.5 * part
        way = along[index] + np.array([0, -steep * 0.8 + random.uniform(-0.12, 0.12)])
        way /= np.hypot(*way)
        long = random.uniform(8, 12) * (1 - 0.35 * part)
        lines.append(
            curve([tuple(root), tuple(root + way * long * 0.5), tuple(root + way * long + along[index] * 2)], steps=6)
        )
        shade = random.uniform(0.8, 1.25)
        colours.append((92 * shade, 60 * shade, 44 * shade))
        widths.append(0.5)
    canvas.hairs(lines, colours, widths)


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


def lock(
    guides: Sequence[Sequence[tuple[float, float]]], count: int, seed: int, *, wild: float = 3.0
) -> tuple[list[Array], list[Colour], list[float]]:
    """Hairs that run between guide curves, dark first, light last."""
    random = np.random.default_rng(seed)
    rails = np.stack([_even(curve(guide), 26) for guide in guides])
    lines, colours, widths = [], [], []
    for number in range(count):
        place = random.uniform(0, len(rails) - 1)
        index = min(int(place), len(rails) - 2)
        line = rails[index] + (place - index) * (rails[index + 1] - rails[index])
        drift = random.normal(0, wild, 2)
        t = np.linspace(0, 1, len(line))[:, None]
        line = (
            line
            + drift * (0.25 + t)
            + random.normal(0, 1.0) * np.sin(np.pi * t * random.uniform(1, 2.5)) * np.array([1.6, 0.5])
        )
        begin, end = random.uniform(0, 0.25), random.uniform(0.75, 1.0)
        part = line[int(begin * 25) : int(end * 25) + 1]
        level = number / count
        tone = random.uniform(0, 1) * (0.25 + 0.75 * level)
        colour = np.array(HAIR_DARK) + (np.array(HAIR_LIGHT) - np.array(HAIR_DARK)) * tone**1.9
        lines.append(part)
        colours.append(tuple(colour.tolist()))
        widths.append(random.choice([0.5, 0.5, 1.0, 1.5 * (1 - level) + 0.5]))
    return lines, colours, widths


def hair_behind(canvas: Canvas) -> None:
    """What falls behind the face and the neck."""
    half = [
        (512, 122),
        (590, 130),
        (664, 168),
        (716, 250),
        (738, 360),
        (746, 480),
        (752, 600),
        (756, 700),
        (740, 790),
        (690, 838),
        (630, 842),
        (596, 800),
        (580, 700),
        (512, 690),
    ]
    mass = filled(curve(mirrored(half, MIDDLE), closed=True), 1.6)
    canvas.shade(blurred(mass, 18), (0.66, 0.68, 0.72), 0.8)
    canvas.paint(mass, HAIR_DARK)
    for side in (-1, 1):
        guides = [
            [
                (MIDDLE + side * (x0), 200.0),
                (MIDDLE + side * x1, 420.0),
                (MIDDLE + side * x2, 640.0),
                (MIDDLE + side * x3, 770.0),
                (MIDDLE + side * x4, 838.0),
            ]
            for x0, x1, x2, x3, x4 in (
                (80, 150, 78, 84, 122),
                (120, 185, 150, 150, 150),
                (160, 208, 205, 200, 172),
                (180, 232, 240, 232, 184),
            )
        ]
        strands(canvas, mass, lock(guides, 1500, 20 + side, wild=3.0))


def strands(canvas: Canvas, mass: Array, hairs: tuple[list[Array], list[Colour], list[float]]) -> None:
    """Hairs inside a mass of hair, a little out of focus where they are many."""
    before = canvas.pixels.copy()
    canvas.hairs(*hairs)
    soft = np.asarray(cv2.GaussianBlur(canvas.pixels, (0, 0), 1.5))
    canvas.pixels = 0.45 * canvas.pixels + 0.55 * soft
    inside = np.clip(blurred(mass, 1.5) * 1.25, 0, 1)[..., None]
    canvas.pixels = before + (canvas.pixels - before) * np.maximum(
        inside, 0.35 * (np.abs(canvas.pixels - before).max(-1, keepdims=True) > 12)
    )


def hair_before(canvas: Canvas) -> None:
    """A side parting: the hair sweeps from it over the forehead and down both sides."""
    outline = [
        (574, 200),
        (548, 228),
        (500, 262),
        (440, 300),
        (390, 346),
        (356, 414),
        (344, 500),
        (338, 590),
        (334, 690),
        (322, 790),
        (306, 800),
        (276, 760),
        (270, 660),
        (276, 540),
        (280, 430),
        (290, 330),
        (318, 236),
        (372, 166),
        (450, 128),
        (530, 116),
        (610, 128),
        (676, 170),
        (720, 240),
        (738, 340),
        (746, 450),
        (752, 560),
        (756, 680),
        (748, 760),
        (718, 800),
        (702, 790),
        (692, 690),
        (690, 590),
        (688, 500),
        (680, 412),
        (656, 320),
        (616, 248),
    ]
    crown = filled(curve(outline, closed=True), 1.2)
    face_shadow = blurred(crown, 11)
    face = filled(curve(mirrored(FACE, MIDDLE), closed=True))
    canvas.shade(face_shadow * (1 - crown) * face, (0.58, 0.42, 0.38), 0.80)
    canvas.paint(crown, HAIR_DARK)
    left = [
        [(576, 198), (546, 230), (438, 302), (374, 372), (350, 480), (340, 620), (334, 760), (322, 800)],
        [(576, 184), (510, 214), (412, 268), (346, 358), (324, 480), (312, 630), (312, 760), (316, 806)],
        [(575, 166), (490, 182), (384, 234), (318, 344), (300, 480), (290, 640), (296, 760), (310, 800)],
        [(572, 146), (476, 150), (364, 196), (302, 324), (288, 470), (280, 640), (284, 750), (302, 796)],
        [(566, 122), (466, 128), (354, 178), (294, 310), (282, 460), (274, 630), (278, 740), (296, 790)],
    ]
    right = [
        [(576, 198), (616, 244), (658, 316), (684, 410), (692, 510), (696, 640), (700, 760), (708, 796)],
        [(577, 184), (636, 222), (686, 294), (708, 404), (714, 520), (720, 650), (722, 760), (716, 804)],
        [(578, 166), (650, 190), (708, 274), (728, 394), (734, 520), (740, 650), (740, 750), (724, 800)],
        [(578, 146), (656, 164), (718, 248), (738, 384), (746, 520), (750, 650), (748, 740), (730, 796)],
        [(574, 122), (640, 138), (708, 208), (738, 340), (750, 520), (754, 650), (752, 740), (736, 790)],
    ]
    strands(canvas, crown, lock(left, 3600, 31, wild=2.0))
    strands(canvas, crown, lock(right, 2800, 32, wild=2.0))
    gloss(canvas, crown)
    for guides, seed in ((left, 33), (right, 34)):  # hairs over the gloss, so that it lies in the hair, not on it
        lines, colours, widths = lock(guides, 520, seed, wild=2.6)
        strands(canvas, crown, (lines, [(0.85 * r, 0.85 * g, 0.85 * b) for r, g, b in colours], [0.5] * len(widths)))
    part = curve([(575, 196), (577, 170), (576, 146), (572, 124)])
    canvas.paint(tapered(part, 3.4, ends=(1.0, 0.1), soft=1.2), (150, 104, 84), 0.55)


def gloss(canvas: Canvas, crown: Array) -> None:
    """The light's band around the head."""
    for centre, wide, tall, angle, strength in (
        ((410, 226), 84, 20, -38, 0.46),
        ((318, 400), 16, 90, 8, 0.28),
        ((664, 228), 46, 16, 46, 0.34),
        ((726, 420), 12, 90, -4, 0.14),
        ((300, 620), 12, 80, 2, 0.12),
    ):
        canvas.light(blurred(spot(centre, wide, tall, angle) * crown, 2), (255, 206, 166), strength)


def finish(canvas: Canvas) -> None:
    """Light from the side on hair and shoulder, a little grain."""
    random = np.random.default_rng(3)
    canvas.light(spot((250, 420), 170, 360), (255, 236, 214), 0.05)
    grain = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), 1.4)
    canvas.pixels += (grain / grain.std() * 1.7)[..., None]


def paint() -> Array:
    """The portrait, RGB, [1024, 1024, 3]."""
    canvas = Canvas()
    background(canvas)
    hair_behind(canvas)
    shoulders(canvas)
    skin(canvas)
    nose(canvas)
    mouth(canvas)
    for side in (-1, 1):
        eye(canvas, side)
        brow(canvas, side)
    hair_before(canvas)
    finish(canvas)
    return canvas.picture()


def main() -> None:
    """Paint and save."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO_PORTRAIT
    Image.fromarray(paint()).save(out, quality=94, method=6) if out.suffix == ".webp" else Image.fromarray(
        paint()
    ).save(out)


def _even(line: Array, count: int) -> Array:
    """The same curve with `count` points equally far apart."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])], 1)


if __name__ == "__main__":
    main()
