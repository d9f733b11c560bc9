"""MuseTalk (Tencent, 2024): a latent inpainting step, conditioned on Whisper's hidden states.

The folder holds `vae_encoder.onnx` ([n, 3, 256, 256] in -1 to 1, to latents [n, 4, 32, 32], scaled), `unet.onnx`
(latents [n, 8, 32, 32], timestep, audio [n, 50, 384] to [n, 4, 32, 32]), `vae_decoder.onnx` (latents to pictures) and
`audio_encoder.onnx` (Whisper tiny's log-mel [n, 80, steps] to its five hidden states [n, 5, steps / 2, 384]).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.errors import NetworkInvalid
from media.avatar.landmarks import Picture
from media.avatar.neural.adapter import PROVIDERS, Array, FaceSquare, Network, PreparedFace
from media.avatar.pack import AvatarPack
from media.avatar.renderer import Hearing
from media.speech.log_mel import log_mel

SIZE = 256
TOKENS, WIDTH = 50, 384

_SOUND = 1.0  # seconds that the audio encoder hears, the frame in their middle
_STATES = 10  # hidden states around the frame, 20 ms each, of each of the five layers


class MuseTalk:
    """`LipSyncAdapter` for a folder with the four networks."""

    def __init__(self, folder: Path, *, providers: Sequence[str] = PROVIDERS) -> None:
        self._unet = Network(folder / "unet.onnx", providers)
        self._latents = self._unet.input_like(None, 8, 32, 32)
        self._audio = self._unet.input_like(None, TOKENS, WIDTH)
        (self._timestep,) = [n for n in self._unet.inputs if n not in (self._latents, self._audio)] or [""]
        self._unet.need_output(None, 4, 32, 32)
        self._encoder = Network(folder / "vae_encoder.onnx", providers)
        self._picture = self._encoder.input_like(None, 3, SIZE, SIZE)
        self._encoder.need_output(None, 4, 32, 32)
        self._decoder = Network(folder / "vae_decoder.onnx", providers)
        self._code = self._decoder.input_like(None, 4, 32, 32)
        self._decoder.need_output(None, 3, SIZE, SIZE)
        self._whisper = Network(folder / "audio_encoder.onnx", providers)
        self._mel = self._whisper.input_like(None, 80, None)
        self._position = _positions()
        self.audio_windows([np.zeros(int(_SOUND * SPEECH_RATE), np.float32)])

    @property
    def name(self) -> str:
        """The name in settings."""
        return "musetalk"

    @property
    def hears(self) -> Hearing:
        """Half a second before and after."""
        return Hearing(before=_SOUND / 2, after=_SOUND / 2)

    def prepare(self, pack: AvatarPack) -> PreparedFace:
        """See `LipSyncAdapter.prepare`: both latents, once."""
        square = FaceSquare.of(pack)
        reference = square.picture(SIZE).astype(np.float32).transpose(2, 0, 1) / 127.5 - 1.0
        masked = reference.copy()
        masked[:, SIZE // 2 :] = -1.0
        codes = np.concatenate([self._encoder.run(**{self._picture: p[None]})[0] for p in (masked, reference)])
        return square.prepared(latents=codes)

    def audio_windows(self, sounds: Sequence[Samples]) -> list[Array]:
        """See `LipSyncAdapter.audio_windows`: [50, 384], five layers of ten states, with their positions added."""
        return [self._tokens(states) for states in self._whisper.run_each(self._mel, [log_mel(s) for s in sounds])]

    def _tokens(self, states: Array) -> Array:
        middle = states.shape[1] // 2 if states.ndim == 3 else 0
        if states.ndim != 3 or states.shape[0] * _STATES != TOKENS or states.shape[2] != WIDTH or middle < _STATES // 2:
            raise NetworkInvalid(f"{self._whisper.path} gives {states.shape}; (5, steps, {WIDTH}) is needed")
        near = states[:, middle - _STATES // 2 : middle + _STATES // 2]
        return np.asarray(near.transpose(1, 0, 2).reshape(TOKENS, WIDTH) + self._position, np.float32)

    def infer(self, batch: Sequence[tuple[PreparedFace, Array]]) -> list[Picture]:
        """See `LipSyncAdapter.infer`."""
        given: dict[str, npt.NDArray[np.float32]] = {
            self._latents: np.stack([face.inputs["latents"] for face, _ in batch]),
            self._audio: np.stack([window for _, window in batch]),
        }
        if self._timestep:
            given[self._timestep] = np.zeros(1, np.float32)
        painted = self._decoder.run(**{self._code: self._unet.run(**given)})
        return [np.rint(np.clip(one / 2 + 0.5, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0) for one in painted]


def _positions() -> Array:
    """The sinusoidal positions that are added to the audio tokens."""
    place = np.arange(TOKENS)[:, None]
    rate = np.exp(np.arange(0, WIDTH, 2) * (-np.log(10000.0) / WIDTH))
    out = np.zeros((TOKENS, WIDTH), np.float32)
    out[:, 0::2], out[:, 1::2] = np.sin(place * rate), np.cos(place * rate)
    return out
