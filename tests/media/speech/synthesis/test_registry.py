"""Opening voices by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import media.speech.synthesis
from media.models import ModelError
from media.speech.synthesis import UnknownVoice, VoiceFileError, VoiceRegistry
from media.speech.synthesis.g2p.espeak import EspeakPhonemiser
from media.worker import ModelWorker
from tests.media.speech.synthesis.fakes import Letters
from tests.media.speech.synthesis.tiny_voice import RATE, tiny_model, write_voice


@pytest.fixture
def worker() -> Iterator[ModelWorker]:
    made = ModelWorker("voices")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a voice, beside an empty folder of models."""
    monkeypatch.setenv("VISAVIS_MODELS_DIR", str(tmp_path / "models"))
    (tmp_path / "voices").mkdir()
    return tmp_path / "voices"


@pytest.fixture
def registry(worker: ModelWorker, folder: Path) -> Iterator[VoiceRegistry]:
    paths = {"tiny": write_voice(folder, tiny_model(speakers=True), speakers=True)}
    made = VoiceRegistry(worker, paths=paths, phonemiser=EspeakPhonemiser(), deterministic=True)
    yield made
    made.close()


async def test_a_voice_of_ones_own_speaks_by_name_and_by_path(registry: VoiceRegistry, folder: Path) -> None:
    for name in ("tiny", str(folder / "tiny.onnx")):
        voice = registry.open(name)
        assert (voice.name, voice.rate, voice.language) == (name, RATE, "en-us")
        chunks = [chunk async for chunk in voice.synthesise("Hello, world.", deadline=0.0)]
        assert [w.text for c in chunks for w in c.words] == ["Hello", "world"]
        assert sum(len(c.samples) for c in chunks) > 0.1 * RATE


async def test_a_speaker_is_chosen_behind_a_hash(registry: VoiceRegistry) -> None:
    audio = []
    for name in ("tiny#ann", "tiny#bob"):
        chunks = [chunk async for chunk in registry.open(name).synthesise("Hello.", deadline=0.0)]
        audio.append(np.concatenate([chunk.samples for chunk in chunks]))
    assert audio[0].shape != audio[1].shape or np.abs(audio[0] - audio[1]).max() > 0.01
    with pytest.raises(VoiceFileError, match="'eve'; it has: ann, bob"):
        registry.open("tiny#eve")


async def test_a_voice_is_opened_once(registry: VoiceRegistry) -> None:
    voice = await registry.get("tiny")
    assert await registry.get("tiny") is voice
    assert registry.open("tiny") is voice


def test_an_unknown_voice_is_an_error_that_lists_those_there_are(registry: VoiceRegistry) -> None:
    with pytest.raises(UnknownVoice, match=r"'nobody'; there are: piper-joe, tiny, .*path"):
        registry.open("nobody")


def test_a_voice_whose_weights_are_missing_says_how_to_get_them(registry: VoiceRegistry) -> None:
    for name in ("piper-joe", "kokoro:af_heart"):
        with pytest.raises(ModelError, match=re.escape("python -m media.models fetch")):
            registry.open(name)


def test_a_path_without_a_voice_is_an_error_that_names_it(registry: VoiceRegistry, folder: Path) -> None:
    with pytest.raises(VoiceFileError, match=r"no voice at .*other\.onnx"):
        registry.open(str(folder / "other.onnx"))


def test_a_changed_voice_is_taken_apart_anew(registry: VoiceRegistry, folder: Path, worker: ModelWorker) -> None:
    registry.open("tiny")
    derived = folder.parent / "models" / "derived"
    assert len(list(derived.iterdir())) == 1
    write_voice(folder, tiny_model())
    other = VoiceRegistry(worker, phonemiser=Letters())
    other.open(str(folder / "tiny.onnx"))
    other.close()
    assert len(list(derived.iterdir())) == 2


def test_closing_closes_the_phonemiser(worker: ModelWorker) -> None:
    phonemiser = Letters()
    VoiceRegistry(worker, phonemiser=phonemiser).close()
    assert phonemiser.closed == 1


def test_what_is_public_is_deliberate() -> None:
    assert media.speech.synthesis.__all__ == [
        "DEFAULT_VOICE",
        "LanguageNotSupported",
        "PhonemiserError",
        "PhonemiserStopped",
        "SynthesisError",
        "SynthesisVoice",
        "UnknownVoice",
        "VoiceFileError",
        "VoiceRegistry",
    ]
