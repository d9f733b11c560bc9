"""What a lip-sync network must be able to do, and what its adapters share: files with checked shapes, squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media.audio.frames import Samples
from media.avatar import topology as topo
from media.avatar.errors import NetworkInvalid
from media.avatar.landmarks import Picture
from media.avatar.pack import SIDE, AvatarPack
from media.avatar.renderer import Hearing
from media.cuda import CPU, CUDA, usable

Array = npt.NDArray[np.float32]

PROVIDERS = (CUDA, CPU)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFace:
    """A portrait as a network sees it: the square it repaints, its fixed inputs, and how its picture is laid back.

    `left`, `top`, `side`: the square in the portrait, pixels. `inputs`: arrays without the batch axis, by the
    adapter's own names. `feather`: [side, side, 1], how much of the network's picture shows.
    """

    left: int
    top: int
    side: int
    inputs: Mapping[str, Array]
    feather: Array


class LipSyncAdapter(Protocol):
    """One network. Not safe to be called from two threads at once: one worker owns it."""

    @property
    def name(self) -> str:
        """The kind of network, as settings name it."""
        ...

    @property
    def hears(self) -> Hearing:
        """Seconds of sound before and after a frame's middle that it wants."""
        ...

    def prepare(self, pack: AvatarPack) -> PreparedFace:
        """What can be computed of a portrait once."""
        ...

    def audio_windows(self, sounds: Sequence[Samples]) -> list[Array]:
        """The network's views of the sound around several frames (16 kHz, as long as `hears` says), without batch axis.

        Networks that encode the sound do so for all of them at once.
        """
        ...

    def infer(self, batch: Sequence[tuple[PreparedFace, Array]]) -> list[Picture]:
        """The repainted squares of several frames, RGB, at the network's own size."""
        ...


class Network:
    """An ONNX file with named inputs whose shapes are known to the axis; a free axis is None."""

    def __init__(self, path: Path, providers: Sequence[str] = PROVIDERS) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session: Any = ort.InferenceSession(str(path), options, providers=usable(providers))
        except Exception as error:  # onnxruntime raises a class of its own for each kind of bad file
            raise NetworkInvalid(f"{path} cannot be loaded: {error}") from error
        self.path = path
        self.inputs = {value.name: _axes(value.shape) for value in self._session.get_inputs()}
        self.outputs = {value.name: _axes(value.shape) for value in self._session.get_outputs()}
        self._types = {value.name: value.type for value in self._session.get_inputs()}

    @property
    def provider(self) -> str:
        """Where it runs."""
        return str(self._session.get_providers()[0])

    def run(self, **inputs: npt.NDArray[Any]) -> Array:
        """Its first output as float32."""
        given = {name: value.astype(_NUMPY.get(self._types[name], np.float32)) for name, value in inputs.items()}
        return np.asarray(self._session.run(None, given)[0], np.float32)

    def run_each(self, name: str, items: Sequence[Array]) -> list[Array]:
        """Its output for each item without batch axis: in one run where the batch axis is free, else one by one."""
        if self.inputs[name][0] is None:
            return list(self.run(**{name: np.stack(items)})) if items else []
        return [self.run(**{name: item[None]})[0] for item in items]

    def input_like(self, *shape: int | None) -> str:
        """The name of the one input with this shape, None matching any size.

        Raises `NetworkInvalid`, naming what the file has instead.
        """
        found = [name for name, axes in self.inputs.items() if _fits(axes, shape)]
        if len(found) != 1:
            wanted = " × ".join("any" if axis is None else str(axis) for axis in shape)
            raise NetworkInvalid(f"{self.path}: one input of shape {wanted} is needed, it has {self.inputs}")
        return str(found[0])

    def need_output(self, *shape: int | None) -> None:
        """Raise `NetworkInvalid` unless the first output has this shape."""
        axes = next(iter(self.outputs.values()))
        if not _fits(axes, shape):
            raise NetworkInvalid(f"{self.path}: its output is {axes}, {shape} is needed")


