"""An adaptive jitter buffer for audio over RTP. Pure: packets and times go in, what to decode comes out.

A listener that is a machine needs the audio in order and whole, not evenly paced. So a packet leaves at the moment
all before it have left, without any added delay; only a missing one is waited for, as long as the network's own
jitter says that it may still come, and is then given up: recovered from the packet that follows or concealed.
Where nothing follows either, it is no loss but a stall, and what was said in it is still to come: that is worth
waiting for longer, unless the sender had said by a tiny packet that it sends nothing while nobody speaks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias

CLOCK_RATE: Final = 48_000
GRID: Final = 120
"""Timestamps count on this grid, 2.5 ms: no Opus frame is shorter, and concealment comes in multiples of it."""

_BIN: Final = 0.005
_BINS: Final = 120
_FORGETTING: Final = 0.998  # of the past per packet: ten seconds at 50 packets a second
_QUANTILE: Final = 0.97
_BASE_SECONDS: Final = 10
_JUMP: Final = 3 * CLOCK_RATE
_RESET_EVERY: Final = 5.0
_AHEAD: Final = 2.0
_DRIFT: Final = 0.001
_HALF: Final = 1 << 31
_PAUSE_BYTES: Final = 3
"""A packet of so few bytes announces that the sender goes silent (discontinuous transmission)."""


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """An RTP packet of audio: `timestamp` and `duration` in ticks of 48 kHz, both counters as on the wire."""

    sequence: int
    timestamp: int
    duration: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Play:
    """Decode this packet."""

    packet: AudioPacket


@dataclass(frozen=True, slots=True)
class Fill:
    """So many ticks are missing. `following`: the payload of the packet right after, which may carry a copy."""

    duration: int
    following: bytes | None = None


Step: TypeAlias = Play | Fill


@dataclass(slots=True)
class JitterStats:
    """Totals since the stream began, in packets (`filled` and `played` in ticks)."""

    received: int = 0
    late: int = 0
    repeated: int = 0
    refused: int = 0
    resets: int = 0
    played: int = 0
    filled: int = 0


class Lateness:
    """How much later than the earliest of the last ten seconds packets come, and how long to wait for one.

    `least` and `most` bound the wait, in seconds.
    """

    def __init__(self, least: float, most: float) -> None:
        self.wait = least
        self._least = least
        self._most = most
        self._minima: deque[tuple[int, float]] = deque()  # (second, least transit time in it), increasing
        self._histogram = [0.0] * _BINS

    def add(self, transit: float, now: float) -> None:
        """A packet came that was `transit` seconds on its way, by clocks that differ by a constant."""
        second = int(now)
        while self._minima and self._minima[-1][1] >= transit:
            self._minima.pop()
        self._minima.append((second, transit))
        while self._minima[0][0] <= second - _BASE_SECONDS:
            self._minima.popleft()
        bin_ = min(int((transit - self.base) / _BIN), _BINS - 1)
        self._histogram = [weight * _FORGETTING for weight in self._histogram]
        self._histogram[bin_] += 1.0
        self.wait = min(max(self._quantile() + _BIN, self._least), self._most)

    @property
    def base(self) -> float:
        """The transit time of the quickest packet."""
        return self._minima[0][1]

    def forget(self) -> None:
        """The clocks differ by another constant now."""
        self._minima.clear()

    def _quantile(self) -> float:
        wanted = sum(self._histogram) * _QUANTILE
        for number, weight in enumerate(self._histogram):
            wanted -= weight
            if wanted <= 0:
                return (number + 1) * _BIN
        return _BINS * _BIN


class JitterBuffer:
    """Orders one stream's packets. Say `add` for each that comes, then `pop`, and `pop` again at `next_deadline`.

    What `pop` gives follows without gap or overlap. No packet is held longer than `most` seconds beyond the moment
    at which the quickest would have come; `stall` seconds may pass before anything stands in for a sender of whom
    nothing comes at all. Timestamps that leap, as where a sender begins anew, begin a new stream;
    a sender that is far ahead of its own clock is refused, so that nobody is heard faster than real time for long.
    """

    def __init__(self, *, least: float = 0.04, most: float = 0.25, stall: float = 1.0) -> None:
        self._stall = stall
        self._paused = False
        self.stats = JitterStats()
        self._lateness = Lateness(least, most)
        self._waiting: dict[int, AudioPacket] = {}  # by unwrapped timestamp
        self._next: int | None = None
        self._frame = CLOCK_RATE // 50
        self._first = (0, 0.0)
        self._reset_at = float("-inf")

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def wait(self) -> float:
        """Seconds for which a missing packet is waited for now."""
        return self._lateness.wait

    def add(self, packet: AudioPacket, now: float) -> None:
        """A packet has come; one that is too late, repeated or out of all bounds is only counted."""
        self.stats.received += 1
        timestamp = self._unwrap(packet.timestamp)
        if self._next is None or abs(timestamp - self._next) > _JUMP:
            if now - self._reset_at < _RESET_EVERY:
                self.stats.refused += 1
                return
            self._begin(timestamp, now)
        elapsed = now - self._first[1]
        if (timestamp - self._first[0]) / CLOCK_RATE - elapsed > _AHEAD + _DRIFT * elapsed:
            self.stats.refused += 1
            return
        self._lateness.add(now - timestamp / CLOCK_RATE, now)
        if timestamp in self._waiting:
            self.stats.repeated += 1
        elif self._next is not None and timestamp < self._next:
            self.stats.late += 1
        else:
            self._waiting[timestamp] = packet

    def pop(self, now: float, *, give_up: bool = True) -> list[Step]:
        """What can be decoded now, in order; without `give_up`, missing packets are waited for whatever the time."""
        steps: list[Step] = []
        while self._next is not None:
            packet = self._waiting.pop(self._next, None)
            if packet is not None:
                self._frame = packet.duration
                self._paused = len(packet.payload) <= _PAUSE_BYTES
                self._next = self._advance(self._next, packet.duration)
                self.stats.played += packet.duration
                steps.append(Play(packet))
                continue
            deadline = self.next_deadline()
            if not give_up or deadline is None or now < deadline:
                break
            step = self._fill(self._next)
            self._next = self._advance(self._next, step.duration)
            self.stats.filled += step.duration
            steps.append(step)
        return steps

    def next_deadline(self) -> float | None:
        """When the next packet is given up if it has not come; None before the first."""
        if self._next is None:
            return None
        wait = self._lateness.wait
        if not self._waiting and not self._paused:
            wait = max(wait, self._stall)
        return self._lateness.base + self._next / CLOCK_RATE + wait

    def _fill(self, start: int) -> Fill:
        """Stand in for the frame that begins there, or for what is missing of it."""
        if not self._waiting:
            return Fill(self._frame)
        following = min(self._waiting)
        gap = following - start
        if gap > self._frame:
            return Fill(self._frame)
        return Fill(gap, self._waiting[following].payload)

    def _advance(self, start: int, duration: int) -> int:
        """Where the stream stands after so many ticks; packets that overlap them have nothing new to say."""
        end = start + duration
        for timestamp in [t for t in self._waiting if t < end]:
            del self._waiting[timestamp]
            self.stats.late += 1
        return end

    def _begin(self, timestamp: int, now: float) -> None:
        if self._next is not None:
            self.stats.resets += 1
        self._waiting.clear()
        self._lateness.forget()
        self._next, self._first, self._reset_at = timestamp, (timestamp, now), now

    def _unwrap(self, timestamp: int) -> int:
        """The 32-bit counter as one that never wraps, on the grid of the stream."""
        if self._next is None:
            return timestamp
        difference = (timestamp - self._next + _HALF) % (2 * _HALF) - _HALF
        if abs(difference) > _JUMP:
            return self._next + difference
        return self._next + round(difference / GRID) * GRID
