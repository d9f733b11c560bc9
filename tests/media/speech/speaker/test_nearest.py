from __future__ import annotations

import numpy as np
import pytest

from media.models.manifest import default_manifest
from media.speech.speaker.nearest import Embedding, nearest_voice, voice_embeddings
from media.speech.synthesis.registry import KOKORO, PACKAGED


def towards(*axes: float) -> Embedding:
    vector = np.zeros(256, np.float32)
    vector[: len(axes)] = axes
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def test_the_voice_with_the_largest_cosine_is_nearest() -> None:
    found = nearest_voice(towards(1, 0.2), {"a": towards(0, 1), "b": towards(1, 0.5), "c": towards(1, -1)})
    assert found.name == "b"
    assert found.similarity == pytest.approx(float(towards(1, 0.2) @ towards(1, 0.5)))


def test_of_equals_the_first_by_name_is_taken_whatever_their_order() -> None:
    assert nearest_voice(towards(1), {"z": towards(1), "b": towards(1)}).name == "b"


def test_without_candidates_there_is_no_nearest() -> None:
    with pytest.raises(ValueError, match="no voice"):
        nearest_voice(towards(1), {})


def test_every_packaged_voice_has_been_measured() -> None:
    kokoro = default_manifest().model("kokoro").files
    names = {KOKORO + file.path[7:-4] for file in kokoro if file.path.startswith("voices/")} | set(PACKAGED)
    measured = voice_embeddings()
    assert set(measured) == names
    for embedding in measured.values():
        assert embedding.shape == (256,)
        assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-5)


def test_voices_that_are_not_here_are_no_candidates() -> None:
    assert set(voice_embeddings(["piper-joe", "my-own"])) == {"piper-joe"}
