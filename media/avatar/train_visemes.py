"""Train the audio-to-viseme network: `python -m media.avatar.train_visemes [--out DIR] [--corpus FILE]`.

Needs torch (`pip install torch`; used here only) and the voices of `media.models`. Our voices read `sentences.txt`;
their phoneme times, through the same `PhonemeTrack` that drives faces, are the labels. The last sentences and one voice
are kept from training and measured. Writes `visemes.onnx` and `figures.json`.
"""

# ruff: noqa: T201 - a command line
from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.audio_visemes.features import BANDS, STEPS_PER_SECOND, LogMel
from media.avatar.audio_visemes.network import CONTEXT, FIGURES, LOOK_AHEAD, QUIET, SENTENCES, WEIGHTS, AudioVisemes
from media.avatar.face import MOUTH_SHAPES, MouthShape
from media.avatar.visemes import PhonemeTrack, openness
from media.speech.protocols import SpokenPhoneme
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker

KOKORO = (
    "af_heart", "af_bella", "am_adam", "am_puck", "bf_emma", "bm_george", "af_sky", "am_onyx", "bf_alice", "bm_lewis",
)  # fmt: skip
HELD_VOICE = "kokoro:am_michael"
HELD_SENTENCES = 12
WIDTH = 72
DILATIONS = (1, 2, 4, 8)
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """Speech at 16 kHz and its phonemes, counted in these samples. `held`: only to measure with."""

    samples: Samples
    phonemes: tuple[SpokenPhoneme, ...]
    voice: str
    held: bool


