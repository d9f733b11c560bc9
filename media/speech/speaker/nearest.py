"""The packaged voice that sounds most like somebody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

VOICES = Path(__file__).with_name("voices.safetensors")
"""Embeddings of the packaged voices, made by `python -m media.speech.speaker.measure_voices`."""

Embedding: TypeAlias = npt.NDArray[np.float32]
"""Shape [256], of unit length."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A voice and how alike it is: the cosine between both embeddings, 0 to 1.

    Two recordings of one person usually have 0.8 and more, two people of one sex 0.5 to 0.7.
    """

    name: str
    similarity: float


def nearest_voice(embedding: Embedding, candidates: Mapping[str, Embedding]) -> Nearest:
    """The candidate most like `embedding`; of equals the first by name. Raises `ValueError` without candidates."""
    if not candidates:
        raise ValueError("there is no voice to choose from")
    likeness = {name: float(np.dot(embedding, candidates[name])) for name in sorted(candidates)}
    best = max(likeness, key=lambda name: likeness[name])
    return Nearest(best, min(1.0, max(0.0, likeness[best])))


def voice_embeddings(names: Iterable[str] | None = None) -> dict[str, Embedding]:
    """Embeddings of the packaged voices by name; of those in `names` (as `VoiceRegistry.names` gives them) if given.

    Voices that were not measured are left out: somebody's own Piper voices.
    """
    measured = _measured()
    return {name: measured[name] for name in (measured if names is None else names) if name in measured}


@cache
def _measured() -> dict[str, Embedding]:
    found = {name: values.astype(np.float32) for name, values in load_file(VOICES).items()}
    return {name: np.asarray(values / np.linalg.norm(values), np.float32) for name, values in sorted(found.items())}
