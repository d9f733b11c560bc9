"""The speaker encoder: speech to 256 numbers, near to each other where the same person speaks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from media.audio.frames import SPEECH_RATE, Samples
from media.models import ModelDamaged, derived_dir, model_dir
from media.speech.log_mel import HOP, mel_power
from media.speech.speaker.checkpoint import CheckpointUnreadable, read_checkpoint
from media.speech.speaker.graph import BANDS, FRAMES, encoder_graph
from media.speech.synthesis.rendered import open_session

MODEL: Final = "speaker-encoder"
"""The model's name in the manifest; it is not among the required ones: `media.models.prepare([MODEL])` fetches it."""

LEAST_SPEECH: Final = 1.0
"""Seconds of voice, silence not counted, that are needed."""
MOST_SPEECH: Final = 60.0
"""Seconds of voice that are heard; what follows is left out."""

_WEIGHTS = "pretrained.pt"
_GRAPH = "graph-v1"  # to be raised when what media.speech.speaker.graph builds changes
_LEVEL = 10 ** (-30 / 20)  # root mean square of the speech the network was trained on
_STEP = 77  # frames from one view of the network to the next, 1.3 views a second
_COVERED = 0.75  # of a last view that speech must fill
_BATCH = 16
_WINDOW = 480  # samples, 30 ms, over which voice is told from silence
_QUIET = 10 ** (-35 / 20)  # of the loud windows' level, below which a window is silence
_SILENCE = 10 ** (-70 / 20)  # root mean square that is silence in any recording
_SMOOTHED, _KEPT = 8, 3  # windows averaged; windows of silence kept on each side of voice


class TooLittleSpeech(ValueError):
    """The recording holds less voice than an embedding needs; the text says how much."""


class SpeakerEncoder:
    """Says whose voice speech is. Safe to use from several threads; 7 ms of one core a second of speech.

    `folder` is where the model lies, by default as `media.models` keeps it. Its weights are rewritten for onnxruntime
    once, beside it. Raises `media.models.ModelError`.
    """

    def __init__(self, folder: Path | None = None, *, threads: int = 1) -> None:
        weights = (folder if folder is not None else model_dir(MODEL)) / _WEIGHTS
        target = (folder if folder is not None else derived_dir(MODEL, _GRAPH)) / "encoder.onnx"
        if not target.is_file():
            _rewrite(weights, target)
        self._session = open_session(str(target), threads, ["CPUExecutionProvider"])

    def embed(self, samples: Samples) -> npt.NDArray[np.float32]:
        """The voice in 16 kHz speech: float32 [256], of unit length, no value negative.

        Raises `TooLittleSpeech` for less than a second of voice.
        """
        if not np.isfinite(samples).all():
            raise ValueError("some of the samples are not numbers")
        voiced = voiced_parts(samples)[: round(MOST_SPEECH * SPEECH_RATE)]
        seconds = len(voiced) / SPEECH_RATE
        if seconds < LEAST_SPEECH:
            raise TooLittleSpeech(
                f"the recording holds {seconds:.1f} s of speech; at least {LEAST_SPEECH:.0f} s are needed, "
                "ten or more are better"
            )
        views = mel_views(at_level(voiced))
        parts = [
            np.asarray(self._session.run(None, {"mel": views[k : k + _BATCH]})[0], np.float32)
            for k in range(0, len(views), _BATCH)
        ]
        return unit(np.concatenate(parts).mean(0))


def unit(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The vector at length one."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def voiced_parts(samples: Samples) -> Samples:
    """The samples without their longer silences; pauses of a fifth of a second stay."""
    count = len(samples) // _WINDOW
    windows = samples[: count * _WINDOW].reshape(count, _WINDOW)
    level = np.sqrt(np.mean(np.square(windows), axis=1))
    if not count or float(level.max()) <= _SILENCE:
        return samples[:0]
    loud = float(np.quantile(level[level > _SILENCE], 0.9))
    voiced = np.convolve(level > max(_SILENCE, _QUIET * loud), np.ones(_SMOOTHED) / _SMOOTHED, "same") >= 0.5
    kept = np.convolve(voiced, np.ones(2 * _KEPT + 1), "same") > 0.5
    return windows[kept[:count]].reshape(-1)


def at_level(samples: Samples) -> Samples:
    """Quiet speech as loud as what the network was trained on; loud speech as it is."""
    level = float(np.sqrt(np.mean(np.square(samples))))
    return samples * np.float32(max(1.0, _LEVEL / max(level, 1e-9)))


def mel_views(samples: Samples) -> npt.NDArray[np.float32]:
    """What the network hears: overlapping stretches of 1.6 s as mel power, [n, 160, 40].

    Zeros fill the last one, which is left out where speech fills less than three quarters of it.
    """
    frames = -(-(len(samples) + 1) // HOP)
    starts = list(range(0, max(1, frames - FRAMES + _STEP + 1), _STEP))
    if len(starts) > 1 and (len(samples) / HOP - starts[-1]) / FRAMES < _COVERED:
        starts.pop()
    whole = np.pad(samples, (0, max(0, (starts[-1] + FRAMES) * HOP - len(samples))))
    mel = mel_power(whole, BANDS).T
    return np.stack([mel[start : start + FRAMES] for start in starts])


def _rewrite(weights: Path, target: Path) -> None:
    try:
        model = encoder_graph(read_checkpoint(weights.read_bytes(), "model_state"))
    except CheckpointUnreadable as error:
        raise ModelDamaged(f"{weights}: {error}") from error
    partial = target.with_suffix(f".{os.getpid()}.part")
    try:
        partial.write_bytes(model.SerializeToString())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