async def speak(sentences: Sequence[str], kokoro_each: int) -> list[Utterance]:
    """Have the voices read: the default one everything at two speeds, each other one `kokoro_each` sentences."""
    worker = ModelWorker("voices")
    try:
        registry = VoiceRegistry(worker, threads=2)
        plan = [("piper-joe", text, speed) for speed in (0.9, 1.15) for text in sentences]
        if any(name.startswith("kokoro:") for name in registry.names()):
            step = len(sentences) / max(kokoro_each, 1)
            for number, voice in enumerate((*KOKORO, HELD_VOICE.removeprefix("kokoro:"))):
                chosen = [sentences[int((k + number / 11) * step) % len(sentences)] for k in range(kokoro_each)]
                plan += [(f"kokoro:{voice}", text, 1.0) for text in chosen]
        held = set(sentences[-HELD_SENTENCES:])
        spoken = []
        for number, (voice, text, speed) in enumerate(plan):
            spoken.append(await _spoken(registry, voice, text, speed, held=text in held or voice == HELD_VOICE))
            print(f"\r{number + 1}/{len(plan)} utterances", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return spoken
    finally:
        worker.close()


async def _spoken(registry: VoiceRegistry, voice: str, text: str, speed: float, *, held: bool) -> Utterance:
    parts: list[Samples] = []
    phonemes: list[SpokenPhoneme] = []
    rate = SPEECH_RATE
    async for chunk in registry.open(voice).synthesise(text, deadline=0.0, speed=speed):
        parts.append(chunk.samples)
        phonemes += chunk.phonemes
        rate = chunk.rate
    ratio = SPEECH_RATE / rate
    moved = tuple(SpokenPhoneme(p.phoneme, round(p.start * ratio), round(p.end * ratio)) for p in phonemes)
    return Utterance(soxr.resample(np.concatenate(parts), rate, SPEECH_RATE).astype(np.float32), moved, voice, held)


def altered(utterance: Utterance, random: np.random.Generator) -> Utterance:
    """The same words by another throat, in another room, over another line."""
    pitch = float(random.choice([0.80, 0.87, 0.94, 1.0, 1.07, 1.15, 1.25]))
    samples = soxr.resample(utterance.samples, SPEECH_RATE * pitch, SPEECH_RATE).astype(np.float64)
    phonemes = tuple(SpokenPhoneme(p.phoneme, round(p.start / pitch), round(p.end / pitch)) for p in utterance.phonemes)
    tilt = float(random.uniform(-0.6, 0.6))
    samples = samples - tilt * np.concatenate([[0.0], samples[:-1]])
    if random.random() < 0.35:  # a telephone
        narrow = soxr.resample(samples, SPEECH_RATE, 8000)
        samples = soxr.resample(narrow, 8000, SPEECH_RATE)
    if random.random() < 0.4:  # a room
        tail = random.standard_normal(SPEECH_RATE // 7) * np.exp(-np.arange(SPEECH_RATE // 7) / (0.03 * SPEECH_RATE))
        tail[0] = 6.0
        samples = np.convolve(samples, tail / 6.0)[: len(samples)]
    samples = samples / (samples.std() + 1e-9) * 0.08 * 10 ** random.uniform(-1.0, 0.6)
    samples = samples + random.standard_normal(len(samples)) * samples.std() * 10 ** (-random.uniform(14, 50) / 20)
    pad = np.zeros(int(random.uniform(0.1, 0.6) * SPEECH_RATE))
    moved = tuple(SpokenPhoneme(p.phoneme, p.start + len(pad), p.end + len(pad)) for p in phonemes)
    return Utterance(np.concatenate([pad, samples, pad]).astype(np.float32), moved, utterance.voice, utterance.held)


def example(utterance: Utterance) -> tuple[Array, Array]:
    """Features [n, 40] and the mouth [n, 10] ten milliseconds apart; CLOSE holds whether the lips must be shut."""
    mel = LogMel()
    features = np.concatenate([mel.feed(utterance.samples), mel.finish()])
    track = PhonemeTrack(frame=0.02)
    track.extend(utterance.phonemes, SPEECH_RATE)
    mouths = np.stack([track.mouth(k / STEPS_PER_SECOND) for k in range(len(features))])
    mouths[:, MouthShape.CLOSE] = 0.0
    for phoneme in utterance.phonemes:
        if phoneme.phoneme[0] in "pbm":
            first, last = (round(t / SPEECH_RATE * STEPS_PER_SECOND) for t in (phoneme.start, phoneme.end))
            mouths[max(0, first - 1) : max(last + 1, first + 4), MouthShape.CLOSE] = 1.0  # a video frame at least
    return features, mouths


def make_network() -> Any:
    """A causal stack of dilated convolutions that sees `LOOK_AHEAD` steps of what comes."""
    import torch  # noqa: PLC0415 - only training needs it
    from torch import nn  # noqa: PLC0415

    class Network(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(BANDS, WIDTH, 5)
            self.layers = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 3, dilation=d) for d in DILATIONS)
            self.last = nn.Conv1d(WIDTH, MOUTH_SHAPES, 1)

        def forward(self, features: Any) -> Any:  # [batch, steps + context, 40] to [batch, steps, 10]
            hidden = torch.relu(self.first(features.transpose(1, 2)))
            for layer, dilation in zip(self.layers, DILATIONS, strict=True):
                hidden = hidden[:, :, 2 * dilation :] + torch.relu(layer(hidden))
            out = self.last(hidden).transpose(1, 2)
            shut = torch.sigmoid(out[..., MouthShape.CLOSE : MouthShape.CLOSE + 1])
            return torch.cat([out[..., : MouthShape.CLOSE], shut, out[..., MouthShape.CLOSE + 1 :]], -1)

    torch.manual_seed(0)
    return Network()


def batch(
    examples: Sequence[tuple[Array, Array]], random: np.random.Generator, *, size: int = 24, steps: int = 220
) -> tuple[Array, Array]:
    """Stretches of random examples: features [size, steps + context, 40], mouths [size, steps, 10]."""
    features = np.full((size, steps + CONTEXT, BANDS), -2.0, np.float32)
    mouths = np.zeros((size, steps, MOUTH_SHAPES), np.float32)
    for row in range(size):
        heard, shown = examples[int(random.integers(len(examples)))]
        padded = _padded(heard)
        start = int(random.integers(max(1, len(shown) - steps)))
        count = min(steps, len(shown) - start)
        features[row, : count + CONTEXT] = padded[start : start + count + CONTEXT]
        mouths[row, :count] = shown[start : start + count]
    return features, mouths


def _padded(features: Array) -> Array:
    before = np.full((CONTEXT - LOOK_AHEAD, BANDS), QUIET, np.float32)
    return np.concatenate([before, features, np.full((LOOK_AHEAD, BANDS), QUIET, np.float32)])


def train(examples: Sequence[tuple[Array, Array]], rounds: int) -> Any:
    """Fit the network; returns it."""
    import torch  # noqa: PLC0415

    random = np.random.default_rng(1)
    network = make_network()
    spread = np.concatenate([mouths for _, mouths in examples]).std(0) + 1e-2
    share = torch.tensor(1.0 / spread**2, dtype=torch.float32)
    share[MouthShape.CLOSE] = 0.0
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, rounds)
    began = time.monotonic()
    for number in range(rounds):
        features, mouths = (torch.tensor(array) for array in batch(examples, random))
        guessed = network(features)
        far = (((guessed - mouths) ** 2) * share).mean()
        shut = torch.nn.functional.binary_cross_entropy(
            guessed[..., MouthShape.CLOSE], mouths[..., MouthShape.CLOSE], weight=1 + 2 * mouths[..., MouthShape.CLOSE]
        )
        loss = far + shut
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if number % 100 == 99:
            print(
                f"round {number + 1}/{rounds} loss {loss.item():.3f} {time.monotonic() - began:.0f} s", file=sys.stderr
            )
    return network.eval()


def export(network: Any, path: Path) -> None:
    """Write the network as ONNX, its number of steps free."""
    import torch  # noqa: PLC0415

    torch.onnx.export(
        network,
        (torch.zeros(1, 50 + CONTEXT, BANDS),),
        str(path),
        input_names=["features"],
        output_names=["mouth"],
        dynamic_axes={"features": {1: "steps_and_context"}, "mouth": {1: "steps"}},
        opset_version=17,
        dynamo=False,
    )


