"""Puts the clauses of an utterance on one line of samples: pauses between them, no silence to wait for in front."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from media.audio.frames import Samples
from media.speech.protocols import SpeechChunk, SpokenPhoneme, SpokenWord
from media.speech.synthesis.silence import leading_silence, trailing_silence

LEAD = 0.02
"""Seconds of silence that may stand in front of an utterance; a voice's own, beyond that, only makes listeners wait."""

LEAST_PAUSE = 0.05
"""Seconds of silence between clauses that were cut between two words."""

_Timed = TypeVar("_Timed", SpokenWord, SpokenPhoneme)


class Timeline:
    """The samples of one utterance in the order in which they are made."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._position = 0
        self._origin: int | None = None
        self._pause = 0.0
        self._trailing = 0
        self._words: deque[SpokenWord] = deque()
        self._phonemes: deque[SpokenPhoneme] = deque()

    @property
    def position(self) -> int:
        """Samples placed so far."""
        return self._position

    @property
    def seconds(self) -> float:
        """The same in seconds: when the next sample is due, from the first."""
        return self._position / self._rate

    def open(self, words: Iterable[SpokenWord], phonemes: Iterable[SpokenPhoneme]) -> None:
        """A new clause begins; its times count from its own first sample."""
        self._words, self._phonemes = deque(words), deque(phonemes)
        self._origin = None

    def close(self, pause: float) -> None:
        """The clause is over; `pause` seconds of silence should follow."""
        self._pause = pause

    def place(self, samples: Samples, offset: int, *, last: bool, final: bool) -> SpeechChunk | None:
        """The clause's samples from `offset` on as the utterance's next chunk.

        `last`: the clause ends with them; `final`: so does the utterance. None where nothing is left of them.
        """
        audible = samples
        if self._origin is None:
            audible = self._joined(samples, offset)
        start, end = self._position, self._position + len(audible)
        self._position = end
        if len(samples):
            quiet = trailing_silence(samples, self._rate)
            self._trailing = quiet if quiet < len(samples) else self._trailing + quiet
        if not len(audible) and not final:
            return None
        limit = None if last else end
        words, phonemes = self._due(self._words, start, limit), self._due(self._phonemes, start, limit)
        return SpeechChunk(audible, self._rate, start, words, phonemes, final)

    def _joined(self, samples: Samples, offset: int) -> Samples:
        """The first audible samples of a clause, with the silence in front of them made as long as it should be."""
        quiet = leading_silence(samples, self._rate)
        opening = self._position == 0
        wanted = round((LEAD if opening else max(self._pause, LEAST_PAUSE)) * self._rate)
        before = 0 if opening else self._trailing
        cut = min(quiet, max(0, before + quiet - wanted))
        if opening and quiet == len(samples):
            return samples[:0]  # nothing to hear yet: the next stretch opens the utterance
        self._origin = self._position - offset - cut
        missing = 0 if opening else max(0, wanted - before - quiet)
        if not missing:
            return samples[cut:]
        self._origin += missing
        return np.concatenate([np.zeros(missing, np.float32), samples])

    def _due(self, waiting: deque[_Timed], start: int, limit: int | None) -> tuple[_Timed, ...]:
        """What begins before `limit` (None: all that is left), in samples of the utterance."""
        due = []
        origin = self._origin if self._origin is not None else start
        while waiting and (limit is None or origin + waiting[0].start < limit):
            item = waiting.popleft()
            first = max(start, origin + item.start)
            due.append(replace(item, start=first, end=max(first, origin + item.end)))
        return tuple(due)
