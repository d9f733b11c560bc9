"""The recent past of a live stream, addressed by sample."""

from __future__ import annotations

from collections import deque

import numpy as np

from media.audio.frames import AudioFrame, Samples


class RollingAudio:
    """Keeps the newest samples of one stream; what is older than `capacity` samples is forgotten.

    Gaps between frames read as silence; samples that were given before are skipped.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._frames: deque[AudioFrame] = deque()
        self.end = 0

    def append(self, frame: AudioFrame) -> None:
        """Add the next frame of the stream."""
        if frame.end <= self.end:
            return
        self._frames.append(frame)
        self.end = frame.end
        while self._frames and self._frames[0].end <= self.end - self._capacity:
            self._frames.popleft()

    def since(self, start: int, end: int | None = None) -> Samples:
        """The samples from index `start` (or the oldest kept) up to index `end` (or the newest)."""
        end = self.end if end is None else min(end, self.end)
        start = min(max(start, self.end - self._capacity, 0), end)
        out = np.zeros(end - start, np.float32)
        for frame in self._frames:
            first, last = max(frame.index, start), min(frame.end, end)
            if first < last:
                out[first - start : last - start] = frame.samples[first - frame.index : last - frame.index]
        return out
