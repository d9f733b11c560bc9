"""Smart Turn v3: hears in the melody of the last eight seconds whether the speaker has finished.

Weights by Daily (https://github.com/pipecat-ai/smart-turn, BSD-2-Clause). How the audio is prepared (the newest eight
seconds, zeros before it, unit variance, Whisper's log-mel spectrogram) follows pipecat's `local_smart_turn_v3.py` and
`_whisper_features.py` (BSD-2-Clause), which follow Hugging Face transformers (Apache-2.0).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from media.audio.frames import SPEECH_RATE, Samples
from media.speech.log_mel import Features, log_mel
from media.worker import ModelWorker

HEARD = 8 * SPEECH_RATE
"""Samples the model hears, the newest ones."""


def turn_features(samples: Samples) -> Features:
    """What the model reads of 16 kHz `samples`: [80, 800]."""
    heard = np.zeros(HEARD, np.float32)
    newest = samples[-HEARD:]
    heard[HEARD - len(newest) :] = newest
    heard = (heard - heard.mean()) / np.sqrt(heard.var() + 1e-7)
    return log_mel(heard)


class SmartTurn:
    """A `TurnDetector` for all sessions.

    `weights` is the `.onnx` file. 45 ms a call on one thread and 25 ms on two, of which the features take 4 ms.
    Feed it the turn up to the end of the last voiced sound: silence after it makes unfinished turns sound finished.
    """

    def __init__(self, weights: Path, *, threads: int = 1, capacity: int = 64) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.worker = ModelWorker("turn-end", capacity=capacity)

    async def probability(self, samples: Samples, *, deadline: float) -> float:
        """The probability in [0, 1] that the speaker has finished; `samples` 16 kHz, the last 8 s count.

        Raises `media.worker.WorkerFull` when the machine is behind.
        """
        return await self.worker.run(lambda: self.probability_now(samples), deadline=deadline)

    def probability_now(self, samples: Samples) -> float:
        """The same, here and now: blocks the thread."""
        features = turn_features(samples)[None]
        return float(self._session.run(None, {self._input: features})[0][0, 0])

    def close(self) -> None:
        """Stop the worker; requests that wait fail with `WorkerClosed`."""
        self.worker.close()