def measure(utterances: Sequence[Utterance], weights: Path) -> dict[str, float]:
    """Correlation of jaw, width and openness with the labels, and how many closures are shown, on whole tracks."""
    network = AudioVisemes(weights)
    guessed, meant, closed = [], [], []
    for utterance in utterances:
        track = network.track(utterance.samples)
        _, mouths = example(utterance)
        steps = len(mouths)
        guess = np.stack([track.mouth(k / STEPS_PER_SECOND) for k in range(steps)])
        guessed.append(guess)
        meant.append(mouths)
        for phoneme in utterance.phonemes:
            if phoneme.phoneme[0] in "pbm":
                first, last = (round(t / SPEECH_RATE * STEPS_PER_SECOND) for t in (phoneme.start, phoneme.end))
                here = guess[max(0, first - 3) : last + 4]
                closed.append(min((openness(weights) for weights in here), default=0.0) < 0.08)
    guess, mean = np.concatenate(guessed), np.concatenate(meant)
    open_guess, open_mean = (np.array([openness(w) for w in weights]) for weights in (guess, mean))
    return {
        "openness_r": round(float(np.corrcoef(open_guess, open_mean)[0, 1]), 3),
        "jaw_r": round(float(np.corrcoef(guess[:, MouthShape.JAW], mean[:, MouthShape.JAW])[0, 1]), 3),
        "wide_r": round(float(np.corrcoef(guess[:, MouthShape.WIDE], mean[:, MouthShape.WIDE])[0, 1]), 3),
        "closures_shown": round(float(np.mean(closed)), 3),
        "seconds": round(sum(len(u.samples) for u in utterances) / SPEECH_RATE, 1),
    }


def main() -> None:
    """Speak, train, export, measure."""
    parser = argparse.ArgumentParser(prog="python -m media.avatar.train_visemes", description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent, help="folder for visemes.onnx and figures.json")
    parser.add_argument("--corpus", type=Path, help="file in which the spoken corpus is kept between runs (.npy)")
    parser.add_argument("--rounds", type=int, default=1800)
    parser.add_argument("--kokoro", type=int, default=9, help="sentences each Kokoro voice reads, if it is installed")
    parser.add_argument("--measure", action="store_true", help="only measure the weights that are there")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    utterances = corpus(options.corpus, options.kokoro)
    weights = options.out / WEIGHTS.name
    figures: dict[str, object] = {}
    if options.measure:
        figures = json.loads((options.out / FIGURES.name).read_text("utf-8"))
    else:
        figures = fit([u for u in utterances if not u.held], weights, options.rounds, random)
    figures |= {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), "bytes": weights.stat().st_size}
    held = [u for u in utterances if u.held]
    known, other = ([u for u in held if (u.voice == HELD_VOICE) is unseen] for unseen in (False, True))
    figures["unseen_sentences"] = measure(known, weights)
    figures["unseen_sentences_telephone_and_rooms"] = measure([altered(u, random) for u in known], weights)
    if other:
        figures["unseen_voice"] = measure(other, weights)
    (options.out / FIGURES.name).write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


def fit(learned: Sequence[Utterance], weights: Path, rounds: int, random: np.random.Generator) -> dict[str, object]:
    """Train on these utterances and four alterations of each, write the weights; returns what was done."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(2)
    examples = [example(u) for u in learned] + [example(altered(u, random)) for _ in range(4) for u in learned]
    began = time.monotonic()
    network = train(examples, rounds)
    weights.parent.mkdir(parents=True, exist_ok=True)
    export(network, weights)
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "look_ahead_ms": LOOK_AHEAD * 1000 // STEPS_PER_SECOND,
        "rounds": rounds,
        "training_seconds": round(time.monotonic() - began),
        "voices": sorted({u.voice for u in learned}),
    }


def corpus(kept: Path | None, kokoro_each: int) -> list[Utterance]:
    """Speak the corpus, or read it from `kept` where an earlier run left it."""
    if kept is not None and kept.exists():
        rows = np.load(kept, allow_pickle=True)  # our own file of an earlier run
        return [Utterance(row[0], tuple(SpokenPhoneme(*p) for p in row[1]), row[2], row[3]) for row in rows]
    utterances = asyncio.run(speak(SENTENCES.read_text("utf-8").split("\n")[:-1], kokoro_each))
    if kept is not None:
        rows = np.empty((len(utterances), 4), object)
        for number, u in enumerate(utterances):
            rows[number] = [u.samples, [(p.phoneme, p.start, p.end) for p in u.phonemes], u.voice, u.held]
        np.save(kept, rows, allow_pickle=True)
    return utterances


if __name__ == "__main__":
    main()
