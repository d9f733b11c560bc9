"""How evenly speech arrives on a line: gaps that a listener hears, and how far frames are from their beat. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

FRAME: Final = 0.02
"""Seconds of sound in a frame."""
AHEAD: Final = 8
"""Frames at the beginning of a run that are sent at once, ahead of the listener."""
ANOTHER_RUN: Final = 0.6
"""Speech that goes on after so long a silence has paused, it did not break."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a frame of speech came in, and the turn it belongs to; `turn` "" where no mark said so."""

    at: float
    turn: str


@dataclass(frozen=True, slots=True)
class Smoothness:
    """Seconds. `gaps`: silences within the speech of a turn because the next frame came too late to follow.

    `jitter`: by how much the time between two frames is not 20 ms, once a run is under way.
    """

    gaps: tuple[float, ...]
    jitter: tuple[float, ...]


def smoothness(arrivals: Iterable[Arrival], cleared: Sequence[float] = ()) -> Smoothness:
    """What the frames of one call say; a run ends at each moment in `cleared`, when its rest was dropped."""
    gaps: list[float] = []
    jitter: list[float] = []
    before: Arrival | None = None
    until = 0.0
    run = 0
    for arrival in arrivals:
        dropped = before is not None and any(before.at <= moment <= arrival.at for moment in cleared)
        late = arrival.at - until
        if before is None or dropped or arrival.turn != before.turn or late >= ANOTHER_RUN:
            run, until = 0, arrival.at
        elif late > 0:
            gaps.append(late)
            run, until = 0, arrival.at
        elif run >= AHEAD:
            jitter.append(abs(arrival.at - before.at - FRAME))
        run += 1
        until += FRAME
        before = arrival
    return Smoothness(tuple(gaps), tuple(jitter))
