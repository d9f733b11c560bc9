"""Sound levels: how loud a line's silence is, and what stands out from it. Pure."""

from __future__ import annotations

import math

SILENCE_LEVEL = -75.0
"""dBFS at and below which everything counts as digital silence (8-bit μ-law cannot say less)."""
SMOOTHING = 0.3
"""Share of a new block in the level that the floor is the least of."""


class NoiseFloor:
    """Follows the level of a line's background through the speech over it.

    The floor is the least of the recent block levels (the quietest moments of speech reach the background),
    over two halves of a sliding window, so that it follows a line that grew louder within `seconds` and one
    that fell silent at once.
    """

    def __init__(self, *, block_seconds: float, seconds: float = 3.0) -> None:
        self._half = max(1, round(seconds / 2 / block_seconds))
        self._count = 0
        self._current = math.inf
        self._previous = math.inf
        self._smoothed = math.nan

    @property
    def level(self) -> float:
        """The background's level in dBFS, at least `SILENCE_LEVEL`."""
        least = min(self._current, self._previous)
        return SILENCE_LEVEL if least == math.inf else max(SILENCE_LEVEL, least)

    def add(self, level: float) -> None:
        """One more block's level in dBFS."""
        # A single quiet block of a noisy line must not set its floor.
        self._smoothed = level if math.isnan(self._smoothed) else self._smoothed + SMOOTHING * (level - self._smoothed)
        self._current = min(self._current, self._smoothed)
        self._count += 1
        if self._count >= self._half:
            self._previous, self._current, self._count = self._current, self._smoothed, 0


class PeakLevel:
    """The level that speech reached lately: rises at once, decays slowly."""

    def __init__(self, *, block_seconds: float, decay: float = 8.0) -> None:
        self._step = decay * block_seconds
        self.level = SILENCE_LEVEL

    def add(self, level: float) -> None:
        """One more block's level in dBFS; call it for speech only."""
        self.level = max(level, self.level - self._step)
