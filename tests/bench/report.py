"""docs/benchmarks.md: what was measured, on what, how, and beside what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.figures import Figures, milliseconds, quantile

HEAD = """\
# Benchmarks

Written by `make bench` (`python -m tests.bench`) on {date}.

- machine: {machine}
- server: {settings}
- language model: a paced OpenAI-compatible endpoint ({pace}), a new first clause in every answer
- caller: `tests/peers/phone_caller.py`, Twilio Media Streams over loopback, 20 ms μ-law frames in real time, playback
  emulated as Twilio does it; recordings from `tests/speech/`. Caller, language model and server share the cores.

**Voice to voice** is the time from the end of the caller's last voiced frame to the first audible frame *played* to
the caller. **Barge-in to silence** is the time from the interrupting caller's first voiced frame to the last audible
frame of what was interrupted. A turn is **lost** when no answer comes within 12 s, **talked over** when the agent is
audible while the caller still speaks. **Memory** is the resident set of the server and its child processes, added up,
at its peak.
"""

REFERENCE = """\
| reference | p50 | p95 |
|---|---|---|
| voice to voice, one call | 2400 | 3200–4200 |
| voice to voice, four calls at once | 6100 | 8800 |
| barge-in to silence | 380 | 460 |

The reference is Pipecat 1.14 with the same models (Silero, Smart Turn v3, faster-whisper base int8, the same Piper
voice), the same paced language model and the same measure on a two-core machine: 1 of 42 turns lost in one call, 1 of
20 with four calls at once, 2.7 GB of memory. We measured it ourselves, before this project's code existed; it is one
configuration, not necessarily its best.
"""


AUDIBLE_GAP = 0.06
"""Seconds: a shorter break in speech is not noticed."""


@dataclass(slots=True)
class Part:
    """One part of the benchmark."""

    title: str
    figures: Figures
    memory: int
    calls: int = 1


@dataclass(slots=True)
class Report:
    """Everything that was measured in one go."""

    machine: str
    settings: str
    pace: str
    command: str
    parts: list[Part] = field(default_factory=list)
    hesitation: str | None = None
    sections: list[tuple[str, str, str]] = field(default_factory=list)
    """Title, command and output of the other benchmarks."""

    def table(self) -> str:
        """The figures of all parts."""
        lines = [
            "| | calls | turns | p50 ms | p95 ms | max ms | lost | talked over | memory MB |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for part in self.parts:
            figures = part.figures
            loss = f"{figures.turns} | {_three(figures.answered)} | {figures.lost} | {figures.talked_over}"
            lines.append(f"| voice to voice, {part.title} | {part.calls} | {loss} | {part.memory / 1e6:.0f} |")
            if figures.interruptions:
                stops = f"{len(figures.stopped)} | {_three(figures.stopped)} | {figures.not_stopped} not silenced"
                lines.append(f"| barge-in to silence, {part.title} | {part.calls} | {stops} | – | – |")
        lines += [""] + [_evenly(part) for part in self.parts if part.figures.jitter]
        turns = sum(part.figures.turns for part in self.parts)
        missed = sum(part.figures.lost + part.figures.talked_over for part in self.parts)
        lines += ["", f"Turns lost or talked over, all parts: {missed} of {turns}."]
        if self.hesitation is not None:
            lines += [f"A caller who hesitates for 0.9 s in the middle of a turn: {self.hesitation}."]
        broken = [reason for part in self.parts for reason in part.figures.failed]
        lines += [f"Calls that broke: {len(broken)}" + "".join(f"; {reason}" for reason in broken) + "."]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The whole document."""
        date = time.strftime("%Y-%m-%d")
        head = HEAD.format(date=date, machine=self.machine, settings=self.settings, pace=self.pace)
        blocks = [head, f"```\n{self.command}\n```\n", self.table() + "\n", REFERENCE]
        for title, command, output in self.sections:
            blocks.append(f"## {title}\n\n```\n$ {command}\n{output.strip()}\n```\n")
        return "\n".join(blocks)


def _evenly(part: Part) -> str:
    gaps, jitter = part.figures.gaps, part.figures.jitter
    audible = sum(gap > AUDIBLE_GAP for gap in gaps)
    return (
        f"Speech as it was sent, {part.title}: {audible} breaks of more than {1000 * AUDIBLE_GAP:.0f} ms, "
        f"{len(gaps)} in all, the longest {milliseconds(max(gaps, default=0.0))} ms; "
        f"jitter p99 {1000 * (quantile(jitter, 0.99) or 0):.1f} ms."
    )


def _three(values: Sequence[float]) -> str:
    return " | ".join(milliseconds(quantile(values, share)) for share in (0.5, 0.95, 1.0))
