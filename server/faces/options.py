"""What the faces need to know of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from server.settings import Settings


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """Settings of the faces.

    `cache`: folder in which enrolled portraits are kept. `renderer`: "puppet" or the name of a lip-sync network, whose
    `weights` are a file or folder with the SHA-256 `checksum` ("" to take any). `side`: pixels of the video's side.
    `frame_rate`: frames a second.
    `threads`: cores that drawing may use.
    """

    cache: Path
    renderer: str = "puppet"
    weights: Path | None = None
    checksum: str = ""
    side: int = 512
    frame_rate: int = 25
    threads: int = 1

    @classmethod
    def of(cls, settings: Settings) -> FaceOptions:
        """The faces' part of the settings."""
        avatar = settings.avatar
        return cls(
            cache=settings.data_dir / "portraits",
            renderer=avatar.renderer,
            weights=avatar.weights,
            checksum=avatar.weights_sha256,
            side=avatar.size,
            frame_rate=settings.web.frame_rate,
            threads=avatar.threads,
        )
