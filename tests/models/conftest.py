"""Models that several modules listen with. Kokoro's voices come from npm; where there is none, its tests say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from media.models import model_dir, status
from media.speech.activity.silero import SileroModel
from media.speech.recognition.whisper import WhisperOptions, WhisperRecogniser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = status(["kokoro"])
    if missing:
        marker = pytest.mark.skip(reason=missing["kokoro"])
        for item in items:
            if "tests/models/" in item.nodeid and "kokoro" in item.nodeid.lower():
                item.add_marker(marker)


@pytest.fixture(scope="module")
def recogniser() -> Iterator[WhisperRecogniser]:
    """Our own, on the processor; modules that read voices back have a peer of this name instead."""
    made = WhisperRecogniser(model_dir("whisper-base"), WhisperOptions(device="cpu"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def model() -> SileroModel:
    """Silero."""
    return SileroModel(model_dir("silero-vad") / "silero_vad.onnx")