@dataclass(frozen=True, slots=True, eq=False)
class FaceSquare:
    """The square of a portrait that a network sees: from above the brows to the chin."""

    pack: AvatarPack
    left: int
    top: int
    side: int

    @classmethod
    def of(cls, pack: AvatarPack, *, below: float = 0.04) -> FaceSquare:
        """As these networks were trained: `below` of its side reaches further down than the chin."""
        skin = pack.landmarks[: topo.SKIN_LANDMARKS, :2]
        low, high = skin.min(0), skin.max(0)
        brow = float(pack.landmarks[[*topo.EYES[0].brow, *topo.EYES[1].brow], 1].min())
        nose = float(pack.landmarks[topo.NOSE_TIP, 1])
        top = max(0.0, min(brow - 0.1 * (nose - brow), 2 * nose - float(high[1])))  # the nose's tip in the middle
        side = min(max((float(high[1]) - top) * (1 + below), float(high[0] - low[0])), float(SIDE))
        middle = float(low[0] + high[0]) / 2
        left = int(np.clip(round(middle - side / 2), 0, SIDE - int(side)))
        return cls(pack, left, int(np.clip(round(top), 0, SIDE - int(side))), int(side))

    def picture(self, size: int) -> Picture:
        """The square at a network's size, RGB."""
        way = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
        cut = self.pack.portrait[self.top : self.top + self.side, self.left : self.left + self.side]
        return np.asarray(cv2.resize(cut, (size, size), interpolation=way), np.uint8)

    def prepared(self, **inputs: Array) -> PreparedFace:
        """With the network's fixed inputs."""
        return PreparedFace(self.left, self.top, self.side, inputs, mouth_feather(self))


def mouth_feather(square: FaceSquare) -> Array:
    """1 around the mouth and on the chin, fading out before the square's edges and below the nose."""
    side = square.side
    points = square.pack.landmarks[:, :2] - (square.left, square.top)
    mouth = points[[topo.MOUTH_LEFT, topo.MOUTH_RIGHT]]
    centre, half = mouth.mean(0), float(np.hypot(*(mouth[1] - mouth[0]))) / 2
    chin = float(points[topo.CHIN, 1])
    mask = np.zeros((side, side), np.float32)
    middle = (int(centre[0]), int((centre[1] - 0.55 * half + min(chin, side)) / 2))
    axes = (int(1.9 * half), max(2, int((min(chin, side) - centre[1] + 0.55 * half) / 2)))
    cv2.ellipse(mask, middle, axes, 0, 0, 360, 1.0, -1)
    ramp = np.minimum(np.arange(side), np.arange(side)[::-1])
    edge = np.minimum(ramp[:, None], ramp[None, :])
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.16 * half)))
    return np.asarray(soft * np.clip(edge / (0.03 * side), 0, 1), np.float32)[..., None]


def laid_back(pack: AvatarPack, face: PreparedFace, painted: Picture) -> npt.NDArray[np.uint8]:
    """The portrait as RGBA with the painted square feathered in."""
    way = cv2.INTER_AREA if painted.shape[0] > face.side else cv2.INTER_CUBIC
    new = cv2.resize(np.ascontiguousarray(painted), (face.side, face.side), interpolation=way).astype(np.float32)
    layer = np.dstack([pack.portrait, np.full((SIDE, SIDE), 255, np.uint8)])
    place = layer[face.top : face.top + face.side, face.left : face.left + face.side, :3]
    place[:] = np.clip(place + (new - place) * face.feather, 0, 255).astype(np.uint8)
    return layer


_NUMPY = {"tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(int32)": np.int32}


def _axes(shape: Sequence[object]) -> tuple[int | None, ...]:
    return tuple(axis if isinstance(axis, int) else None for axis in shape)


def _fits(axes: Sequence[int | None], wanted: Sequence[int | None]) -> bool:
    return len(axes) == len(wanted) and all(a is None or b is None or a == b for a, b in zip(axes, wanted, strict=True))
