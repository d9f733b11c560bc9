"""Makes telephone audio of a list of greetings: packaged voices, noise and tones, 8 kHz μ-law. The same every time.

The lists are tuning.txt and held_out.txt beside this file; tuning.txt says how they are written. What was spoken
once is kept in build/greetings, by its content.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from media.audio.frames import Samples
from media.audio.g711 import PHONE_RATE, samples_to_ulaw, ulaw_to_samples
from media.audio.resample import resample
from media.audio.wav import read_wav
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker

HERE = Path(__file__).parent
SPEECH = Path(__file__).parents[2] / "speech"
CACHE = Path(__file__).parents[3] / "build" / "greetings"
LISTS = {"tuning": HERE / "tuning.txt", "held out": HERE / "held_out.txt"}

VERSION = "1"
"""To be raised when the same line would sound otherwise."""
VOICE_LEVEL = -22.0
"""dBFS of a voice as it is usual on the telephone."""
TAIL = 6.0
"""Seconds of the line after the last sound: who waits for an answer."""

_MARKER = re.compile(r"\{([a-z]+)((?: [0-9.]+)*)\}")
_NOISES = ("noise", "babble", "music")


@dataclass(frozen=True, slots=True)
class Greeting:
    """One line of a list."""

    party: str
    voice: str
    line: dict[str, float] = field(hash=False)
    heard: str

    @property
    def words(self) -> str:
        """What is said, without the sounds."""
        return " ".join(_MARKER.sub(" ", self.heard).split())


def read_list(path: Path) -> list[Greeting]:
    """The greetings of a list. Raises `ValueError` for a line that is none."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [_greeting(line) for line in lines if line and not line.startswith("#")]


def _greeting(line: str) -> Greeting:
    parts = [part.strip() for part in line.split("|")]
    if len(parts) != 4 or parts[0] not in ("human", "machine", "screener", "carrier"):
        raise ValueError(f"not a greeting: {line}")
    options = parts[2].split()
    values = dict(zip(options[::2], map(float, options[1::2]), strict=True))
    if unknown := set(values) - {"lead", "level", *_NOISES}:
        raise ValueError(f"a line has no {', '.join(sorted(unknown))}: {line}")
    return Greeting(parts[0], parts[1], values, parts[3])


class Speaker:
    """Speaks greetings with the packaged voices; opened once, closed at the end."""

    def __init__(self) -> None:
        self._worker = ModelWorker("voices")
        self._registry = VoiceRegistry(self._worker, threads=1, deterministic=True, cache_samples=0)

    def close(self) -> None:
        self._registry.close()
        self._worker.close()

    async def audio(self, greeting: Greeting) -> Samples:
        """What the line carries from the moment of the answer: 8 kHz, through μ-law."""
        key = hashlib.sha256(repr((VERSION, greeting)).encode()).hexdigest()[:24]
        path = CACHE / f"{key}.ulaw"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".part")
            scratch.write_bytes(samples_to_ulaw(await self._made(greeting)))
            scratch.replace(path)
        return ulaw_to_samples(path.read_bytes())

    async def _made(self, greeting: Greeting) -> Samples:
        parts: list[Samples] = [np.zeros(round(greeting.line.get("lead", 0.5) * PHONE_RATE), np.float32)]
        position = 0
        for marker in _MARKER.finditer(greeting.heard):
            parts.append(await self._spoken(greeting.voice, greeting.heard[position : marker.start()]))
            parts.append(_sound(marker[1], [float(value) for value in marker[2].split()]))
            position = marker.end()
        parts.append(await self._spoken(greeting.voice, greeting.heard[position:]))
        samples = np.concatenate([*parts, np.zeros(round(TAIL * PHONE_RATE), np.float32)])
        level = 10 ** (greeting.line.get("level", 0.0) / 20)
        for name in _NOISES:
            if name in greeting.line:
                noise = _BACKGROUNDS[name](len(samples), len(greeting.heard))
                samples = samples + noise * 10 ** (-greeting.line[name] / 20)
        return (level * samples).astype(np.float32)

    async def _spoken(self, name: str, text: str) -> Samples:
        if not text.strip():
            return np.zeros(0, np.float32)
        voice = await self._registry.get(name)
        chunks = [chunk.samples async for chunk in voice.synthesise(text.strip(), deadline=time.monotonic())]
        return at_level(trimmed(resample(np.concatenate(chunks), voice.rate, PHONE_RATE)))


