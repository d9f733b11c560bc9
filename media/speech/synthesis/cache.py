"""Phrases that are spoken again and again, kept whole."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from media.speech.protocols import SpeechChunk

LONGEST_TEXT = 200
"""Texts of more characters than this are answers, not phrases."""
LONGEST_PREPARED = 1500
"""What is prepared may be longer: all that is said when a call is answered."""

REPEATS = 2
"""A text is kept the second time it is spoken to its end."""

_REMEMBERED_TEXTS = 2048


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a text was asked for with."""

    voice: str
    speed: float
    text: str


class PhraseCache:
    """The phrases used last, at most `capacity` samples of them. One cache may serve several voices."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Phrase, SpeechChunk] = OrderedDict()
        self._spoken: OrderedDict[Phrase, int] = OrderedDict()
        self._samples = 0

    @property
    def samples(self) -> int:
        """Samples kept."""
        return self._samples

    def get(self, phrase: Phrase) -> SpeechChunk | None:
        """The whole utterance as one final chunk, None if it is not kept."""
        chunk = self._kept.get(phrase)
        if chunk is not None:
            self._kept.move_to_end(phrase)
        return chunk

    def wants(self, phrase: Phrase, *, prepared: bool) -> bool:
        """Whether to keep a text that is about to be spoken; counts it unless it is prepared."""
        if prepared:
            return len(phrase.text) <= LONGEST_PREPARED
        if len(phrase.text) > LONGEST_TEXT:
            return False
        count = self._spoken.get(phrase, 0) + 1
        self._spoken[phrase] = count
        self._spoken.move_to_end(phrase)
        if len(self._spoken) > _REMEMBERED_TEXTS:
            self._spoken.popitem(last=False)
        return count >= REPEATS

    def put(self, phrase: Phrase, chunks: Sequence[SpeechChunk]) -> None:
        """Keep an utterance that was spoken to its end; what was not used for longest makes room."""
        whole = joined(chunks)
        if len(whole.samples) > self._capacity:
            return
        self._drop(phrase)
        self._kept[phrase] = whole
        self._samples += len(whole.samples)
        while self._samples > self._capacity:
            self._drop(next(iter(self._kept)))

    def _drop(self, phrase: Phrase) -> None:
        chunk = self._kept.pop(phrase, None)
        if chunk is not None:
            self._samples -= len(chunk.samples)


def joined(chunks: Sequence[SpeechChunk]) -> SpeechChunk:
    """An utterance in one chunk."""
    samples = np.concatenate([chunk.samples for chunk in chunks])
    samples.flags.writeable = False  # it is handed out again and again
    words = tuple(word for chunk in chunks for word in chunk.words)
    phonemes = tuple(phoneme for chunk in chunks for phoneme in chunk.phonemes)
    return SpeechChunk(samples, chunks[0].rate, 0, words, phonemes, final=True)
