"""A clause made at once, and the arithmetic of durations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media.audio.frames import Samples
from media.cuda import usable


class RenderedClause:
    """A clause that was made at once. Implements `BegunClause`."""

    def __init__(self, audio: Samples, lead: int, durations: list[int], length: int) -> None:
        self._audio = audio[:length]
        self.lead = lead
        self.durations = durations
        self.length = len(self._audio)

    def chunks(self, *, urgent: bool) -> list[int]:
        """One: it is all there."""
        return [self.length]

    def render(self, start: int, stop: int) -> Samples:
        """Part of what is there."""
        return self._audio[start:stop]


def timing(samples: npt.NDArray[np.int64], owners: Sequence[int], sounds: int) -> tuple[int, list[int], int]:
    """Samples before the first sound, of each sound, and in all, from those of each number the network read.

    `owners` says which sound a number belongs to, -1 for those that stand around them.
    """
    durations = [0] * sounds
    lead, spoken = 0, False
    for owner, count in zip(owners, samples.tolist(), strict=False):
        if owner >= 0:
            durations[owner] += count
            spoken = True
        elif not spoken:
            lead += count
    return lead, durations, int(samples.sum())


def open_session(path: str, threads: int, providers: Sequence[str]) -> ort.InferenceSession:
    """A session whose calls use at most `threads` threads, on those of `providers` that are here.

    Raises what onnxruntime raises.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins for work takes the core of whoever has some.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=usable(providers))
