"""The encoder's graph against the LSTM written out in numpy; what it hears of a recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from media.models import ModelDamaged
from media.speech.speaker.encoder import SpeakerEncoder, TooLittleSpeech, mel_views, voiced_parts
from tests.media.speech.speaker.checkpoints import Weights, checkpoint, encoder_weights

RATE = 16_000


def sigmoid(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


def by_hand(weights: Weights, mel: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """PyTorch's documentation of LSTM, literally."""
    steps = mel.astype(np.float64)
    for layer in range(3):
        w, r = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
        b = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
        h, c, out = np.zeros(256), np.zeros(256), []
        for x in steps:
            i, f, g, o = np.split(w @ x + r @ h + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            out.append(h)
        steps = np.stack(out)
    raw = np.maximum(weights["linear.weight"] @ steps[-1] + weights["linear.bias"], 0)
    return np.asarray(raw / np.linalg.norm(raw))


def voice(seconds: float, pitch: float = 120.0, seed: int = 0) -> npt.NDArray[np.float32]:
    """A buzz with a changing formant: enough for what counts samples."""
    rng = np.random.default_rng(seed)
    at = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * k * at) / k for k in range(1, 20))
    return np.asarray(0.05 * tone * (1 + 0.5 * np.sin(9 * at)) + rng.normal(0, 1e-4, len(at)), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speaker")
    (folder / "pretrained.pt").write_bytes(checkpoint(encoder_weights()))
    return folder


def test_an_embedding_is_the_mean_of_the_views_that_the_lstm_has(folder: Path) -> None:
    sound = voice(2.6)
    heard = SpeakerEncoder(folder).embed(sound)
    views = mel_views(voiced_parts(sound))
    assert views.shape == (2, 160, 40)
    mean = np.mean([by_hand(encoder_weights(), view) for view in views], axis=0)
    assert heard.dtype == np.float32
    assert np.abs(heard - mean / np.linalg.norm(mean)).max() < 1e-4
    assert np.linalg.norm(heard) == pytest.approx(1.0, abs=1e-5)


def test_weights_are_rewritten_once(folder: Path) -> None:
    SpeakerEncoder(folder)
    made = (folder / "encoder.onnx").stat().st_mtime_ns
    SpeakerEncoder(folder)
    assert (folder / "encoder.onnx").stat().st_mtime_ns == made
    assert {path.name for path in folder.iterdir()} == {"pretrained.pt", "encoder.onnx"}


@pytest.mark.parametrize("name", ["lstm.weight_hh_l1", "linear.bias"])
def test_weights_of_another_network_are_refused(name: str, tmp_path: Path) -> None:
    weights = encoder_weights()
    weights[name] = np.zeros((3, 3), np.float32)
    (tmp_path / "pretrained.pt").write_bytes(checkpoint(weights))
    with pytest.raises(ModelDamaged, match=name):
        SpeakerEncoder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pretrained.pt"]


def test_too_little_speech_is_refused_with_what_is_needed(folder: Path) -> None:
    encoder = SpeakerEncoder(folder)
    for samples in (np.zeros(0, np.float32), np.zeros(5 * RATE, np.float32), voice(0.6)):
        with pytest.raises(TooLittleSpeech, match="at least 1 s"):
            encoder.embed(samples)


def test_samples_that_are_no_numbers_are_refused(folder: Path) -> None:
    sound = voice(2.0)
    sound[7] = np.nan
    with pytest.raises(ValueError, match="not numbers"):
        SpeakerEncoder(folder).embed(sound)


def test_long_silences_are_not_heard_and_short_pauses_are() -> None:
    quiet = np.random.default_rng(1).normal(0, 1e-4, 3 * RATE).astype(np.float32)
    pause = quiet[: RATE // 10]
    sound = np.concatenate([quiet, voice(1.0), pause, voice(1.0, seed=1), quiet])
    assert 2.0 < len(voiced_parts(sound)) / RATE < 2.6


def test_how_loud_somebody_speaks_does_not_matter(folder: Path) -> None:
    encoder = SpeakerEncoder(folder)
    quiet = voice(2.0) * np.float32(0.2)
    assert float(encoder.embed(quiet) @ encoder.embed(quiet * np.float32(0.5))) > 0.9999


def test_every_second_of_a_minute_is_heard_and_no_more(folder: Path) -> None:
    assert len(mel_views(voice(10.0))) == 12
    encoder = SpeakerEncoder(folder)
    minute = voice(60.0)
    assert np.array_equal(encoder.embed(np.concatenate([minute, voice(9.0, 300.0)])), encoder.embed(minute))
