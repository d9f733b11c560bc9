"""Is the mouth of a portrait covered? Evidence from colour and from how sure the mesh is of the lips.

The mesh network draws a mouth whatever it sees, so three things are asked: does the skin around the mouth look like the
skin of the cheeks (a mask does not), do the lips differ from the skin around them (a hand has none), and do the lips
come out at the same place when the network looks again at a slightly larger, slightly turned picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from media.avatar import topology as topo
from media.avatar.landmarks import Face, FaceLandmarker, Picture

_MOST_CHROMA = 24.0
_LEAST_LIPS = 1.6
_MOST_WANDER = 0.0035


@dataclass(frozen=True, slots=True)
class MouthEvidence:
    """`chroma`: distance in Lab's a, b of the skin around the mouth to the cheeks'. `lips`: the lips' difference
    from the skin around them, in Lab. `wander`: how far the lips' landmarks move between looks, over the face's height,
    less what the eyes' do."""

    chroma: float
    lips: float
    wander: float


def mouth_cover(picture: Picture, face: Face, landmarker: FaceLandmarker) -> str | None:
    """What makes the mouth look covered, None where nothing does."""
    evidence = mouth_evidence(picture, face, landmarker)
    if evidence.chroma > _MOST_CHROMA:
        return "the lower face has another colour than the cheeks"
    if evidence.lips < _LEAST_LIPS:
        return "no lips can be told from the skin"
    if evidence.wander > _MOST_WANDER:
        return "the lips cannot be found for certain"
    return None


def mouth_evidence(picture: Picture, face: Face, landmarker: FaceLandmarker) -> MouthEvidence:
    """Measure the three signs."""
    points = face.landmarks[:, :2]
    lab = cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    radius = max(1.0, 0.015 * face.height)
    lab = cv2.GaussianBlur(lab, (0, 0), radius)

    def at(where: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        x = np.clip(np.rint(points[list(where), 0]).astype(int), 0, picture.shape[1] - 1)
        y = np.clip(np.rint(points[list(where), 1]).astype(int), 0, picture.shape[0] - 1)
        return np.asarray(lab[y, x], np.float32)

    upper, around = np.median(at(topo.UPPER_CHEEKS), 0), np.median(at(topo.AROUND_MOUTH), 0)
    chroma = float(np.hypot(*(upper[1:] - around[1:])))
    lip = (topo.LOWER_OUTER_LIP[3:8], topo.LOWER_INNER_LIP[3:8], topo.UPPER_OUTER_LIP[3:8], topo.UPPER_INNER_LIP[3:8])
    inside = np.concatenate([(at(lip[0]) + at(lip[1])) / 2, (at(lip[2]) + at(lip[3])) / 2, at(lip[1])])
    lips = float(np.median(np.linalg.norm(inside - around, axis=1)))
    return MouthEvidence(chroma, lips, _wander(picture, face, landmarker))


def _wander(picture: Picture, face: Face, landmarker: FaceLandmarker) -> float:
    looks = [
        mesh[:, :2]
        for grow, turn in ((1.0, 0.0), (1.12, 0.06), (0.92, -0.06), (1.05, -0.12), (1.0, 0.12))
        if (mesh := landmarker.mesh_at(picture, face, grow=grow, turn=turn)) is not None
    ]
    if len(looks) < 3:
        return 1.0
    spread = np.linalg.norm(np.std(np.stack(looks), axis=0), axis=1) / face.height
    mouth = spread[list({*topo.UPPER_INNER_LIP, *topo.LOWER_INNER_LIP, *topo.UPPER_OUTER_LIP, *topo.LOWER_OUTER_LIP})]
    eyes = spread[list({*topo.EYES[0].upper, *topo.EYES[1].upper})]
    return float(max(0.0, mouth.mean() - eyes.mean()))
