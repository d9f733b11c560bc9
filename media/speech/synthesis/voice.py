"""A voice: from a text to its chunks of speech, the first as soon as it can be had."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeVar

import numpy as np

from media.audio.frames import Samples
from media.speech.protocols import HEAD_START, SpeechChunk
from media.speech.synthesis.cache import Phrase, PhraseCache
from media.speech.synthesis.g2p.align import LINK
from media.speech.synthesis.g2p.protocol import Phonemiser
from media.speech.synthesis.model import BegunClause, Sound, SpeechModel
from media.speech.synthesis.normalise import Token, normalise
from media.speech.synthesis.plan import TALKING, Clause, Pauses, clauses
from media.speech.synthesis.timeline import Timeline
from media.speech.synthesis.timing import spoken_phonemes, spoken_words
from media.worker import ModelWorker

SLOWEST, FASTEST = 0.5, 2.0

PREPARING_TIME = 60.0
"""Seconds within which prepared phrases are due: anything a listener waits for goes before them."""

T = TypeVar("T")


class SynthesisVoice:
    """Implements `media.speech.protocols.Voice` over a network, a phonemiser and the worker they run on.

    All voices of a process should share the worker, the phonemiser and the cache.
    """

    def __init__(
        self, name: str, model: SpeechModel, *, phonemiser: Phonemiser, worker: ModelWorker, cache: PhraseCache
    ) -> None:
        self._name = name
        self._model = model
        self._phonemiser = phonemiser
        self._worker = worker
        self._cache = cache

    @property
    def name(self) -> str:
        """The voice's name, as agents name it."""
        return self._name

    @property
    def rate(self) -> int:
        """Sample rate in Hz of what it speaks."""
        return self._model.rate

    @property
    def language(self) -> str:
        """The espeak language it speaks."""
        return self._model.language

    @property
    def model(self) -> SpeechModel:
        """The network, for measuring and for batch work that needs no worker."""
        return self._model

    def synthesise(
        self, text: str, *, deadline: float, speed: float = 1.0, pauses: Pauses = TALKING
    ) -> AsyncGenerator[SpeechChunk]:
        """See `media.speech.protocols.Voice.synthesise`. Speech with pauses of its own is not kept for repetition.

        Raises `ValueError` for a speed out of range, `SynthesisError`, or what `media.worker` raises.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed must be from {SLOWEST} to {FASTEST}, not {speed}")
        if pauses != TALKING:
            return self._rendered(text, deadline, speed, pauses)
        return self._spoken(text, deadline, speed, prepared=False)

    async def prepare(self, texts: Iterable[str], *, speed: float = 1.0, within: float = PREPARING_TIME) -> None:
        """Speak texts (greetings, fillers) into the cache, each `within` seconds; very long ones are left.

        With the default it is done behind everything that somebody waits for.
        """
        for text in texts:
            phrase = Phrase(self._name, speed, text)
            if self._cache.get(phrase) is None and self._cache.wants(phrase, prepared=True):
                async for _ in self._spoken(text, time.monotonic() + within, speed, prepared=True):
                    pass

    async def _spoken(self, text: str, deadline: float, speed: float, *, prepared: bool) -> AsyncGenerator[SpeechChunk]:
        phrase = Phrase(self._name, speed, text)
        kept = self._cache.get(phrase)
        if kept is not None:
            yield kept
            return
        keep = self._cache.wants(phrase, prepared=prepared)
        spoken: list[SpeechChunk] = []
        async with aclosing(self._rendered(text, deadline, speed, TALKING)) as chunks:
            async for chunk in chunks:
                if keep:
                    spoken.append(chunk)
                    if chunk.final:
                        self._cache.put(phrase, spoken)
                yield chunk

    async def _rendered(self, text: str, deadline: float, speed: float, pauses: Pauses) -> AsyncGenerator[SpeechChunk]:
        timeline = Timeline(self.rate)
        ended = False
        for clause, last_clause in _with_last(clauses(normalise(text, self._model.language), pauses)):
            due = deadline + timeline.seconds
            parts = self._fitting(clause.tokens, await self._phonemes(clause, due))
            for (tokens, sounds), last_part in _with_last(parts):
                urgent = timeline.position == 0
                begun, stops, samples = await self._worker.run(
                    partial(_begin, self._model, sounds, speed, urgent=urgent), deadline=_due(deadline, timeline)
                )
                timeline.open(
                    spoken_words(tokens, sounds, begun.durations, begun.lead),
                    spoken_phonemes(sounds, begun.durations, begun.lead),
                )
                offset = 0
                for stop, last in _with_last(stops):
                    if samples is None:
                        samples = await self._worker.run(
                            partial(begun.render, offset, stop), deadline=_due(deadline, timeline)
                        )
                    ended = last and last_part and last_clause
                    chunk = timeline.place(samples, offset, last=last, final=ended)
                    offset, samples = stop, None
                    if chunk is not None:
                        yield chunk
                timeline.close(clause.pause if last_part else 0.0)
        if not ended:
            yield SpeechChunk(np.zeros(0, np.float32), self.rate, timeline.position, (), (), final=True)

    async def _phonemes(self, clause: Clause, due: float) -> list[str]:
        """What the network reads of each word."""
        if self._model.reads_letters:
            return [token.say for token in clause.tokens]
        segments: list[list[str]] = [[]]
        for token in clause.tokens:
            segments[-1].append(token.say)
            if token.mark:
                segments.append([])
        asked = [segment for segment in segments if segment]
        answered = await self._phonemiser.phonemise(asked, language=self._model.language, deadline=due)
        return [phonemes for segment in answered for phonemes in segment]

    def _fitting(self, tokens: Sequence[Token], phonemes: Sequence[str]) -> list[tuple[Sequence[Token], list[Sound]]]:
        """The clause as one part, or as several where the network cannot take it whole; none if it makes no sound."""
        sounds = self._sounds(tokens, phonemes)
        if not any(sound.ipa for sound in sounds):
            return []
        if len(sounds) <= self._model.most_sounds or len(tokens) == 1:
            return [(tokens, sounds[: self._model.most_sounds])]
        half = len(tokens) // 2
        return self._fitting(tokens[:half], phonemes[:half]) + self._fitting(tokens[half:], phonemes[half:])

    def _sounds(self, tokens: Sequence[Token], phonemes: Sequence[str]) -> list[Sound]:
        sounds: list[Sound] = []
        for index, (token, part) in enumerate(zip(tokens, phonemes, strict=True)):
            last = index == len(tokens) - 1
            sounds += self._model.spell(part.removesuffix(LINK), index)
            if mark := token.mark or ("," if last else ""):
                sounds.append(Sound(mark, "", -1))
            if not last and (mark or not part.endswith(LINK)):
                sounds.append(Sound(" ", "", -1))
        return sounds


def _due(deadline: float, timeline: Timeline) -> float:
    """When the next stretch is due of an utterance that is to be heard from `deadline` on."""
    return deadline + timeline.seconds - HEAD_START if timeline.position else deadline


def _begin(
    model: SpeechModel, sounds: Sequence[Sound], speed: float, *, urgent: bool
) -> tuple[BegunClause, list[int], Samples | None]:
    """Begin a clause and say where its stretches end; on the model's worker.

    Where the listener waits, its first stretch is made at once: as a job of its own it might find another session's
    long one in front of it. Elsewhere jobs are kept short.
    """
    begun = model.begin(sounds, speed=speed)
    stops = begun.chunks(urgent=urgent)
    return begun, stops, begun.render(0, stops[0]) if urgent else None


def _with_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each item and whether it is the last, reading one ahead."""
    iterator = iter(items)
    try:
        item = next(iterator)
    except StopIteration:
        return
    for following in iterator:
        yield item, False
        item = following
    yield item, True
