"""How much voice there has been since a moment of the recent past. Pure."""

from __future__ import annotations

from collections import deque

from media.audio.frames import SPEECH_RATE
from media.speech.activity.windows import WINDOW, ActivityWindow


class VoicedTime:
    """The seconds of voice that one stream's windows add up to, each as long as it is likely.

    The beginnings of the newest `capacity` samples are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._begins: deque[tuple[int, float]] = deque(maxlen=max(1, capacity // WINDOW))
        self.total = 0.0
        """Seconds of voice since the stream began."""

    def add(self, window: ActivityWindow) -> None:
        """The stream's next window."""
        self._begins.append((window.index, self.total))
        self.total += window.probability * WINDOW / SPEECH_RATE

    def before(self, index: int) -> float:
        """What `total` was before the first window that begins at sample `index` or later; the oldest kept if older."""
        for begin, total in self._begins:
            if begin >= index:
                return total
        return self.total
