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
        self._drain()

    def close(self) -> None:
        """Nothing more is heard."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _drain(self) -> None:
        now = self._clock()
        try:
            for step in self._buffer.pop(now):
                self._hear(self._sound(step))
        except Exception as error:  # noqa: BLE001 - raised into the transport it would end it without a word
            self.close()
            self._failed(error)
            return
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._buffer.next_deadline()
        if deadline is not None and not self._closed:
            self._timer = self._loop.call_later(max(0.001, deadline - now), self._drain)

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
