"""Packs and speech for tests: a drawn face with made-up landmarks needs no weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from media.avatar import topology as topo
from media.avatar.pack import SIDE, AvatarPack

PORTRAITS = Path(__file__).parent / "portraits"

_CENTRE = (256.0, 240.0)


def drawn_pack(*, parted: float = 0.0, name: str = "drawn") -> AvatarPack:
    """A face of ellipses, its landmarks placed by construction; `parted`: the gap of the lips in pixels."""
    landmarks = np.zeros((topo.LANDMARKS, 3), np.float32)
    generator = np.random.default_rng(0)
    angle = generator.uniform(0, 2 * np.pi, topo.LANDMARKS)
    away = np.sqrt(generator.uniform(0, 1, topo.LANDMARKS))
    landmarks[:, 0] = _CENTRE[0] + 85 * away * np.cos(angle)
    landmarks[:, 1] = _CENTRE[1] + 115 * away * np.sin(angle)
    landmarks[:, 2] = -60 * (1 - away**2)
    for number, index in enumerate(topo.OVAL):
        turn = 2 * np.pi * number / len(topo.OVAL) - np.pi / 2
        landmarks[index] = (_CENTRE[0] + 90 * np.cos(turn), _CENTRE[1] + 120 * np.sin(turn), 0)
    for eye, x in zip(topo.EYES, (216.0, 296.0), strict=True):
        _row(landmarks, eye.upper, x, 20, 215, -8)
        _row(landmarks, eye.lower, x, 20, 215, 8)
        _row(landmarks, eye.crease, x, 22, 206, -8)
        _row(landmarks, eye.brow, x, 24, 192, -4)
        landmarks[list(eye.iris), :2] = [(x, 215), (x + 7, 215), (x, 208), (x - 7, 215), (x, 222)]
    _row(landmarks, topo.UPPER_INNER_LIP, 256, 34, 300, -parted / 2)
    _row(landmarks, topo.LOWER_INNER_LIP, 256, 34, 300, parted / 2)
    _row(landmarks, topo.UPPER_OUTER_LIP, 256, 36, 300, -9 - parted / 2)
    _row(landmarks, topo.LOWER_OUTER_LIP, 256, 36, 300, 11 + parted / 2)
    return AvatarPack(name, _picture(landmarks), landmarks, 240.0, ())


def _row(
    landmarks: npt.NDArray[np.float32], where: tuple[int, ...], x: float, half: float, y: float, bulge: float
) -> None:
    for index, part in zip(where, np.linspace(-1, 1, len(where)), strict=True):
        landmarks[index] = (x + half * part, y + bulge * (1 - part * part), -30)


def _picture(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    picture = np.dstack([120 + columns // 8, 140 + rows // 8, np.full((SIDE, SIDE), 180)]).astype(np.uint8)
    cv2.rectangle(picture, (150, 340), (362, 512), (40, 60, 90), -1)

    def shape(where: tuple[int, ...], colour: tuple[int, int, int]) -> None:
        cv2.fillPoly(picture, [np.rint(landmarks[list(where), :2]).astype(np.int32)], colour, cv2.LINE_AA)

    shape(topo.OVAL, (214, 164, 138))
    for eye in topo.EYES:
        shape((*eye.upper, *eye.lower[::-1]), (235, 232, 228))
        centre = np.rint(landmarks[eye.iris[0], :2]).astype(int)
        cv2.circle(picture, (int(centre[0]), int(centre[1])), 7, (70, 50, 40), -1, cv2.LINE_AA)
    shape((*topo.UPPER_OUTER_LIP, *topo.LOWER_OUTER_LIP[::-1]), (176, 88, 84))
    shape((*topo.UPPER_INNER_LIP, *topo.LOWER_INNER_LIP[::-1]), (225, 215, 200))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.uint8)
