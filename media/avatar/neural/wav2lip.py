"""Wav2Lip (Prajwal et al., 2020) and its larger variants: a masked face and 0.2 s of sound to a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.errors import NetworkInvalid
from media.avatar.landmarks import Picture
from media.avatar.neural.adapter import PROVIDERS, Array, FaceSquare, Network, PreparedFace
from media.avatar.neural.mel import BANDS, FFT, HOP, wav2lip_mel
from media.avatar.pack import AvatarPack
from media.avatar.renderer import Hearing

STEPS = 16
_LEAD = 0.02  # the spectrogram begins where the frame does, half a frame before its middle


class Wav2Lip:
    """`LipSyncAdapter` for one ONNX file; 96, 256 and 384 pixel variants differ in nothing else."""

    def __init__(self, weights: Path, *, providers: Sequence[str] = PROVIDERS) -> None:
        self._network = Network(weights, providers)
        self._mel = self._network.input_like(None, 1, BANDS, STEPS)
        self._face = self._network.input_like(None, 6, None, None)
        height, width = self._network.inputs[self._face][2:]
        if height is None or height != width:
            raise NetworkInvalid(f"{weights}: faces of {height}×{width}; a fixed square is needed")
        self._size = height
        self._network.need_output(None, 3, height, height)

    @property
    def name(self) -> str:
        """The name in settings."""
        return "wav2lip"

    @property
    def hears(self) -> Hearing:
        """Mostly what follows: 0.2 s from the frame's beginning, and half a window before."""
        half = FFT / 2 / SPEECH_RATE
        return Hearing(before=_LEAD + half, after=(STEPS - 1) * HOP / SPEECH_RATE - _LEAD + half)

    def prepare(self, pack: AvatarPack) -> PreparedFace:
        """See `LipSyncAdapter.prepare`."""
        square = FaceSquare.of(pack)
        reference = square.picture(self._size)[..., ::-1].astype(np.float32) / 255.0
        masked = reference.copy()
        masked[self._size // 2 :] = 0.0
        stacked = np.concatenate([masked, reference], -1).transpose(2, 0, 1)
        return square.prepared(face=stacked)

    def audio_windows(self, sounds: Sequence[Samples]) -> list[Array]:
        """See `LipSyncAdapter.audio_windows`: [1, 80, 16]."""
        return [wav2lip_mel(_length(sound, FFT + (STEPS - 1) * HOP), STEPS)[None] for sound in sounds]

    def infer(self, batch: Sequence[tuple[PreparedFace, Array]]) -> list[Picture]:
        """See `LipSyncAdapter.infer`."""
        faces = np.stack([face.inputs["face"] for face, _ in batch])
        mels = np.stack([mel for _, mel in batch])
        painted = self._network.run(**{self._face: faces, self._mel: mels})
        return [np.rint(np.clip(one, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)[..., ::-1] for one in painted]


def _length(sound: Samples, count: int) -> Samples:
    """The first `count` samples, silence behind where there are fewer."""
    return sound[:count] if len(sound) >= count else np.pad(sound, (0, count - len(sound)))
