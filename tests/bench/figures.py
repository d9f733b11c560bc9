"""What is measured of telephone calls, and how it is summed up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """What callers noted, in seconds.

    `answered`: from the end of the caller's last voiced frame to the first audible frame played to them.
    `stopped`: from the first voiced frame of an interruption to the last audible frame of what it interrupted.
    `lost`: turns without an answer. `talked_over`: turns in which the agent was audible while the caller still
    spoke. `met_silence`: interruptions that found the agent silent, which say nothing of how fast it stops.
    `gaps`: breaks in the agent's speech; `jitter`: of its frames, as `tests.bench.smoothness` has them.
    `failed`: calls that broke, and why.
    """

    answered: list[float] = field(default_factory=list)
    stopped: list[float] = field(default_factory=list)
    turns: int = 0
    lost: int = 0
    talked_over: int = 0
    interruptions: int = 0
    not_stopped: int = 0
    met_silence: int = 0
    gaps: list[float] = field(default_factory=list)
    jitter: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Take another caller's notes in."""
        self.answered += other.answered
        self.stopped += other.stopped
        self.turns += other.turns
        self.lost += other.lost
        self.talked_over += other.talked_over
        self.interruptions += other.interruptions
        self.not_stopped += other.not_stopped
        self.met_silence += other.met_silence
        self.gaps += other.gaps
        self.jitter += other.jitter
        self.failed += other.failed


def total(all_figures: Iterable[Figures]) -> Figures:
    """The notes of several callers as one."""
    out = Figures()
    for figures in all_figures:
        out.add(figures)
    return out


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def milliseconds(value: float | None) -> str:
    """For tables: whole milliseconds, or a dash."""
    return "–" if value is None else f"{1000 * value:.0f}"
