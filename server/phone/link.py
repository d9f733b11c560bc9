"""A telephone line as a session sees it: speech goes out paced, the caller's audio comes in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import numpy as np

from agents.link import Conversant
from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.audio.g711 import PHONE_RATE, samples_to_ulaw, ulaw_to_samples
from media.audio.playout import Playout
from media.audio.resample import StreamResampler
from telephony import dtmf
from telephony.media_stream import Media, MediaStream
from telephony.pacing import PhonePacer

FRAME: Final = 160
"""Samples of a frame, 20 ms; one byte each in μ-law."""

REPORT_SECONDS: Final = 0.03
"""While the agent speaks, the session is told this often how far it was heard."""

_LONGEST_GAP: Final = 50  # lost chunks that are heard as silence; a leap beyond is a fault of the counter


class LineRecorder(Protocol):
    """Keeps both sides of a line, float32 at 8 kHz. `server.phone.recording.CallRecorder` implements it.

    Times are seconds of the monotonic clock.
    """

    def caller(self, samples: Samples, at: float, *, lost: int = 0) -> None:
        """The caller was heard; the frame came at `at`, `lost` samples before it did not come at all."""
        ...

    def agent(self, samples: Samples, at: float) -> None:
        """A frame was sent that is heard from `at` on."""
        ...

    def cleared(self, at: float) -> None:
        """What was to be heard from `at` on was not."""
        ...


class PhoneLink:
    """Implements `agents.link.AudioLink` on one media stream, for one conversant.

    `watch` hears the caller as the session does, before it. `recorder` is given both sides. `on_event` is told what
    the session notifies. `on_key` is asked about each key first, and says whether it has taken it. All may be set and
    taken away at any time. `after`: the link of the conversant before
    on the same stream, whose speech is silenced first.

    One task, `speak`, does all the writing. It takes speech from the playout only when it is due and the
    connection has taken what came before, so nothing said is queued on our side: when the session flushes, the
    very next message is the `clear`.
    """

    rate = PHONE_RATE
    kind = "phone"

    def __init__(
        self,
        protocol: MediaStream,
        send: Callable[[str], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        recorder: LineRecorder | None = None,
        on_event: Callable[[str, dict[str, object]], None] | None = None,
        after: PhoneLink | None = None,
    ) -> None:
        self.hung_up: str | None = None
        self.watch: Callable[[AudioFrame], None] | None = None
        self.on_key: Callable[[str], bool] | None = None
        self.recorder = recorder
        self.on_event = on_event
        self._protocol = protocol
        self._send = send
        self._clock = clock
        self._pacer: PhonePacer = PhonePacer(PHONE_RATE, epoch=0 if after is None else after._pacer.epoch + 1)
        self._session: Conversant | None = None
        self._playout: Playout | None = None
        self._tones = np.zeros(0, np.float32)
        self._awake = asyncio.Event()
        self._clear_due = after is not None
        self._reported = 0
        self._resampler = StreamResampler(PHONE_RATE, SPEECH_RATE)
        self._received = 0
        if after is not None and recorder is not None:
            recorder.cleared(after._pacer.heard_until(clock()))

    @property
    def connected(self) -> bool:
        """Whether it belongs to a session."""
        return self._session is not None

    @property
    def stray_marks(self) -> int:
        """Marks that came back after a clear, or that nobody asked for."""
        return self._pacer.stray_marks

    def connect(self, session: Conversant) -> None:
        """The session this line belongs to; said once, before anything else."""
        self._session = session

    # What the session may do (agents.link.AudioLink)

    def start(self, playout: Playout) -> None:
        """The session is ready; its speech will come out of `playout`."""
        self._playout = playout
        playout.on_ready = self._awake.set
        self._awake.set()

    def flush(self) -> int:
        """Silence what was sent and not yet heard; returns the playout position heard up to now."""
        now = self._clock()
        self._tones = self._tones[:0]
        self._clear_due = True
        self._awake.set()
        if self.recorder is not None:
            self.recorder.cleared(self._pacer.heard_until(now))
        return self._pacer.clear(now)

    def hang_up(self, reason: str) -> None:
        """End the connection."""
        self.hung_up = reason
        self._awake.set()

    def send_digits(self, digits: str) -> None:
        """Sound these keys in the call, as soon as the agent pauses: a media stream has no message for them."""
        self._tones = np.concatenate([self._tones, dtmf.tones(digits, PHONE_RATE)])
        self._awake.set()

    def notify(self, event: str, data: dict[str, object]) -> None:
        """A telephone shows nothing; whoever owns the call may act on it."""
        if self.on_event is not None:
            self.on_event(event, data)

    # What comes from the caller

    def hear(self, media: Media) -> None:
        """Give the session the caller's audio; lost chunks become silence, repeated ones nothing."""
        if media.repeated:
            return
        lost = min(media.lost, _LONGEST_GAP) * FRAME
        frame = AudioFrame(ulaw_to_samples(media.payload), PHONE_RATE, self._received + lost)
        self._received = frame.end
        if self.recorder is not None:
            self.recorder.caller(frame.samples, self._clock(), lost=lost)
        heard = self._resampler.process(frame)
        if self.watch is not None:
            self.watch(heard)
        if self._session is not None:
            self._session.hear(heard)

    def press(self, digit: str) -> None:
        """The caller pressed a key."""
        taken = self.on_key is not None and self.on_key(digit)
        if self._session is not None and not taken:
            self._session.press(digit)

    def passed(self, mark: str) -> None:
        """A mark came back."""
        self._report(self._pacer.passed(self._clock(), mark))

    # What goes to the caller

    async def speak(self) -> None:
        """Send what is due when it is due, and report what was heard, until the session hangs up."""
        while self.hung_up is None:
            self._awake.clear()
            await self._send_due()
            now = self._clock()
            self._report(self._pacer.heard(now))
            await self._sleep(self._next(now))

    async def _send_due(self) -> None:
        while self.hung_up is None:
            if self._clear_due:
                self._clear_due = False
                await self._send(self._protocol.clear())
                continue
            message, mark = self._take(self._clock())
            if message is None:
                return
            await self._send(message)
            if mark is not None:
                await self._send(self._protocol.mark(mark))

    def _take(self, now: float) -> tuple[str | None, str | None]:
        """The next frame if it is due, and the name of the mark to follow it."""
        if self._waiting == 0 or self._pacer.due(partial=self._waiting < FRAME) > now:
            return None, None
        if self._speech_waiting and self._playout is not None:
            start = self._playout.end - self._playout.waiting
            frame = self._playout.take(FRAME)
            if frame is None:
                return None, None
            last = not self._speech_waiting
            self._record(frame.samples, now)
            mark = self._pacer.sent(now, start, frame.end, frame.turn_id, last=last)
            return self._protocol.media(samples_to_ulaw(frame.samples)), mark
        tone = np.zeros(FRAME, np.float32)
        tone[: len(self._tones[:FRAME])] = self._tones[:FRAME]
        self._tones = self._tones[FRAME:]
        position = self._pacer.sent_position
        self._record(tone, now)
        mark = self._pacer.sent(now, position, position, 0, last=False)
        return self._protocol.media(samples_to_ulaw(tone)), mark

    def _record(self, samples: Samples, now: float) -> None:
        """Note a frame that is about to be sent, at the time when it will be heard."""
        if self.recorder is not None:
            self.recorder.agent(samples, self._pacer.heard_from(now))

    @property
    def _speech_waiting(self) -> int:
        return 0 if self._playout is None or self._playout.paused else self._playout.waiting

    @property
    def _waiting(self) -> int:
        """Samples to send: speech first, then keys."""
        return self._speech_waiting or len(self._tones)

    def _next(self, now: float) -> float | None:
        """When there is something to do again; None: when somebody says so."""
        times = [] if self._pacer.finished else [now + REPORT_SECONDS]
        if self._waiting:
            times.append(self._pacer.due(partial=self._waiting < FRAME))
        return min(times, default=None)

    async def _sleep(self, until: float | None) -> None:
        """Until that time, or until something new is there."""
        if until is None:
            await self._awake.wait()
            return
        delay = max(0.0, until - self._clock())
        timer = asyncio.get_running_loop().call_later(delay, self._awake.set)
        try:
            await self._awake.wait()
        finally:
            timer.cancel()

    def _report(self, position: int) -> None:
        if self._session is not None and position > self._reported:
            self._reported = position
            self._session.heard(position)
