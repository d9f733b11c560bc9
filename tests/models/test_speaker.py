"""The real speaker encoder: it knows each recorded voice again, and keeps two people apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.resample import resample
from media.audio.wav import read_wav
from media.models import model_dir
from media.speech.speaker import MODEL, SpeakerEncoder, TooLittleSpeech, nearest_voice, voice_embeddings
from media.speech.speaker.checkpoint import read_checkpoint
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker
from tests.media.speech.speaker.test_encoder import by_hand

pytestmark = pytest.mark.models

SPEECH = Path(__file__).parents[1] / "speech"
CLIPS = json.loads((SPEECH / "transcripts.json").read_text("utf-8"))


def recorded(name: str) -> Samples:
    return read_wav(SPEECH / name, rate=SPEECH_RATE).samples


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder()


def test_the_network_computes_what_its_checkpoint_says(encoder: SpeakerEncoder) -> None:
    weights = read_checkpoint((model_dir(MODEL) / "pretrained.pt").read_bytes(), "model_state")
    mel = np.random.default_rng(0).exponential(0.05, (1, 160, 40)).astype(np.float32)
    (given,) = encoder._session.run(None, {"mel": mel})
    assert np.abs(given[0] - by_hand(weights, mel[0])).max() < 1e-4


@pytest.mark.parametrize("clip", [c for c in CLIPS if c["file"] != "uh_huh.wav"], ids=lambda c: c["file"])
def test_a_voice_recorded_over_a_telephone_is_known_among_all_packaged_ones(
    clip: dict[str, str], encoder: SpeakerEncoder
) -> None:
    found = nearest_voice(encoder.embed(recorded(clip["file"])), voice_embeddings())
    assert found.name == f"kokoro:{clip['voice']}"
    assert found.similarity > 0.8


def test_half_a_second_of_voice_is_too_little(encoder: SpeakerEncoder) -> None:
    with pytest.raises(TooLittleSpeech):
        encoder.embed(recorded("uh_huh.wav"))


async def test_one_voice_is_nearer_to_itself_than_to_others_whatever_it_says(encoder: SpeakerEncoder) -> None:
    worker = ModelWorker("voice")
    registry = VoiceRegistry(worker, deterministic=True)
    try:
        voice = registry.open()
        joe = []
        for text in (
            "Please call Stella, and ask her to bring these things with her.",
            "We open at nine in the morning.",
        ):
            parts = [chunk.samples async for chunk in voice.synthesise(text, deadline=0.0)]
            joe.append(encoder.embed(resample(np.concatenate(parts), voice.rate, SPEECH_RATE)))
    finally:
        registry.close()
        worker.close()
    others = [encoder.embed(recorded(name)) for name in ("open_hours.wav", "vegetarian.wav", "stop.wav", "thanks.wav")]
    same = float(joe[0] @ joe[1])
    assert same > 0.8
    assert all(float(one @ other) < same - 0.1 for one in joe for other in others)
    assert nearest_voice(joe[1], voice_embeddings()).name == "piper-joe"
