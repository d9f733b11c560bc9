"""Faces and their 478 landmarks in a picture, by Google's Face Landmarker networks run on LiteRT.

The three stages are those of the published graph: BlazeFace finds faces in the whole picture, a square around each,
turned upright, goes to the mesh network, and that once more with the square taken from the first mesh.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from media.avatar.topology import EYE_OUTER_LEFT, EYE_OUTER_RIGHT, INNER_LIP_PAIRS, LANDMARKS

Picture = npt.NDArray[np.uint8]
"""RGB, shape [height, width, 3]."""
Points = npt.NDArray[np.float32]

MODEL = "face-landmarker"
MODEL_FILE = "face_landmarker.task"

_DETECTOR_SIDE = 128
_MESH_SIDE = 256
_DETECTION_SCORE = 0.5
_PRESENCE = 0.5
_OVERLAP = 0.3
_INVERSE = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in a picture.

    `landmarks`: shape [478, 3], x and y in pixels of the picture (pixel centres at whole numbers), z in the same
    unit, negative towards the camera. `presence` in [0, 1] is the mesh network's own word that this is a face.
    """

    landmarks: Points
    presence: float

    @property
    def height(self) -> float:
        """Forehead to chin, in pixels."""
        return float(np.hypot(*(self.landmarks[10, :2] - self.landmarks[152, :2])))


@dataclass(frozen=True, slots=True)
class _Square:
    """A square in the picture: centre, side, and the angle in radians that turns the face upright."""

    x: float
    y: float
    side: float
    angle: float


