"""The demo portrait's eyes and brows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media.avatar.assets.brush import SCALE, SIDE, Array, Canvas, blurred, curve, filled, spot, tapered
from media.avatar.assets.palette import EYE, EYE_LEVEL, MIDDLE


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
