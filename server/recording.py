"""A caller made of recordings: plays them into a session at their own pace and keeps both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.link import Conversant
from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.audio.playout import Playout

FRAME = SPEECH_RATE // 50
"""Samples of a frame, 20 ms."""
QUIET_BEFORE_SPEAKING = 0.6
"""Seconds of silence from the agent after which the caller says the next thing."""
LONGEST_WAIT = 20.0
"""Seconds without any answer after which the caller goes on."""
STALL = 0.5
"""A machine that was away this long does not get all the missed frames at once."""


@dataclass(slots=True, eq=False)
class RecordingLink:
    """Implements `agents.link.AudioLink`; what the agent says is heard the moment it is taken.

    `said` holds the caller's recordings at 16 kHz; `show` gets the session's events.
    """

    said: Sequence[Samples]
    show: Callable[[str, dict[str, object]], None] = lambda event, data: None
    rate: int = SPEECH_RATE
    kind: str = "recording"
    hung_up: str | None = None
    caller_track: list[Samples] = field(default_factory=list)
    agent_track: list[Samples] = field(default_factory=list)
    _playout: Playout | None = None
    _quiet: float | None = None
    """Seconds since the agent last spoke; None where it has not answered yet."""

    def start(self, playout: Playout) -> None:
        """The session is ready; its speech will come out of `playout`."""
        self._playout = playout

    def flush(self) -> int:
        """Nothing is sent ahead here: what was taken was heard."""
        return 0 if self._playout is None else self._playout.heard_position

    def hang_up(self, reason: str) -> None:
        """The agent ended the call."""
        self.hung_up = reason

    def send_digits(self, digits: str) -> None:
        """A recording has no keypad to answer with."""

    def notify(self, event: str, data: dict[str, object]) -> None:
        """Show what happens."""
        self.show(event, data)

    async def play(self, session: Conversant) -> None:
        """Talk with the session in real time until everything was said and answered, or it hangs up."""
        loop = asyncio.get_running_loop()
        waiting = list(self.said)
        speech: Samples = np.zeros(0, np.float32)
        waited = 0.0
        sent = 0
        due = loop.time()
        while self.hung_up is None:
            if not len(speech):
                if (self._quiet or 0.0) >= QUIET_BEFORE_SPEAKING or waited >= LONGEST_WAIT:
                    if not waiting:
                        break
                    speech, self._quiet, waited = waiting.pop(0), None, 0.0
                waited += FRAME / SPEECH_RATE
            frame = np.zeros(FRAME, np.float32)
            frame[: len(speech[:FRAME])] = speech[:FRAME]
            speech = speech[FRAME:]
            self.caller_track.append(frame)
            session.hear(AudioFrame(frame, SPEECH_RATE, sent))
            sent += FRAME
            self._listen(session)
            due = max(due + FRAME / SPEECH_RATE, loop.time() - STALL)
            await asyncio.sleep(max(0.0, due - loop.time()))
        session.caller_left("recordings played")

    def _listen(self, session: Conversant) -> None:
        """Hear the agent's next frame."""
        heard = self._playout.take(FRAME) if self._playout is not None else None
        self.agent_track.append(np.zeros(FRAME, np.float32) if heard is None else heard.samples)
        if heard is not None:
            self._quiet = 0.0
            session.heard(heard.end)
        elif self._quiet is not None:
            self._quiet += FRAME / SPEECH_RATE

    def stereo(self) -> Samples:
        """Both sides: shape [n, 2], the caller left, the agent right."""
        caller, agent = (
            np.concatenate(track or [np.zeros(0, np.float32)]) for track in (self.caller_track, self.agent_track)
        )
        return np.stack([caller, agent], axis=1)
