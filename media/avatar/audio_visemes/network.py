"""The trained network on onnxruntime: sound in, a mouth every ten milliseconds out."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media.audio.frames import Samples
from media.avatar.audio_visemes.features import BANDS, STEPS_PER_SECOND, LogMel
from media.avatar.errors import NetworkInvalid
from media.avatar.face import MOUTH_SHAPES, MouthShape, MouthWeights
from media.avatar.visemes import SampledTrack

WEIGHTS: Final = Path(__file__).with_name("visemes.onnx")
FIGURES: Final = Path(__file__).with_name("figures.json")
SENTENCES: Final = Path(__file__).with_name("sentences.txt")

LOOK_AHEAD: Final = 6
"""Steps of sound after an instant that the network hears."""
CONTEXT: Final = 4 + 2 * (1 + 2 + 4 + 8)
"""Steps of features besides its own that a step of output needs, look-ahead included."""
QUIET: Final = -2.0
"""A feature of silence."""

_SURE, _LIKELY = 0.55, 0.25  # probabilities of a closure at which the lips are shut, and from which they near
_SILENT = -2.30  # mean feature below which nobody speaks


class AudioVisemes:
    """Hears speech and gives the mouth that goes with it. One instance serves all sessions, from any thread."""

    def __init__(self, weights: Path = WEIGHTS, *, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a class of its own for each kind of bad file
            raise NetworkInvalid(f"{weights} cannot be loaded: {error}") from error
        (inputs,), (outputs,) = self._session.get_inputs(), self._session.get_outputs()
        if inputs.shape[2] != BANDS or outputs.shape[2] != MOUTH_SHAPES:
            raise NetworkInvalid(f"{weights} maps {inputs.shape} to {outputs.shape}; train it anew")

    def infer(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Mouths [n, 10] for features [n + CONTEXT, 40], the closure gate applied."""
        (raw,) = self._session.run(None, {"features": features[None]})
        return _settled(np.asarray(raw[0], np.float32), features[CONTEXT - LOOK_AHEAD : len(features) - LOOK_AHEAD])

    def track(self, samples: Samples) -> SampledTrack:
        """The track of a whole recording (16 kHz). For long ones and live sound take an `AudioVisemeStream`."""
        stream = AudioVisemeStream(self)
        weights = np.concatenate([stream.feed(samples), stream.finish()])
        return SampledTrack(weights, STEPS_PER_SECOND, emphasis=emphasis_of(weights))


class AudioVisemeStream:
    """One stream of sound, in portions of any size; gives each step once its look-ahead has been heard."""

    def __init__(self, network: AudioVisemes) -> None:
        self._network = network
        self._mel = LogMel()
        self._features = np.full((CONTEXT - LOOK_AHEAD, BANDS), QUIET, np.float32)

    def feed(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Mouths [n, 10] of the steps that can be told now; step k of the stream stands for the instant k / 100 s."""
        return self._advance(self._mel.feed(samples))

    def finish(self) -> npt.NDArray[np.float32]:
        """The last steps; silence follows."""
        tail = np.full((LOOK_AHEAD, BANDS), QUIET, np.float32)
        return self._advance(np.concatenate([self._mel.finish(), tail]))

    def _advance(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self._features = np.concatenate([self._features, features])
        steps = len(self._features) - CONTEXT
        if steps <= 0:
            return np.zeros((0, MOUTH_SHAPES), np.float32)
        weights = self._network.infer(self._features)
        self._features = self._features[steps:]
        return weights


@functools.cache
def packaged_network() -> AudioVisemes:
    """The network that ships with Visavis, its file checked. Raises `NetworkInvalid`."""
    try:
        expected = json.loads(FIGURES.read_text("utf-8"))["sha256"]
        found = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError) as error:
        raise NetworkInvalid(f"the weights in {WEIGHTS.parent} cannot be read: {error}") from error
    if found != expected:
        raise NetworkInvalid(f"{WEIGHTS} is damaged: its checksum is not that of {FIGURES.name}; install anew")
    return AudioVisemes()


def emphasis_of(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How much the voice leans on each step: where the jaw stays low for a fifth of a second. Shape [n]."""
    if not len(weights):
        return np.zeros(0, np.float32)
    reach = STEPS_PER_SECOND // 5
    bell = np.hanning(2 * reach + 1)
    slow = np.convolve(np.pad(weights[:, MouthShape.JAW], reach, "edge"), bell / bell.sum(), "valid")
    return np.clip((slow - 0.38) / 0.40, 0, 1).astype(np.float32)


def _settled(raw: npt.NDArray[np.float32], heard: npt.NDArray[np.float32]) -> MouthWeights:
    """Closures made whole, silence quiet; CLOSE carried the probability that the lips are shut."""
    shut = np.clip((raw[:, MouthShape.CLOSE] - _LIKELY) / (_SURE - _LIKELY), 0, 1)
    silent = np.clip((_SILENT + 0.2 - heard.mean(1)) / 0.2, 0, 1)
    shut = (shut * shut * (3 - 2 * shut))[:, None]
    weights = raw.copy()
    weights[:, MouthShape.CLOSE] = 0.0
    for shape in (MouthShape.JAW, MouthShape.UPPER, MouthShape.LOWER, MouthShape.BITE, MouthShape.ROUND):
        weights[:, shape] = np.maximum(weights[:, shape], 0.0) * (1 - shut[:, 0])
    weights[:, MouthShape.WIDE] *= 1 - 0.5 * shut[:, 0]
    weights[:, MouthShape.PRESS] = np.clip(np.maximum(weights[:, MouthShape.PRESS], 0.5 * shut[:, 0]), 0.0, 0.6)
    weights[:, MouthShape.TONGUE] = np.clip(weights[:, MouthShape.TONGUE], 0.0, 1.0)
    weights *= (1 - silent)[:, None]
    return np.asarray(weights, np.float32)
