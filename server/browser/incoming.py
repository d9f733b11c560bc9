"""What comes from a browser: Opus packets in any order, to the caller's voice in order at 16 kHz."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.jitter import AudioPacket, Fill, JitterBuffer, JitterStats, Play, Step
from media.audio.opus import CLOCK_RATE, OpusDecoder, OpusError, packet_duration

_CONCEALED_FOR: Final = CLOCK_RATE // 5
"""Longer losses are heard as silence: a decoder that invents sound for longer misleads whoever listens."""
_TURN: Final = 0.01
_TURNS: Final = 0.05


class IncomingAudio:
    """One caller's microphone. Belongs to the running event loop.

    `hear` takes the voice, 16 kHz, gapless; `failed` is told when it raises.
    """

    def __init__(
        self,
        hear: Callable[[Samples], None],
        failed: Callable[[Exception], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.malformed = 0
        self.recovered = 0
        self.concealed = 0
        self._hear = hear
        self._failed = failed
        self._clock = clock
        self._buffer = JitterBuffer()
        self._decoder = OpusDecoder(SPEECH_RATE)
        self._filled = 0
        self._overdue_since: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def stats(self) -> JitterStats:
        """What became of the packets."""
        return self._buffer.stats

    @property
    def wait(self) -> float:
        """Seconds for which a missing packet is waited for now."""
        return self._buffer.wait

    def add(self, sequence: int, timestamp: int, payload: bytes) -> None:
        """A packet came, with the counters of its RTP header. Never raises."""
        if self._closed:
            return
        try:
            duration = packet_duration(payload)
        except OpusError:
            self.malformed += 1
            return
        self._buffer.add(AudioPacket(sequence, timestamp, duration, payload), self._clock())
        self._drain(give_up=False)

    def close(self) -> None:
        """Nothing more is heard."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _drain(self, *, give_up: bool) -> None:
        now = self._clock()
        try:
            for step in self._buffer.pop(now, give_up=give_up):
                self._hear(self._sound(step))
        except Exception as error:  # noqa: BLE001 - raised into the transport it would end it without a word
            self.close()
            self._failed(error)
            return
        self._arm(now)

    def _arm(self, now: float) -> None:
        """Give the next packet up at its deadline. One that is overdue may only wait its turn in a busy loop."""
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._buffer.next_deadline()
        if deadline is None or self._closed:
            return
        if deadline > now:
            self._overdue_since = None
            delay = deadline - now
        else:
            self._overdue_since = self._overdue_since or now
            delay = _TURN if now - self._overdue_since < _TURNS else 0.0
        self._timer = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        now, deadline = self._clock(), self._buffer.next_deadline()
        if self._overdue_since is None and deadline is not None and now - deadline > _TURN:
            self._arm(now)  # the loop was held up: what came meanwhile is still to be read
        else:
            self._drain(give_up=True)

    def _sound(self, step: Step) -> Samples:
        duration = step.packet.duration if isinstance(step, Play) else step.duration
        try:
            return self._decoded(step)
        except OpusError:
            self.malformed += 1
            return self._decoder.conceal(duration)

    def _decoded(self, step: Step) -> Samples:
        match step:
            case Play(packet):
                self._filled = 0
                return self._decoder.decode(packet.payload)
            case Fill(duration, following):
                self._filled += duration
                if following is not None:
                    self.recovered += 1
                    return self._decoder.recover(following, duration)
                self.concealed += 1
                if self._filled > _CONCEALED_FOR:
                    return np.zeros(duration * SPEECH_RATE // CLOCK_RATE, np.float32)
                return self._decoder.conceal(duration)
