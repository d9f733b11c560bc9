"""From a picture or a video to an avatar pack: find the face, judge whether it can speak, cut it out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from media.avatar import topology as topo
from media.avatar.cover import mouth_cover
from media.avatar.errors import PortraitRefused, Refusal
from media.avatar.landmarks import Face, FaceLandmarker, Picture, Points
from media.avatar.pack import SIDE, AvatarPack
from media.avatar.portrait import decode_picture, is_video, video_frames

ENROLMENT = 2
"""Raised whenever the same picture would become another pack: kept packs of an earlier one are made anew."""
SMALLEST_FACE = 120.0
"""Forehead to chin in pixels; smaller faces are refused."""
SOFT_FACE = 200.0
"""Faces below this height get a warning."""

_SECOND_FACE = 0.5  # a second face this large, as a part of the first one's height, makes it unclear who is meant
_MOST_YAW, _SOME_YAW = 32.0, 18.0
_MOST_PITCH = 30.0
_SHARP, _SOFT = 0.012, 0.019
_FACE_SHARE, _HEADROOM = 0.40, 0.27  # of the crop's side: forehead to chin, and above the forehead
_CLOSE_SHARE = 0.46  # a crop close to the face, at which sharpness is judged


@dataclass(frozen=True, slots=True)
class HeadAngles:
    """Degrees the head in the portrait is turned: yaw sideways, pitch up or down, roll towards a shoulder."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Placement:
    """A pack's square in the picture it was cut from: left and top edge and side, in pixels of the picture."""

    left: float
    top: float
    side: float


def enrol(data: bytes, landmarker: FaceLandmarker, *, name: str = "avatar") -> AvatarPack:
    """Make an avatar pack of a JPEG, PNG or WebP picture, or of the best frontal frame of a video.

    Takes about 0.2 s for a picture. Raises `PortraitRefused`; what is tolerable is in the pack's warnings.
    """
    picture = best_frame(video_frames(data), landmarker) if is_video(data) else decode_picture(data)
    return enrol_picture(picture, landmarker, name=name)


def enrol_picture(picture: Picture, landmarker: FaceLandmarker, *, name: str = "avatar") -> AvatarPack:
    """`enrol` for a decoded picture (RGB)."""
    return enrol_in_place(picture, landmarker, name=name)[0]


