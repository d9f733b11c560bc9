"""Opens a lip-sync network by its name in settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from media.avatar.errors import NetworkInvalid
from media.avatar.neural.adapter import LipSyncAdapter
from media.avatar.neural.musetalk import MuseTalk
from media.avatar.neural.ultralight import Ultralight
from media.avatar.neural.wav2lip import Wav2Lip

ADAPTERS: Mapping[str, Callable[[Path], LipSyncAdapter]] = {
    "wav2lip": Wav2Lip,
    "musetalk": MuseTalk,
    "ultralight": Ultralight,
}


def open_adapter(name: str, weights: Path) -> LipSyncAdapter:
    """The adapter of this name over these weights (a file or a folder). Raises `NetworkInvalid`."""
    try:
        kind = ADAPTERS[name]
    except KeyError:
        raise NetworkInvalid(f"there is no lip-sync network {name!r}; there are: {', '.join(ADAPTERS)}") from None
    if not weights.exists():
        raise NetworkInvalid(f"the weights for {name} are not at {weights}")
    return kind(weights)
