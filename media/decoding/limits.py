"""What decoding may cost."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one decoding, all of them enforced from outside the decoder too.

    bytes: of the input. pixels: width times height of a picture or a video frame, read before anything is decoded.
    memory: bytes of address space beyond what the idle helper has. cpu_s, wall_s: seconds of processor and of clock.
    """

    bytes: int = 2048 * MIB
    pixels: int = 50_000_000
    memory: int = 1024 * MIB
    cpu_s: int = 60
    wall_s: float = 120.0

    def __post_init__(self) -> None:
        for name in ("bytes", "pixels", "memory", "cpu_s", "wall_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")


PICTURE_LIMITS = Limits(bytes=64 * MIB, cpu_s=20, wall_s=60.0)
SOUND_LIMITS = Limits(cpu_s=120, wall_s=300.0)
FRAME_LIMITS = Limits(pixels=4096 * 2304, cpu_s=120, wall_s=300.0)
PROBE_LIMITS = Limits(cpu_s=20, wall_s=60.0)
MOST_RESULT_BYTES = 2048 * MIB
"""No result may be larger, whatever the options of a call ask for."""
