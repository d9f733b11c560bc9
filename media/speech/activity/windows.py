"""What voice activity is measured in: windows of 32 ms, and blocks of 8 ms within them."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 512
"""Samples a window brings (32 ms at 16 kHz)."""
BLOCK = 128
"""Samples (8 ms) whose level is measured apart, so that speech ends to the block and not to the window."""


@dataclass(frozen=True, slots=True)
class ActivityWindow:
    """What one window holds.

    `index` is its first sample in the stream, `probability` in [0, 1] that there is speech in it, `levels`
    the level in dBFS of each of its blocks.
    """

    index: int
    probability: float
    levels: tuple[float, ...]

    @property
    def end(self) -> int:
        """Index of the first sample after the window."""
        return self.index + len(self.levels) * BLOCK
