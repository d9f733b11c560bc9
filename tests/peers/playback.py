"""How Twilio plays what it is sent, one frame of 20 ms at a time; no clock, no I/O."""

from __future__ import annotations

import base64
from collections import deque
from typing import Any, Final

FRAME_BYTES: Final = 160
"""20 ms of μ-law at 8 kHz."""


class Playback:
    """The queue of one call: audio is played in order, marks come back when playback reaches them.

    `clear` drops the audio; the marks among it come back at the next tick.
    """

    def __init__(self) -> None:
        self._queue: deque[bytes | str] = deque()  # frames and names of marks
        self._partial = b""

    @property
    def empty(self) -> bool:
        """Whether nothing is left to play or to answer."""
        return not self._queue

    @property
    def queued_frames(self) -> int:
        """Frames that wait to be played."""
        return sum(isinstance(item, bytes) for item in self._queue)

    def receive(self, message: dict[str, Any]) -> None:
        """Take a message of the server: media, mark or clear."""
        match message["event"]:
            case "media":
                data = self._partial + base64.b64decode(message["media"]["payload"], validate=True)
                whole = len(data) - len(data) % FRAME_BYTES
                self._queue.extend(data[i : i + FRAME_BYTES] for i in range(0, whole, FRAME_BYTES))
                self._partial = data[whole:]
            case "mark":
                self._queue.append(str(message["mark"]["name"]))
            case "clear":
                self._queue = deque(item for item in self._queue if isinstance(item, str))
                self._partial = b""
            case other:
                raise ValueError(f"a server sends media, mark or clear, not {other}")

    def tick(self) -> tuple[list[str], bytes | None]:
        """Go on by 20 ms: the marks passed, and the frame that plays now (None: silence)."""
        marks: list[str] = []
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, bytes):
                return marks, item
            marks.append(item)
        return marks, None
