"""Paint the demo agent's portrait: `python -m media.avatar.assets.paint [OUT.webp]`.

An invented face: a relief of the head lit from the upper left gives the skin its form; eyes, brows, lips and hair are
painted on it. Nobody sat for it and no picture went into it. The same seed paints the same picture.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.assets.brush import SCALE, SIDE, Array, Canvas, blurred, curve, filled, spot, tapered
from media.avatar.assets.eyes import brow, eye
from media.avatar.assets.hair import hair_before, hair_behind
from media.avatar.assets.palette import MIDDLE
from media.avatar.assets.skin import mouth, nose, skin


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


if __name__ == "__main__":
    main()
