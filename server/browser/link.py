"""A browser as a session sees it, whatever carries the media: speech out on the media clock, the caller's audio in."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import structlog

from agents.link import Conversant
from media.audio.frames import SPEECH_RATE, AudioFrame, Samples
from media.audio.playout import Playout
from server.browser.events import BadMessage, End, Interrupt, Key, Mute, Ping, Text, encode, parse
from server.browser.outgoing import MediaClock, MediaFrame, OutgoingAudio

SPEECH_OUT_RATE: Final = 24_000
"""Of the agent's speech: no packaged voice has anything above 12 kHz."""

_KEPT_EVENTS: Final = 64
_BURST: Final = 40
_EVENTS_A_SECOND: Final = 20.0

log = structlog.get_logger(__name__)

SendEvent = Callable[[str], bool]
"""Gives an event to the client; false where it cannot be sent now."""
Observer = Callable[[str, Mapping[str, object]], None]
"""Is told a session's event and what belongs to it, just before the client is."""


class BrowserLink:
    """Implements `agents.link.AudioLink`; the carrier of the media drives it.

    The carrier asks for frames with `next_frame`, gives the caller's audio to `hear` and the caller's messages to
    `receive`, and waits on `over`. `kind`: browser (WebRTC) or socket. `recalls`: whether the listener can
    drop what was sent and not yet heard (a WebSocket client is told to; WebRTC has no such thing).
    """

    def __init__(
        self,
        kind: str,
        *,
        rate: int = SPEECH_OUT_RATE,
        recalls: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self.rate = rate
        self.media_clock = MediaClock()
        self.outgoing = OutgoingAudio(rate, self.media_clock)
        self.hung_up: str | None = None
        self.over = asyncio.Event()
        self.delay = 0.08
        """Seconds from a frame's media time until it is heard: the way to the listener and what it buffers."""
        self.muted = False
        self.dropped_events = 0
        self._recalls = recalls
        self._clock = clock
        self._session: Conversant | None = None
        self._send: SendEvent | None = None
        self._observers: list[Observer] = []
        self._kept: deque[str] = deque(maxlen=_KEPT_EVENTS)
        self._received = 0
        self._reported = 0
        self._allowance = float(_BURST)
        self._allowance_at = clock()

    def connect(self, session: Conversant) -> None:
        """The session this link belongs to; said once, before anything else."""
        self._session = session

    def open_events(self, send: SendEvent) -> None:
        """Events reach the client from now on; the latest of those that waited are sent."""
        self._send = send
        while self._kept:
            self._deliver(self._kept.popleft())

    def observe(self, observer: Observer) -> None:
        """Tell this observer, too, whatever the client is told from now on."""
        self._observers.append(observer)

    # What the session may do (agents.link.AudioLink)

    def start(self, playout: Playout) -> None:
        """The session is ready; its speech will come out of `playout`."""
        self.outgoing.start(playout)

    def flush(self) -> int:
        """Silence what was not sent, or not heard where the listener can drop it; returns what will have been heard."""
        if not self._recalls:
            return self.outgoing.flush()
        position = self.outgoing.heard(self._clock(), self.delay)
        self.outgoing.recall(position)
        self.notify("clear", {})
        return position

    def hang_up(self, reason: str) -> None:
        """End the connection."""
        if self.hung_up is None:
            self.hung_up = reason
            self.notify("bye", {"reason": reason})
            self.over.set()

    def send_digits(self, digits: str) -> None:
        """A browser has no use for keys: it is only told."""
        self.notify("digits", {"digits": digits})

    def notify(self, event: str, data: dict[str, object]) -> None:
        """Tell the client; what is said before it can hear is kept, the latest 64."""
        for observer in self._observers:
            observer(event, data)
        message = encode(event, data)
        if self._send is None:
            self._kept.append(message)
        else:
            self._deliver(message)

    # What comes from the caller

    def hear(self, samples: Samples) -> None:
        """Give the session the caller's next audio, 16 kHz; of a muted caller, silence."""
        frame = AudioFrame(np.zeros_like(samples) if self.muted else samples, SPEECH_RATE, self._received)
        self._received = frame.end
        if self._session is not None and len(samples):
            self._session.hear(frame)

    def receive(self, message: str | bytes) -> None:
        """Carry out a client's message; one that cannot be used is answered, one too many is dropped."""
        now = self._clock()
        self._allowance = min(_BURST, self._allowance + (now - self._allowance_at) * _EVENTS_A_SECOND)
        self._allowance_at = now
        if self._allowance < 1.0:
            self.dropped_events += 1
            return
        self._allowance -= 1.0
        try:
            event = parse(message)
        except BadMessage as error:
            self.notify("error", {"code": "BAD_MESSAGE", "error": str(error)})
            return
        session = self._session
        match event:
            case Ping(number):
                self.notify("pong", {"id": number, "time": round(self.media_clock.media_time(now), 3)})
            case Mute(muted):
                self.muted = muted
                self.notify("muted", {"muted": muted})
            case End():
                self.leave("the caller hung up")
            case Text(text) if session is not None:
                session.write(text)
            case Interrupt() if session is not None:
                session.interrupt()
            case Key(digit) if session is not None:
                session.press(digit)

    def leave(self, reason: str) -> None:
        """The caller is gone, or asks to be."""
        if self._session is not None:
            self._session.caller_left(reason)
        self.over.set()

    # What goes to the caller

    def next_frame(self) -> MediaFrame:
        """The next 20 ms to send, asked for when `outgoing.due()` has come; the session is told what was heard."""
        now = self._clock()
        frame = self.outgoing.next(now)
        position = self.outgoing.heard(now, self.delay)
        if position > self._reported and self._session is not None:
            self._session.heard(position)
        self._reported = position
        return frame

    @property
    def playout(self) -> Playout | None:
        """The session's speech with its words; None until the session has begun."""
        return self.outgoing.playout

    def position_at(self, media_time: float) -> int | None:
        """The playout position that sounds at a media time, None for silence: what the mouth follows."""
        return self.outgoing.position_at(media_time)

    def _deliver(self, message: str) -> None:
        if self._send is not None and not self._send(message):
            self.dropped_events += 1