def enrol_in_place(
    picture: Picture, landmarker: FaceLandmarker, *, name: str = "avatar"
) -> tuple[AvatarPack, Placement]:
    """`enrol_picture`, and where in the picture the pack's square lies."""
    warnings: list[str] = []
    face = _only_face(landmarker.detect(picture), warnings)
    _check_size(face, warnings)
    _check_pose(head_angles(face.landmarks), warnings)
    _check_mouth(picture, face, landmarker)
    _check_sharpness(picture, face, warnings)
    portrait, matrix = crop(picture, face.landmarks)
    placed = face.landmarks.astype(np.float64)
    placed[:, :2] = placed[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    placed[:, 2] *= matrix[0, 0]
    pack = AvatarPack(name, portrait, placed.astype(np.float32), face.height, tuple(warnings))
    scale = float(matrix[0, 0])
    left, top = ((0.5 * scale - 0.5 - matrix[axis, 2]) / scale for axis in (0, 1))
    return pack, Placement(float(left), float(top), SIDE / scale)


def head_angles(landmarks: Points) -> HeadAngles:
    """How far the head is turned, from the landmarks' depth."""
    across = landmarks[topo.CHEEK_RIGHT] - landmarks[topo.CHEEK_LEFT]
    down = landmarks[topo.CHIN] - landmarks[topo.FOREHEAD]
    return HeadAngles(
        yaw=math.degrees(math.atan2(across[2], math.hypot(across[0], across[1]))),
        pitch=math.degrees(math.atan2(down[2], math.hypot(down[0], down[1]))),
        roll=math.degrees(math.atan2(across[1], across[0])),
    )


def crop(
    picture: Picture, landmarks: Points, face_share: float = _FACE_SHARE
) -> tuple[Picture, npt.NDArray[np.float64]]:
    """The 512×512 square with head and shoulders, and the 2×3 matrix from the picture's pixels to its own."""
    height, width = picture.shape[:2]
    forehead, chin = landmarks[topo.FOREHEAD, :2], landmarks[topo.CHIN, :2]
    side = min(float(np.hypot(*(chin - forehead))) / face_share, float(min(height, width)))
    centre = float(landmarks[list(topo.OVAL), 0].mean())
    left = float(np.clip(centre - side / 2, 0, width - side))
    top = float(np.clip(forehead[1] - _HEADROOM * side, 0, height - side))
    scale = SIDE / side
    # pixel centres lie at whole numbers: half a pixel each way
    matrix = np.array([[scale, 0, (0.5 - left) * scale - 0.5], [0, scale, (0.5 - top) * scale - 0.5]], np.float64)
    cut = resampled(picture, matrix, SIDE, SIDE)
    if scale > 1.15:  # an enlarged picture is soft; sharpen it as far as that shows no halos
        cut = np.asarray(cv2.addWeighted(cut, 1.4, cv2.GaussianBlur(cut, (0, 0), 1.5), -0.4, 0), np.uint8)
    return cut, matrix


def resampled(picture: Picture, matrix: npt.NDArray[np.float64], width: int, height: int) -> Picture:
    """The picture under a 2×3 matrix that scales and shifts it, `width` by `height`; its border goes on beyond it."""
    scale = float(matrix[0, 0])
    if scale < 1:  # average first: no kernel of warpAffine's does when reducing
        picture = cv2.GaussianBlur(picture, (0, 0), 0.35 / scale).astype(np.uint8)
    way = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_LINEAR
    warped = cv2.warpAffine(picture, matrix, (width, height), flags=way, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def sharpness(picture: Picture, landmarks: Points) -> float:
    """Detail at the eyes and mouth: strength of the finest edges over that of the coarse ones, at one face size."""
    upright, matrix = crop(picture, landmarks, _CLOSE_SHARE)
    grey = cv2.cvtColor(upright, cv2.COLOR_RGB2GRAY).astype(np.float32)
    points = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    x0, y0 = np.clip(points[: topo.SKIN_LANDMARKS].min(0), 0, SIDE - 2).astype(int)
    x1, y1 = np.clip(points[: topo.SKIN_LANDMARKS].max(0), 2, SIDE).astype(int)
    part = grey[y0:y1, x0:x1]
    fine = part - cv2.GaussianBlur(part, (0, 0), 2.0)
    coarse = cv2.GaussianBlur(part, (0, 0), 2.0) - cv2.GaussianBlur(part, (0, 0), 16.0)
    return float(np.percentile(np.abs(fine), 98) / max(float(np.percentile(np.abs(coarse), 98)), 1.0) / 10.0)


def _only_face(faces: list[Face], warnings: list[str]) -> Face:
    if not faces:
        raise PortraitRefused(
            Refusal.NO_FACE,
            "No face was found. Please use a well-lit picture that shows one face from the front.",
        )
    rivals = [face for face in faces[1:] if face.height >= _SECOND_FACE * faces[0].height]
    if rivals:
        raise PortraitRefused(
            Refusal.SEVERAL_FACES,
            f"{len(rivals) + 1} faces were found. Please use a picture of one person, or cut the others away.",
        )
    if len(faces) > 1:
        warnings.append("Other, smaller faces are in the picture; only the largest one will move.")
    return faces[0]


def _check_size(face: Face, warnings: list[str]) -> None:
    if face.height < SMALLEST_FACE:
        raise PortraitRefused(
            Refusal.TOO_SMALL,
            f"The face is only {face.height:.0f} pixels high; at least {SMALLEST_FACE:.0f} are needed and 250 or more "
            "look good. Please use a closer or larger picture.",
        )
    if face.height < SOFT_FACE:
        warnings.append(
            f"The face is {face.height:.0f} pixels high: the avatar will look soft. "
            f"{SOFT_FACE:.0f} or more look better."
        )


def _check_pose(angles: HeadAngles, warnings: list[str]) -> None:
    if abs(angles.yaw) > _MOST_YAW or abs(angles.pitch) > _MOST_PITCH:
        raise PortraitRefused(
            Refusal.PROFILE, "The face is turned away. Please use a picture that looks straight into the camera."
        )
    if abs(angles.yaw) > _SOME_YAW:
        warnings.append("The face is turned a little to the side; a straight one moves more naturally.")


def _check_mouth(picture: Picture, face: Face, landmarker: FaceLandmarker) -> None:
    if (reason := mouth_cover(picture, face, landmarker)) is not None:
        raise PortraitRefused(
            Refusal.COVERED_MOUTH,
            f"The mouth seems to be covered ({reason}). Please use a picture without mask, hand or microphone before "
            "the mouth.",
        )


def _check_sharpness(picture: Picture, face: Face, warnings: list[str]) -> None:
    sharp = sharpness(picture, face.landmarks)
    if sharp < _SHARP:
        raise PortraitRefused(
            Refusal.TOO_BLURRY, "The face is blurred. Please use a sharper picture: steady camera, good light."
        )
    if sharp < _SOFT:
        warnings.append("The picture is a little blurred; a sharper one will look better.")


def best_frame(pictures: Iterable[Picture], landmarker: FaceLandmarker) -> Picture:
    """Of several frames (RGB) the one with a large, frontal, sharp face, its mouth shut and its eyes open.

    The first one where no face is found in any. Raises `PortraitRefused` where there are none.
    """
    return best_of((picture, frame_worth(picture, landmarker)) for picture in pictures)


def best_of(judged: Iterable[tuple[Picture, float | None]]) -> Picture:
    """`best_frame` of frames whose `frame_worth` is known. Raises `PortraitRefused`."""
    best: tuple[float, Picture] | None = None
    first: Picture | None = None
    for picture, worth in judged:
        first = picture if first is None else first
        if worth is not None and (best is None or worth > best[0]):
            best = worth, picture
    if best is not None:
        return best[1]
    if first is None:
        raise PortraitRefused(Refusal.UNREADABLE, "The video has no frames that can be read.")
    return first


def frame_worth(picture: Picture, landmarker: FaceLandmarker) -> float | None:
    """How well a frame would do as a portrait, more is better; None where no face is found."""
    faces = landmarker.detect(picture)
    return _worth(picture, faces[0]) if faces else None


def _worth(picture: Picture, face: Face) -> float:
    points = face.landmarks
    angles = head_angles(points)
    eyes = min(_eye_openness(points, eye) for eye in topo.EYES)
    mouth = float(np.hypot(*(points[13, :2] - points[14, :2]))) / face.height
    turned = abs(angles.yaw) + 0.7 * abs(angles.pitch) + 0.5 * abs(angles.roll)
    size = min(face.height / SOFT_FACE, 1.5)
    return size + 10 * min(sharpness(picture, points), 0.08) + 3 * min(eyes, 0.25) - 4 * mouth - turned / 20


def _eye_openness(points: Points, eye: topo.EyeTopology) -> float:
    width = float(np.hypot(*(points[eye.upper[-1], :2] - points[eye.upper[0], :2])))
    return float(points[list(eye.lower[3:6]), 1].mean() - points[list(eye.upper[3:6]), 1].mean()) / max(width, 1.0)
