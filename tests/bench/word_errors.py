"""Word errors and time of the short-window recogniser against full-context Whisper.

`python -m tests.bench.word_errors [--model whisper-base] [--sentences N] [--verbose]`

The recorded clips of tests/speech and sentences spoken by Piper and Kokoro voices, each clean at 16 kHz, through an
8 kHz μ-law line, and with white noise 15 dB below the voice. The reference is faster-whisper's own `transcribe`, which
encodes thirty seconds, on the same weights and precision, greedy as ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from num2words import num2words

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.g711 import PHONE_RATE, samples_to_ulaw, ulaw_to_samples
from media.audio.resample import resample
from media.audio.wav import read_wav
from media.models import ModelError, model_dir
from media.speech.recognition.whisper import WhisperRecogniser
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker

SPEECH = Path(__file__).parents[1] / "speech"

SENTENCES = (
    "I'd like to change my reservation from Thursday to Friday evening.",
    "Can you tell me whether you have outdoor seating?",
    "We are a party of six, and one of us is allergic to peanuts.",
    "Please send the confirmation to my email address.",
    "No, I said fifteen, not fifty.",
    "I ordered a pair of shoes last week and they still haven't arrived.",
    "My order number is four seven two nine one.",
    "Yes, that sounds good to me.",
    "I need to speak to someone about my bill.",
    "The address is twelve Baker Street, London.",
    "Do I have to pay in advance or at the restaurant?",
    "Sorry, I didn't catch that.",
    "When does the next train to the airport leave?",
    "Could you speak a little slower, please?",
)
VOICES = ("piper-joe", "kokoro:af_heart", "kokoro:bm_george", "kokoro:bf_emma", "kokoro:am_michael")
LEAD, TAIL = 0.2, 0.15
"""Seconds of the line before and after the voice, as the recogniser gets them in a call."""


def words(text: str) -> list[str]:
    """The words of a text as they are spoken: lower case, numbers spelt, long ones digit by digit."""
    text = re.sub(r"(?<=\d)[-\s](?=\d)", "", text.lower().replace("’", "'"))
    text = re.sub(r"\d{3,}", lambda found: " ".join(num2words(int(digit)) for digit in found[0]), text)
    text = re.sub(r"\d+", lambda found: str(num2words(int(found[0]))), text)
    return re.sub(r"[^a-z' ]", " ", text.replace("-", " ")).split()


def word_errors(expected: str, heard: str) -> tuple[int, int]:
    """Substitutions, insertions and deletions that make `heard` of `expected`, and the words of `expected`."""
    reference, hypothesis = words(expected), words(heard)
    row = list(range(len(hypothesis) + 1))
    for number, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], number
        for column, other in enumerate(hypothesis, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return row[-1], len(reference)


def over_the_phone(samples: Samples) -> Samples:
    """16 kHz audio as it arrives through an 8 kHz μ-law line."""
    return resample(
        ulaw_to_samples(samples_to_ulaw(resample(samples, SPEECH_RATE, PHONE_RATE))), PHONE_RATE, SPEECH_RATE
    )


def with_noise(samples: Samples, decibels: float = 15.0) -> Samples:
    """The voice with white noise that many dB below it; the same noise every time."""
    voice = np.sqrt(np.mean(np.square(samples[np.abs(samples) > 0.005])))
    noise = np.random.default_rng(len(samples)).normal(0.0, voice * 10 ** (-decibels / 20), len(samples))
    return (samples + noise).astype(np.float32)


CONDITIONS: dict[str, Callable[[Samples], Samples]] = {
    "clean, 16 kHz": lambda samples: samples,
    "phone, 8 kHz μ-law": over_the_phone,
    "white noise, 15 dB": with_noise,
}


@dataclass(slots=True)
class Tally:
    """Errors and times of one recogniser in one condition."""

    errors: int = 0
    words: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, expected: str, heard: str, seconds: float) -> int:
        errors, count = word_errors(expected, heard)
        self.errors += errors
        self.words += count
        self.seconds.append(seconds)
        return errors

    @property
    def rate(self) -> float:
        return 100 * self.errors / max(1, self.words)

    def __str__(self) -> str:
        median, most = (1000 * np.quantile(self.seconds, share) for share in (0.5, 0.95))
        return f"{self.rate:7.2f} % {median:8.0f} ms {most:8.0f} ms"


def recorded() -> Iterator[tuple[Samples, str]]:
    """The clips of tests/speech and what is said in them."""
    for clip in json.loads((SPEECH / "transcripts.json").read_text()):
        yield read_wav(SPEECH / clip["file"], rate=SPEECH_RATE).samples, clip["text"]


async def spoken(sentences: Iterable[str]) -> list[tuple[Samples, str]]:
    """The sentences, each by the next of the voices there are."""
    worker = ModelWorker("voices")
    registry = VoiceRegistry(worker, threads=2, deterministic=True, cache_samples=0)
    clips = []
    try:
        voices = [name for name in VOICES if _is_here(name)]
        for number, sentence in enumerate(sentences):
            voice = registry.open(voices[number % len(voices)])
            chunks = [chunk.samples async for chunk in voice.synthesise(sentence, deadline=time.monotonic())]
            samples = resample(np.concatenate(chunks), voice.rate, SPEECH_RATE)
            loud = np.flatnonzero(np.abs(samples) > 0.01)
            clips.append((samples[loud[0] : loud[-1]], sentence))
    finally:
        registry.close()
        worker.close()
    return clips


def _is_here(voice: str) -> bool:
    try:
        model_dir(voice.split(":", maxsplit=1)[0])
    except ModelError:
        return False
    return True


def full_context(folder: Path) -> Callable[[Samples], str]:
    """faster-whisper's own recognition of thirty seconds, greedy, one thread."""
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)

    def transcribe(samples: Samples) -> str:
        segments, _ = model.transcribe(
            samples, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(segment.text.strip() for segment in segments)

    return transcribe


def short_window(folder: Path) -> Callable[[Samples], str]:
    """Our recogniser, one thread."""
    recogniser = WhisperRecogniser(folder)
    return lambda samples: recogniser.transcribe_now(samples, language="en").text


def measure(clips: list[tuple[Samples, str]], folder: Path, *, verbose: bool) -> dict[str, tuple[Tally, Tally]]:
    """Errors and times of the short window and of the full context in each condition."""
    recognisers = (short_window(folder), full_context(folder))
    tallies = {name: (Tally(), Tally()) for name in CONDITIONS}
    for number, (voice, expected) in enumerate(clips):
        line = np.concatenate([np.zeros(int(LEAD * SPEECH_RATE)), voice, np.zeros(int(TAIL * SPEECH_RATE))])
        for name, condition in CONDITIONS.items():
            samples = condition(line.astype(np.float32))
            for label, recogniser, tally in zip(("short", "full"), recognisers, tallies[name], strict=True):
                began = time.perf_counter()
                heard = recogniser(samples)
                errors = tally.add(expected, heard, time.perf_counter() - began)
                if verbose and errors:
                    print(f"{number:2d} {name:20s} {label:5s} {errors} of {expected!r}: {heard!r}")
    return tallies


def report(tallies: dict[str, tuple[Tally, Tally]], clips: int) -> str:
    """The table."""
    lines = [
        f"{clips} clips, {clips * len(tallies)} recognitions each, one thread; words wrong, time p50 and p95",
        f"{'':20s} {'short window':>33s} {'full context':>33s}",
    ]
    lines += [f"{name:20s} {short!s:>33s} {full!s:>33s}" for name, (short, full) in tallies.items()]
    short, full = (_sum(pair[side] for pair in tallies.values()) for side in (0, 1))
    lines.append(f"{'all':20s} {short!s:>33s} {full!s:>33s}")
    lines.append(f"difference: {short.rate - full.rate:+.2f} points (at most +1.00)")
    return "\n".join(lines)


def _sum(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.errors += tally.errors
        total.words += tally.words
        total.seconds += tally.seconds
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.word_errors", description=__doc__)
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="how many are synthesised")
    parser.add_argument("--verbose", action="store_true", help="also print every text with an error")
    options = parser.parse_args()
    folder = model_dir(options.model)
    clips = [*recorded(), *asyncio.run(spoken(SENTENCES[: options.sentences]))]
    print(report(measure(clips, folder, verbose=options.verbose), len(clips)))


if __name__ == "__main__":
    main()
