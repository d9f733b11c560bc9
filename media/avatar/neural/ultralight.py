"""Ultralight Digital Human: a 160×160 face and 0.64 s of speech features to a face, one network trained per person.

The folder holds `face.onnx` and the speech encoder it was trained with, `audio.onnx` (HuBERT or WeNet), which maps
[1, samples] at 16 kHz to features; how many it must give is read from the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.errors import NetworkInvalid
from media.avatar.landmarks import Picture
from media.avatar.neural.adapter import PROVIDERS, Array, FaceSquare, Network, PreparedFace
from media.avatar.pack import AvatarPack
from media.avatar.renderer import Hearing

SIZE = 160
BORDER = 4
SOUND = 0.64

_MASK = (5, 5, 150, 145)  # left, top, width, height of what is hidden from the network


class Ultralight:
    """`LipSyncAdapter` for a folder with `face.onnx` and `audio.onnx`."""

    def __init__(self, folder: Path, *, providers: Sequence[str] = PROVIDERS) -> None:
        self._network = Network(folder / "face.onnx", providers)
        self._encoder = Network(folder / "audio.onnx", providers)
        self._face = self._network.input_like(None, 6, SIZE, SIZE)
        (self._audio,) = [name for name in self._network.inputs if name != self._face] or [""]
        shape = self._network.inputs.get(self._audio, ())[1:]
        if len(shape) != 3 or None in shape:
            raise NetworkInvalid(f"{folder / 'face.onnx'}: its audio input is {shape}; three fixed axes are needed")
        self._shape = tuple(int(axis or 0) for axis in shape)
        self._network.need_output(None, 3, SIZE, SIZE)
        self._sound = self._encoder.input_like(None, None)
        self.audio_windows([np.zeros(int(SOUND * SPEECH_RATE), np.float32)])  # the two must fit, and are asked at once

    @property
    def name(self) -> str:
        """The name in settings."""
        return "ultralight"

    @property
    def hears(self) -> Hearing:
        """Eight frames before and eight after."""
        return Hearing(before=SOUND / 2, after=SOUND / 2)

    def prepare(self, pack: AvatarPack) -> PreparedFace:
        """See `LipSyncAdapter.prepare`."""
        square = FaceSquare.of(pack)
        whole = square.picture(SIZE + 2 * BORDER)[..., ::-1]
        inner = np.ascontiguousarray(whole[BORDER:-BORDER, BORDER:-BORDER])
        masked = inner.copy()
        x, y, width, height = _MASK
        cv2.rectangle(masked, (x, y), (x + width, y + height), (0, 0, 0), -1)
        stacked = np.concatenate([inner, masked], -1).transpose(2, 0, 1).astype(np.float32) / 255.0
        return square.prepared(face=stacked, border=whole.astype(np.float32))

    def audio_windows(self, sounds: Sequence[Samples]) -> list[Array]:
        """See `LipSyncAdapter.audio_windows`. Raises `NetworkInvalid` where the encoder's features do not fit."""
        windows = self._encoder.run_each(self._sound, sounds)
        for features in windows:
            if features.size != math.prod(self._shape):
                raise NetworkInvalid(
                    f"{self._encoder.path} gives {features.size} values for {SOUND} s, "
                    f"the face network takes {self._shape}"
                )
        return [features.reshape(self._shape) for features in windows]

    def infer(self, batch: Sequence[tuple[PreparedFace, Array]]) -> list[Picture]:
        """See `LipSyncAdapter.infer`."""
        faces = np.stack([face.inputs["face"] for face, _ in batch])
        audio = np.stack([window for _, window in batch])
        painted = self._network.run(**{self._face: faces, self._audio: audio})
        pictures = []
        for (face, _), one in zip(batch, painted, strict=True):
            whole = face.inputs["border"].copy()
            whole[BORDER:-BORDER, BORDER:-BORDER] = np.clip(one, 0, 1).transpose(1, 2, 0) * 255
            pictures.append(np.rint(whole[..., ::-1]).astype(np.uint8))
        return pictures