def at_level(samples: Samples, decibels: float = VOICE_LEVEL) -> Samples:
    """At that level where there is sound."""
    loud = samples[np.abs(samples) > 0.02 * np.abs(samples).max(initial=1e-9)]
    power = float(np.sqrt(np.mean(np.square(loud)))) if len(loud) else 1.0
    return (samples * (10 ** (decibels / 20) / power)).astype(np.float32)


def trimmed(samples: Samples) -> Samples:
    """Without the silence around it."""
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max(initial=1e-9))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def tone(frequencies: Sequence[float], seconds: float, decibels: float = -14.0, rate: int = PHONE_RATE) -> Samples:
    """Steady tones together, each at that level, without clicks."""
    time_axis = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * frequency * time_axis) for frequency in frequencies)
    ramp = np.minimum(1.0, np.minimum(time_axis, time_axis[::-1]) / 0.005)
    samples: Samples = (np.sqrt(2) * 10 ** (decibels / 20) * ramp * wave).astype(np.float32)
    return samples


def special_information_tone() -> Samples:
    """Three rising tones, as ITU-T E.180 has them before an announcement."""
    silence = np.zeros(round(0.2 * PHONE_RATE), np.float32)
    return np.concatenate([tone([hertz], 0.33) for hertz in (950, 1400, 1800)] + [silence])


def _sound(name: str, values: list[float]) -> Samples:
    match name, values:
        case "pause", [seconds]:
            return np.zeros(round(seconds * PHONE_RATE), np.float32)
        case "beep", [hertz, seconds]:
            return tone([hertz], seconds)
        case "sit", []:
            return special_information_tone()
        case "music", [seconds]:
            return _music(round(seconds * PHONE_RATE), 1)
        case "children", [seconds]:
            return _children(round(seconds * PHONE_RATE))
    raise ValueError(f"no sound is called {name} {values}")


def _white(count: int, seed: int) -> Samples:
    noise = np.random.default_rng(seed).normal(0.0, 10 ** (VOICE_LEVEL / 20), count)
    return noise.astype(np.float32)


@lru_cache
def _clips() -> list[Samples]:
    return [
        at_level(trimmed(read_wav(SPEECH / name, rate=PHONE_RATE).samples))
        for name in ("book_table.wav", "hesitation.wav", "open_hours.wav", "vegetarian.wav")
    ]


def _looped(samples: Samples, count: int, offset: int) -> Samples:
    return np.resize(np.roll(samples, -offset), count)


def _babble(count: int, seed: int) -> Samples:
    """Four people at once, at the level of one."""
    voices = [_looped(clip, count, seed * 997 + 3001 * number) for number, clip in enumerate(_clips())]
    return at_level(np.sum(voices, axis=0).astype(np.float32))


def _children(count: int) -> Samples:
    """High, quick voices."""
    high = [resample(clip, 8 * PHONE_RATE // 5, PHONE_RATE) for clip in _clips()[:2]]
    return at_level(np.sum([_looped(clip, count, 1500 * number) for number, clip in enumerate(high)], axis=0))


def _music(count: int, seed: int) -> Samples:
    """A plucked instrument that plays a broken chord."""
    notes = (262, 330, 392, 523, 392, 330)
    step = round(0.25 * PHONE_RATE)
    decay = np.exp(-np.arange(2 * step) / (0.18 * PHONE_RATE))
    samples = np.zeros(count + 2 * step, np.float32)
    for number, start in enumerate(range(0, count, step)):
        hertz = notes[(number + seed) % len(notes)]
        axis = np.arange(2 * step) / PHONE_RATE
        wave = sum(np.sin(2 * np.pi * hertz * harmonic * axis) / harmonic for harmonic in range(1, 6))
        samples[start : start + 2 * step] += (decay * wave).astype(np.float32)
    return at_level(samples[:count])


_BACKGROUNDS: dict[str, Callable[[int, int], Samples]] = {"noise": _white, "babble": _babble, "music": _music}
