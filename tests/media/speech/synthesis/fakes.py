"""A network and a phonemiser that do as they are told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media.audio.frames import Samples
from media.speech.synthesis.errors import PhonemiserError
from media.speech.synthesis.model import BegunClause, Sound

RATE = 1000
PER_SOUND = 10
LEAD = 50


class Letters:
    """A phonemiser that answers a word with its letters, and "" for what is in `mute`."""

    def __init__(self, mute: Sequence[str] = (), broken: str = "") -> None:
        self.mute = set(mute)
        self.broken = broken
        self.asked: list[list[list[str]]] = []
        self.closed = 0

    async def phonemise(self, segments: Sequence[Sequence[str]], *, language: str, deadline: float) -> list[list[str]]:
        self.asked.append([list(segment) for segment in segments])
        if any(self.broken == word for segment in segments for word in segment):
            raise PhonemiserError(self.broken)
        return [["" if word in self.mute else word for word in segment] for segment in segments]

    def close(self) -> None:
        self.closed += 1


class Tone:
    """A clause of `PER_SOUND` loud samples a sound behind `LEAD` silent ones."""

    def __init__(self, sounds: int, rendered: list[tuple[int, int]]) -> None:
        self.lead = LEAD
        self.durations = [PER_SOUND] * sounds
        self.length = LEAD + PER_SOUND * sounds
        self._rendered = rendered

    def chunks(self, *, urgent: bool) -> list[int]:
        size = 100 if urgent else 200
        return [*range(size, self.length, size), self.length]

    def render(self, start: int, stop: int) -> Samples:
        self._rendered.append((start, stop))
        whole = np.concatenate([np.zeros(LEAD), np.full(self.length - LEAD, 0.5)]).astype(np.float32)
        samples: Samples = whole[start:stop]
        return samples


class ToneModel:
    """A `SpeechModel` of `Tone` clauses; keeps what it was asked for."""

    def __init__(self, most_sounds: int = 1000) -> None:
        self.most_sounds = most_sounds
        self.begun: list[tuple[str, float]] = []
        self.rendered: list[tuple[int, int]] = []

    rate = RATE
    language = "en-us"
    reads_letters = False

    def spell(self, phonemes: str, word: int) -> list[Sound]:
        return [Sound(letter, letter, word) for letter in phonemes]

    def begin(self, sounds: Sequence[Sound], *, speed: float) -> BegunClause:
        self.begun.append(("".join(sound.symbol for sound in sounds), speed))
        return Tone(len(sounds), self.rendered)
