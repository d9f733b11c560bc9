"""Two voices of one call on one line of samples, each where the clock says it was heard.

Pure: times are arguments, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from media.audio.frames import Samples

HELD: Final = 1.3
"""Seconds that the agent's speech waits before it counts as heard: what a clear may still take back, a lag of the marks
of a second and what is sent ahead."""

LONGEST: Final = 24 * 3600
"""Seconds; what lies beyond is not kept."""

_EARLIEST: Final = 5.0
"""Seconds that the caller may have spoken before the beginning: while their call was being answered."""

_SETTLING: Final = 0.5
"""Seconds of arrivals from which is told when the caller's stream began: the one that was least late tells."""

_WINDOW: Final = 1.0
"""Seconds of arrivals after which the caller's stream is compared with the clock."""

_TOLERANCE: Final = 0.02
"""Seconds that the caller's stream may be off the clock before it is moved: clocks drift by some in an hour."""

_JOIN: Final = 2
"""Samples that two frames which follow one another may seem to have between them: sums of times are not exact."""


class Channel(IntEnum):
    """Which of the two channels, as they lie in a file: left, right."""

    CALLER = 0
    AGENT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Samples of one channel that nothing will change any more; `index` counts samples since the beginning."""

    channel: Channel
    index: int
    samples: Samples

    @property
    def end(self) -> int:
        """Index of the first sample after it."""
        return self.index + len(self.samples)


class TwoChannels:
    """Places what two people say by the time at which it is heard; where nothing is placed is silence.

    The caller's audio is one stream that arrives late, never early: by how much it is late at the least, over many
    chunks, tells when it was spoken, so that what the network delays keeps its place. The agent's frames come with the
    time at which they begin to be heard, one after the other; `cleared` takes back what was not.

    `began`: the time of sample 0, unless the caller's stream turns out to have begun earlier: then that is sample 0.
    Memory is bounded by half a second of the caller, by `HELD` and what is sent ahead of the agent, and by what waits
    to be taken out with `settled`.
    """

    def __init__(self, rate: int, began: float) -> None:
        self._rate = rate
        self._began = began
        self._agent: deque[Piece] = deque()  # may still be cleared
        self._agent_end = 0
        self._caller = _Arrivals(round(_SETTLING * rate), round(_WINDOW * rate), round(_TOLERANCE * rate))
        self._done: list[Piece] = []
        self._shift: int | None = None  # of everything, known when the first piece is done

    def caller(self, samples: Samples, at: float, *, lost: int = 0) -> None:
        """The next samples of the caller's stream arrived at `at`; `lost`: samples before them that never will."""
        self._keep(self._caller.arrive(samples, self._index(at), lost))

    def agent(self, samples: Samples, at: float) -> None:
        """Samples that are heard from `at` on, or as soon as what was given before them has been."""
        index = self._index(at)
        if index <= self._agent_end + _JOIN:
            index = self._agent_end
        piece = Piece(Channel.AGENT, index, samples)
        self._agent.append(piece)
        self._agent_end = piece.end

    def cleared(self, at: float) -> None:
        """Of what the agent was to say, nothing is heard from `at` on."""
        end = max(0, self._index(at))
        while self._agent and self._agent[-1].index >= end:
            self._agent.pop()
        if self._agent and (last := self._agent[-1]).end > end:
            self._agent[-1] = Piece(last.channel, last.index, last.samples[: end - last.index])
        self._agent_end = min(self._agent_end, end)

    def settled(self, now: float) -> list[Piece]:
        """What can no longer change, and was not returned before: each channel in order."""
        limit = self._index(now - HELD)
        while self._agent and self._agent[0].end <= limit:
            self._keep([self._agent.popleft()])
        pieces, self._done = self._done, []
        return [joined for channel in Channel for joined in _joined(p for p in pieces if p.channel is channel)]

    def end(self, now: float) -> tuple[list[Piece], int]:
        """The rest, nothing of it later than `now`, and how many samples the whole has."""
        self._keep(self._caller.flush())
        self.cleared(now)
        self._keep(list(self._agent))
        self._agent.clear()
        length = min(max(0, self._index(now) + (self._shift or 0)), LONGEST * self._rate)
        pieces = [_cut(piece, length) for piece in self.settled(now)]
        return [piece for piece in pieces if len(piece.samples)], length

    def _index(self, at: float) -> int:
        return round((at - self._began) * self._rate)

    def _keep(self, pieces: list[Piece]) -> None:
        if pieces and self._shift is None:
            self._shift = min(max(0, -pieces[0].index), round(_EARLIEST * self._rate))
        for piece in pieces:
            index = piece.index + (self._shift or 0)
            first = max(0, -index)
            if first < len(piece.samples) and index + len(piece.samples) <= LONGEST * self._rate:
                self._done.append(Piece(piece.channel, index + first, piece.samples[first:]))


class _Arrivals:
    """Places a stream of consecutive samples by when its chunks arrived. All times are in samples.

    A chunk arrives when its last sample has been spoken, or later. `early` and `since` are of the arrivals that are
    being watched: by how much the least late one was late, and when the first of them came.
    """

    def __init__(self, settling: int, window: int, tolerance: int) -> None:
        self._window = settling
        self._later = window
        self._tolerance = tolerance
        self._waiting: list[tuple[int, Samples]] | None = []
        self._received = 0  # of the stream, lost ones too
        self._offset = 0  # where the stream's sample 0 lies
        self._placed = 0  # the index after the last sample placed
        self._early: int | None = None
        self._since = 0

    def arrive(self, samples: Samples, at: int, lost: int) -> list[Piece]:
        """What is placed now that this chunk has come."""
        position = self._received + lost
        self._received = position + len(samples)
        late = at - self._received - self._offset
        pieces: list[Piece] = []
        if self._early is None:
            self._since = at
        elif at - self._since >= self._window:
            pieces = self._compare()
            late = at - self._received - self._offset
            self._early, self._since = None, at
        self._early = late if self._early is None else min(self._early, late)
        if self._waiting is not None:
            self._waiting.append((position, samples))
            return pieces
        return [*pieces, *self._place(position, samples)]

    def flush(self) -> list[Piece]:
        """Place what waits for the beginning to be known."""
        return self._compare() if self._waiting is not None and self._early is not None else []

    def _compare(self) -> list[Piece]:
        """Move the stream to where it belongs; the first time, place what has come of it."""
        off = self._early or 0
        if self._waiting is None:
            self._offset += off if abs(off) > self._tolerance else 0
            return []
        waiting, self._waiting = self._waiting, None
        self._offset, self._window = off, self._later
        self._placed = off
        return [piece for position, samples in waiting for piece in self._place(position, samples)]

    def _place(self, position: int, samples: Samples) -> list[Piece]:
        index = position + self._offset
        again = max(0, self._placed - index)  # the stream was moved back: this has its place taken
        if again >= len(samples):
            return []
        self._placed = index + len(samples)
        return [Piece(Channel.CALLER, index + again, samples[again:])]


def _cut(piece: Piece, end: int) -> Piece:
    return Piece(piece.channel, piece.index, piece.samples[: max(0, end - piece.index)])


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same samples in as few pieces as there are runs."""
    run: list[Piece] = []
    for piece in pieces:
        if run and run[-1].end != piece.index:
            yield _one(run)
            run = []
        run.append(piece)
    if run:
        yield _one(run)


def _one(run: list[Piece]) -> Piece:
    return Piece(run[0].channel, run[0].index, np.concatenate([piece.samples for piece in run]))
