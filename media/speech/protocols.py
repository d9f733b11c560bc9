"""The seams of the speech engine: what a recogniser, a voice and a turn detector give and take."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from media.audio.frames import Samples

HEAD_START: Final = 0.5
"""Seconds by which speech that has begun is due before it is needed: it goes before what others wait to hear begin, for
a word that breaks off is worse than one that comes later."""


@dataclass(frozen=True, slots=True)
class RecognisedWord:
    """One recognised word; `start` and `end` in seconds from the first sample of the utterance."""

    text: str
    start: float
    end: float
    probability: float


class TimedWord(NamedTuple):
    """A word and when it was said, in seconds of a clock that whoever gives it names."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard in one stretch of audio.

    `text` is "" where it heard no words. `no_speech_probability` in [0, 1]; `average_log_probability`
    is per token and at most 0. `words` is empty unless word times were asked for.
    """

    text: str
    language: str
    no_speech_probability: float
    average_log_probability: float
    words: tuple[RecognisedWord, ...] = ()


class SpeechRecogniser(Protocol):
    """Turns 16 kHz speech into text. One instance serves all sessions."""

    @property
    def busy(self) -> bool:
        """Whether it works already: a request that can wait for its turn had better not be made."""
        ...

    async def transcribe(
        self,
        samples: Samples,
        *,
        deadline: float,
        language: str | None = None,
        hint: str = "",
        word_times: bool = False,
        slot: str | None = None,
    ) -> Transcript:
        """Recognise `samples` (16 kHz, at most 30 s are used: the last 30).

        `deadline` on the monotonic clock orders this against other sessions' requests. `language` is an
        ISO 639-1 code, None to detect. `hint` is text the recogniser is primed with (names, likely words).
        `slot`: of several waiting requests with one slot only the newest is kept, the others raise
        `media.worker.Superseded`. Raises `media.worker.WorkerFull` when the machine is behind.
        """
        ...


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word of synthesised speech and where it came from.

    `start`, `end`: samples from the utterance's first sample, at the voice's rate.
    `source_start`, `source_end`: the characters of the input text that this word speaks
    (a number that is spoken as several words shares one span).
    """

    text: str
    start: int
    end: int
    source_start: int
    source_end: int


@dataclass(frozen=True, slots=True)
class SpokenPhoneme:
    """An IPA phoneme and the samples it sounds in, counted from the utterance's first sample."""

    phoneme: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class SpeechChunk:
    """Consecutive samples of one utterance with the words and phonemes that begin in them.

    `start` is the index of the first sample within the utterance; chunks follow one another without
    gaps, the last one has `final=True` (and may be empty).
    """

    samples: Samples
    rate: int
    start: int
    words: tuple[SpokenWord, ...]
    phonemes: tuple[SpokenPhoneme, ...]
    final: bool


class Voice(Protocol):
    """Speaks text. One instance serves all sessions."""

    @property
    def name(self) -> str:
        """The voice's name, as agents name it."""
        ...

    @property
    def rate(self) -> int:
        """Sample rate in Hz of what it speaks."""
        ...

    def synthesise(self, text: str, *, deadline: float, speed: float = 1.0) -> AsyncGenerator[SpeechChunk]:
        """Speak `text` (any length; a part at a time), the first chunk as soon as it can be had.

        `deadline` (monotonic clock) is when the first chunk is needed; later ones are due `HEAD_START` before
        playback would reach them. `speed` in [0.5, 2]. Text without anything to speak yields one empty final
        chunk. Closing the iterator drops the work that has not begun.
        """
        ...


class TurnDetector(Protocol):
    """Hears whether a stretch of speech sounds finished (prosody)."""

    async def probability(self, samples: Samples, *, deadline: float) -> float:
        """The probability in [0, 1] that the speaker has finished; `samples` 16 kHz, the last 8 s count."""
        ...


class CompletionJudge(Protocol):
    """Reads whether the words so far could be a finished turn."""

    async def probability(self, text: str, *, deadline: float) -> float:
        """The probability in [0, 1] that `text`, its last punctuation ignored, is complete."""
        ...
