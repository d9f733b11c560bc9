"""A voice that buzzes each letter: as quick as arithmetic, with real rates and levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media.audio.frames import Samples
from media.speech.synthesis.cache import PhraseCache
from media.speech.synthesis.model import BegunClause, Sound
from media.speech.synthesis.voice import SynthesisVoice
from media.worker import ModelWorker
from tests.media.speech.synthesis.fakes import Letters, ToneModel

RATE = 22_050
PER_SOUND = 0.07


class Buzz:
    def __init__(self, sounds: int, speed: float, level: float) -> None:
        each = round(PER_SOUND * RATE / speed)
        self.lead = 200
        self.durations = [each] * sounds
        self.length = self.lead + each * sounds
        self._level = level

    def chunks(self, *, urgent: bool) -> list[int]:
        return [*range(4000, self.length, 4000), self.length]

    def render(self, start: int, stop: int) -> Samples:
        at = np.arange(start, stop) / RATE
        tone = np.sin(2 * np.pi * 180 * at) + 0.5 * np.sin(2 * np.pi * 1260 * at)
        return np.asarray(self._level * tone * (np.arange(start, stop) >= self.lead), np.float32)


class BuzzModel(ToneModel):
    rate = RATE

    def __init__(self, level: float = 0.02) -> None:
        super().__init__()
        self.level = level

    def begin(self, sounds: Sequence[Sound], *, speed: float) -> BegunClause:
        self.begun.append(("".join(sound.symbol for sound in sounds), speed))
        return Buzz(len(sounds), speed, self.level)


def buzzing(worker: ModelWorker, model: BuzzModel | None = None) -> SynthesisVoice:
    return SynthesisVoice("buzz", model or BuzzModel(), phonemiser=Letters(), worker=worker, cache=PhraseCache(100_000))
