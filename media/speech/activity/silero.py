"""Silero VAD (v5 and v6 weights) on live audio: one model for all sessions, a small state for each.

The model and how it is driven (512 new samples behind 64 of context): https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.speech.activity.levels import SILENCE_LEVEL
from media.speech.activity.windows import BLOCK, WINDOW, ActivityWindow

CONTEXT = 64
"""Samples of the window before that the model sees again."""
LONGEST_GAP = SPEECH_RATE
"""A gap of up to this many samples is heard as silence; after a longer one the model starts anew."""

State = npt.NDArray[np.float32]


class SileroModel:
    """The network, shared by all sessions: about 0.1 ms a window on one thread, so it runs on the event loop.

    `weights` is the `.onnx` file.
    """

    def __init__(self, weights: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self._rate = np.array(SPEECH_RATE, np.int64)

    def run(self, samples: Samples, state: State) -> tuple[float, State]:
        """The probability of speech in `samples` [1, CONTEXT + WINDOW], and the state [2, 1, 128] for the next."""
        probability, state = self._session.run(None, {"input": samples, "state": state, "sr": self._rate})
        return float(probability[0, 0]), state


class VoiceActivity:
    """One stream's voice activity. Feed it 16 kHz frames of any length, in order."""

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self._buffer = np.zeros((1, CONTEXT + WINDOW), np.float32)
        self._filled = 0
        self._index = 0
        self._state = np.zeros((2, 1, 128), np.float32)

    def reset(self, index: int = 0) -> None:
        """Forget what was heard; the next sample expected is `index`."""
        self._buffer[:] = 0.0
        self._filled = 0
        self._index = index
        self._state = np.zeros((2, 1, 128), np.float32)

    def feed(self, frame: AudioFrame) -> list[ActivityWindow]:
        """The windows that `frame` completes, in order.

        A gap before the frame is heard as silence, or starts the model anew if it is longer than a second;
        samples that were heard before are skipped. Raises `ValueError` unless the frame is at 16 kHz.
        """
        if frame.rate != SPEECH_RATE:
            raise ValueError(f"voice activity wants {SPEECH_RATE} Hz, the frame has {frame.rate} Hz")
        expected = self._index + self._filled
        gap = frame.index - expected
        if gap > LONGEST_GAP:
            self.reset(frame.index)
            gap = 0
        windows = self._take(np.zeros(gap, np.float32)) if gap > 0 else []
        windows.extend(self._take(frame.samples[max(0, -gap) :]))
        return windows

    def _take(self, samples: Samples) -> list[ActivityWindow]:
        windows = []
        offset = 0
        while offset < len(samples):
            count = min(WINDOW - self._filled, len(samples) - offset)
            start = CONTEXT + self._filled
            self._buffer[0, start : start + count] = samples[offset : offset + count]
            self._filled += count
            offset += count
            if self._filled == WINDOW:
                windows.append(self._window())
        return windows

    def _window(self) -> ActivityWindow:
        probability, self._state = self._model.run(self._buffer, self._state)
        levels = block_levels(self._buffer[0, CONTEXT:])
        window = ActivityWindow(self._index, probability, levels)
        self._buffer[0, :CONTEXT] = self._buffer[0, -CONTEXT:]
        self._filled = 0
        self._index += WINDOW
        return window


def block_levels(samples: Samples) -> tuple[float, ...]:
    """The RMS level in dBFS of each whole 8 ms block of 16 kHz `samples`, at least `SILENCE_LEVEL`."""
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    power = np.einsum("ij,ij->i", blocks, blocks) / BLOCK
    levels = 10.0 * np.log10(np.maximum(power, 10.0 ** (SILENCE_LEVEL / 10.0)))
    return tuple(levels.tolist())
