"""When to send the next frame of speech, which marks to ask for, and what the listener has heard of it.

Audio sent is not audio heard: Twilio queues what it gets and plays it at real time. So little is sent ahead
that a listener who interrupts does not wait, and enough that a late frame is not heard. What was heard is
reckoned by the clock from when frames were sent, and corrected by the marks that come back.

Pure: the time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

FRAME_SECONDS: Final = 0.02
"""Twilio plays whole frames of this length."""

DEFAULT_LEAD: Final = 0.12
"""Seconds of audio sent ahead of what the listener hears: less breaks on jitter, more delays an interruption."""

MARK_SECONDS: Final = 0.1
"""A mark is asked for after this much audio, and at the end of what there is to say."""

PARTIAL_MARGIN: Final = 0.04
"""A frame that would have to be padded waits for more speech until this long before it is due to be heard."""

MAX_LAG: Final = 1.0
"""Marks hold the reckoning back by at most this much: a peer that answers none is taken to hear that late."""

_ROUNDING: Final = 1e-7  # sums of 0.02 are not exact; far below a sample
_MAX_MARKS: Final = 64  # outstanding; six seconds of a peer that answers none


@dataclass(frozen=True, slots=True)
class _Sent:
    """A frame under way: heard from `at` on, it holds the playout positions `start` to `end`."""

    at: float
    start: int
    end: int


class PhonePacer:
    """Paces one call's speech in frames of 20 ms and keeps the ledger of what was heard.

    Playback of a frame begins when the one before it has ended, or when it is sent, whichever is later;
    a frame may be sent once no more than `lead` seconds (0.1 to 0.2) would wait to be played. After a stall the
    reckoning begins anew at the present, so at most one lead's worth is ever sent at once and nothing drifts.

    Marks are named `t<turn>:<position>:<epoch>`, where the epoch counts clears: those that a clear makes
    Twilio return at once are of an earlier epoch, and say nothing of what was heard.
    """

    def __init__(self, rate: int = 8000, lead: float = DEFAULT_LEAD, *, epoch: int = 0) -> None:
        self.rate = rate
        self.lead = lead
        self.stray_marks = 0
        self._frames: deque[_Sent] = deque()  # not yet heard to their ends
        self._marks: OrderedDict[str, tuple[float, int]] = OrderedDict()  # name: (due to be passed, position)
        self._playing_until = float("-inf")
        self._unmarked = 0.0  # seconds sent since the last mark
        self._sent = 0
        self._heard = 0
        self._lag = 0.0
        self._epoch = epoch

    @property
    def epoch(self) -> int:
        """What the marks asked for now are named by; a pacer that follows on the same stream begins after it."""
        return self._epoch

    @property
    def sent_position(self) -> int:
        """The playout position after the last sample sent and not cleared."""
        return self._sent

    @property
    def finished(self) -> bool:
        """Whether everything that was sent has been heard, as far as was last reckoned."""
        return self._heard >= self._sent

    def due(self, *, partial: bool = False) -> float:
        """When the next frame may be sent; in the past if at once. `partial`: it would have to be padded."""
        return self._playing_until - (PARTIAL_MARGIN if partial else self.lead - FRAME_SECONDS) - _ROUNDING

    def heard_from(self, now: float) -> float:
        """When a frame that is sent now begins to be heard."""
        return max(now, self._playing_until)

    def heard_until(self, now: float) -> float:
        """What is to be heard from this time on has not been heard by `now`: that, less the lag of the marks."""
        overdue = now - next(iter(self._marks.values()))[0] if self._marks else 0.0
        return now - min(max(overdue, self._lag), MAX_LAG)

    def sent(self, now: float, start: int, end: int, turn_id: int, *, last: bool) -> str | None:
        """A frame with the playout positions `start` to `end` goes out; returns the mark to send after it, if any.

        `last`: nothing more is ready to be said.
        """
        self.heard(now)  # lets go of the frames that were heard
        at = self.heard_from(now)
        self._frames.append(_Sent(at, start, end))
        self._playing_until = at + FRAME_SECONDS
        self._sent = end
        self._unmarked += FRAME_SECONDS
        if not last and self._unmarked < MARK_SECONDS - FRAME_SECONDS / 2:
            return None
        self._unmarked = 0.0
        name = f"t{turn_id}:{end}:{self._epoch}"
        self._marks[name] = (self._playing_until, end)
        if len(self._marks) > _MAX_MARKS:
            self._marks.popitem(last=False)
        return name

    def passed(self, now: float, name: str) -> int:
        """A mark came back; returns the position heard. One that is unknown, or was cleared, changes nothing."""
        if name not in self._marks:
            self.stray_marks += 1
            return self.heard(now)
        while True:  # playback is in order: the marks before it have been passed as well
            passed, (due, position) = self._marks.popitem(last=False)
            if passed == name:
                break
        self._lag = min(max(now - due, 0.0), MAX_LAG)
        self._heard = max(self._heard, position)
        return self.heard(now)

    def heard(self, now: float) -> int:
        """The playout position heard by `now`: by the clock, less the lag of the marks; never moves back."""
        then = self.heard_until(now)
        while self._frames and self._frames[0].at <= then:
            frame = self._frames[0]
            played = frame.start + int((then - frame.at + _ROUNDING) * self.rate)
            self._heard = max(self._heard, min(played, frame.end))
            if then < frame.at + FRAME_SECONDS:
                break
            self._frames.popleft()
        return self._heard

    def clear(self, now: float) -> int:
        """All that waits to be played is dropped; returns the position heard, from which speech may go on."""
        heard = self.heard(now)
        self._frames.clear()
        self._marks.clear()
        self._playing_until = float("-inf")
        self._unmarked = 0.0
        self._sent = heard
        self._epoch += 1
        return heard
