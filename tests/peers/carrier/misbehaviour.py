"""What carriers do wrong on bad days, drawn from a seed so that a bad day can be had again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Misbehaviour:
    """How often (0 to 1) each thing goes wrong.

    `late`: a callback comes up to `lateness` seconds late, and so out of order. `twice`: a callback comes again.
    `dropped`: a media stream's socket is cut without a word. `jittered`: a frame comes up to 0.1 s late.
    `refused`: a REST request is answered 429. `failed`: 503, after it was carried out or before.
    """

    late: float = 0.0
    lateness: float = 0.5
    twice: float = 0.0
    dropped: float = 0.0
    jittered: float = 0.0
    refused: float = 0.0
    failed: float = 0.0
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def happens(self, chance: float) -> bool:
        """Whether it happens this time."""
        return self._random.random() < chance

    def delay(self) -> float:
        """How late this callback is, in seconds."""
        return self._random.uniform(0.0, self.lateness) if self.happens(self.late) else 0.0

    def jitter(self) -> float:
        """How late this frame is, in seconds."""
        return self._random.uniform(0.0, 0.1) if self.happens(self.jittered) else 0.0

    def within(self, longest: float) -> float:
        """Some time up to `longest` seconds."""
        return self._random.uniform(0.0, longest)
