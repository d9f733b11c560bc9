"""The demo portrait's hair, strand by strand."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from media.avatar.assets.brush import Array, Canvas, Colour, blurred, curve, filled, mirrored, spot, tapered
from media.avatar.assets.palette import FACE, HAIR_DARK, HAIR_LIGHT, MIDDLE


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


def _even(line: Array, count: int) -> Array:
    """The same curve with `count` points equally far apart."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])], 1)