class FaceLandmarker:
    """Finds faces. Not safe to be called from two threads at once; loading takes about 20 ms."""

    def __init__(self, model_folder: Path, *, threads: int = 1) -> None:
        with zipfile.ZipFile(model_folder / MODEL_FILE) as bundle:
            self._detector = _Network(bundle.read("face_detector.tflite"), threads)
            self._mesh = _Network(bundle.read("face_landmarks_detector.tflite"), threads)
        self._anchors = _anchors()

    def detect(self, picture: Picture, *, most: int = 4) -> list[Face]:
        """Up to `most` faces, the largest first. Small ones are looked for only where no large one is found."""
        faces = self._faces(picture, self._find(picture)) or self._faces(picture, self._find_in_tiles(picture))
        faces.sort(key=lambda face: -face.height)
        return _distinct(faces)[:most]

    def follow(self, picture: Picture, last: Face) -> Face | None:
        """The face that was at `last` in a picture much like this one, without a search."""
        return self._refined(picture, _square_around(last.landmarks))

    def mesh_at(self, picture: Picture, face: Face, *, grow: float, turn: float) -> Points | None:
        """The landmarks again from a square `grow` times as large and turned by `turn` radians: how sure are they?"""
        square = _square_around(face.landmarks)
        again = self._measure(picture, _Square(square.x, square.y, square.side * grow, square.angle + turn))
        return None if again is None else again.landmarks

    def _faces(self, picture: Picture, squares: list[_Square]) -> list[Face]:
        return [face for square in squares if (face := self._refined(picture, square)) is not None]

    def _refined(self, picture: Picture, square: _Square) -> Face | None:
        first = self._measure(picture, square)
        return None if first is None else self._measure(picture, _square_around(first.landmarks))

    def _find(self, picture: Picture) -> list[_Square]:
        height, width = picture.shape[:2]
        side = max(height, width)
        scale = _DETECTOR_SIDE / side
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas = np.zeros((_DETECTOR_SIDE, _DETECTOR_SIDE, 3), np.float32)
        top, left = (_DETECTOR_SIDE - small.shape[0]) // 2, (_DETECTOR_SIDE - small.shape[1]) // 2
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
        boxes, scores = self._detector(canvas / 127.5 - 1.0, "regressors", "classificators")
        detections = _decode(boxes[0], scores[0, :, 0], self._anchors)
        return [_square_of_detection(d * side - [(left / scale), (top / scale)]) for d in detections]

    def _find_in_tiles(self, picture: Picture) -> list[_Square]:
        """A second look, at overlapping parts of the picture: the detector wants faces of a tenth of what it sees."""
        height, width = picture.shape[:2]
        side = max(min(height, width) // 2, 1)
        found = []
        for y in _starts(height, side):
            for x in _starts(width, side):
                for s in self._find(np.ascontiguousarray(picture[y : y + side, x : x + side])):
                    found.append(_Square(s.x + x, s.y + y, s.side, s.angle))
        return found

    def _measure(self, picture: Picture, square: _Square) -> Face | None:
        scale = square.side / _MESH_SIDE
        cos, sin = math.cos(square.angle) * scale, math.sin(square.angle) * scale
        half = (_MESH_SIDE - 1) / 2
        # from the network's picture to ours
        shift_x, shift_y = square.x - (cos - sin) * half, square.y - (sin + cos) * half
        matrix = np.array([[cos, -sin, shift_x], [sin, cos, shift_y]], np.float64)
        smooth = picture if scale < 2 else cv2.GaussianBlur(picture, (0, 0), scale * 0.4)
        upright = cv2.warpAffine(smooth, matrix, (_MESH_SIDE, _MESH_SIDE), flags=_INVERSE)
        mesh, presence = self._mesh(upright.astype(np.float32) / 255.0, "Identity", "Identity_1")
        certainty = 1.0 / (1.0 + math.exp(-float(np.clip(presence.reshape(-1)[0], -60, 60))))
        if certainty < _PRESENCE:
            return None
        points = mesh.reshape(LANDMARKS, 3).astype(np.float64)
        out = np.empty((LANDMARKS, 3), np.float32)
        out[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        out[:, 2] = points[:, 2] * scale
        return Face(out, certainty)


class _Network:
    """A tflite network with one input."""

    def __init__(self, model: bytes, threads: int) -> None:
        self._interpreter: Any = Interpreter(model_content=model, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {detail["name"]: detail["index"] for detail in self._interpreter.get_output_details()}

    def __call__(self, picture: npt.NDArray[np.float32], *outputs: str) -> list[npt.NDArray[np.float32]]:
        self._interpreter.set_tensor(self._input, picture.astype(np.float32)[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(self._outputs[name]) for name in outputs]


def lip_gap(landmarks: Points) -> float:
    """How far the lips are open: the mean inner gap of five places, over the distance of the outer eye corners."""
    gaps = [np.hypot(*(landmarks[a, :2] - landmarks[b, :2])) for a, b in INNER_LIP_PAIRS]
    return float(np.mean(gaps) / np.hypot(*(landmarks[EYE_OUTER_RIGHT, :2] - landmarks[EYE_OUTER_LEFT, :2])))


def _anchors() -> Points:
    """Centres of the detector's 896 anchors, in [0, 1]: two a cell of a 16×16 grid, then six a cell of an 8×8 one."""
    grids = []
    for cells, each in ((16, 2), (8, 6)):
        y, x = np.mgrid[0:cells, 0:cells]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(centres, each, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _decode(boxes: Points, scores: Points, anchors: Points) -> list[npt.NDArray[np.float64]]:
    """Detections as arrays [8, 2] in units of the detector's side: two box corners, then six key points."""
    certain = 1.0 / (1.0 + np.exp(-np.clip(scores, -60, 60)))
    keep = np.flatnonzero(certain >= _DETECTION_SCORE)
    raw = boxes[keep].astype(np.float64) / _DETECTOR_SIDE
    centre = raw[:, :2] + anchors[keep]
    half = raw[:, 2:4] / 2
    points = raw[:, 4:].reshape(-1, 6, 2) + anchors[keep][:, None]
    decoded = np.concatenate([(centre - half)[:, None], (centre + half)[:, None], points], 1)
    order = list(np.argsort(-certain[keep]))
    out = []
    while order:
        best = decoded[order[0]]
        same = [i for i in order if _overlap(best, decoded[i]) > _OVERLAP]
        out.append(np.average(decoded[same], axis=0, weights=certain[keep][same]))
        order = [i for i in order if i not in same]
    return out


def _overlap(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Intersection over union of two boxes given by their corners in rows 0 and 1."""
    size = np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None)
    shared = float(size.prod())
    union = float((a[1] - a[0]).prod() + (b[1] - b[0]).prod()) - shared
    return shared / union if union > 0 else 1.0


def _square_of_detection(detection: npt.NDArray[np.float64]) -> _Square:
    (x0, y0), (x1, y1), eye, other = detection[0], detection[1], detection[2], detection[3]
    angle = math.atan2(other[1] - eye[1], other[0] - eye[0])
    return _Square((x0 + x1) / 2, (y0 + y1) / 2, 1.5 * max(x1 - x0, y1 - y0), angle)


def _square_around(landmarks: Points) -> _Square:
    x0, y0 = landmarks[:, :2].min(0)
    x1, y1 = landmarks[:, :2].max(0)
    eye, other = landmarks[EYE_OUTER_LEFT], landmarks[EYE_OUTER_RIGHT]
    angle = math.atan2(other[1] - eye[1], other[0] - eye[0])
    return _Square(float(x0 + x1) / 2, float(y0 + y1) / 2, 1.5 * float(max(x1 - x0, y1 - y0)), angle)


def _distinct(faces: list[Face]) -> list[Face]:
    kept: list[Face] = []
    for face in faces:
        box = np.stack([face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)]).astype(np.float64)
        others = (np.stack([o.landmarks[:, :2].min(0), o.landmarks[:, :2].max(0)]).astype(np.float64) for o in kept)
        if all(_overlap(box, other) <= _OVERLAP for other in others):
            kept.append(face)
    return kept


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = max(2, math.ceil((length - side) / (side / 2)) + 1)
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
