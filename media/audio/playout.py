"""What the agent says to one listener, and the ledger of what that listener has really heard.

Positions count speech samples at the listener's rate since the session began; silence between
utterances is not counted. Everything here is pure bookkeeping: the link that carries the audio
says what was heard, nobody guesses from the clock in here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import soxr

from media.audio.frames import Samples
from media.speech.protocols import SpeechChunk

FADE_SECONDS = 0.005
"""A cut or a resumption is ramped over this long, so that it does not click."""
KEPT_SECONDS = 0.6
"""Sound and phonemes are kept this long after they were heard: what a mouth does depends on what it has just done."""


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A spoken word on the listener's timeline: positions of its bounds and its characters in the text."""

    text: str
    start: int
    end: int
    source_start: int
    source_end: int


@dataclass(frozen=True, slots=True)
class PlacedPhoneme:
    """An IPA phoneme on the listener's timeline: positions of its bounds."""

    phoneme: str
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Pronunciation:
    """How an utterance sounds: its bounds and its phonemes, none where the voice does not tell them."""

    start: int
    end: int
    phonemes: list[PlacedPhoneme] = field(default_factory=list)


@dataclass(slots=True)
class Utterance:
    """One synthesised text on the listener's timeline."""

    turn_id: int
    text: str
    start: int
    end: int
    final: bool = False
    words: list[PlacedWord] = field(default_factory=list)

    def text_heard(self, position: int) -> str:
        """The part of the text heard when playback stands at `position`: whole words only.

        A word counts once half of it has sounded.
        """
        if self.final and position >= self.end:
            return self.text
        heard = [word for word in self.words if (word.start + word.end) / 2 <= position]
        return self.text[: max(word.source_end for word in heard)] if heard else ""


@dataclass(frozen=True, slots=True, eq=False)
class OutgoingFrame:
    """Samples for the wire, padded with silence to the length asked for.

    `end` is the position after the last real sample; `turn_id` is the turn those samples belong to.
    """

    samples: Samples
    end: int
    turn_id: int


class Playout:
    """Speech on its way to one listener; pausing rewinds to what was heard, nothing is lost by it."""

    def __init__(self, rate: int, on_ready: Callable[[], None] = lambda: None) -> None:
        self.rate = rate
        self.on_ready = on_ready
        self.paused = False
        self._utterances: list[Utterance] = []
        self._blocks: deque[tuple[int, Samples]] = deque()  # (position, samples) not heard, or just now
        self._pronunciations: deque[Pronunciation] = deque()  # likewise
        self._end = 0
        self._taken = 0
        self._heard = 0
        self._resampler: soxr.ResampleStream | None = None
        self._fade_in = False

    @property
    def end(self) -> int:
        """Position after the last sample that was appended."""
        return self._end

    @property
    def heard_position(self) -> int:
        """Position up to which the listener has heard."""
        return self._heard

    @property
    def waiting(self) -> int:
        """Samples appended and not yet taken for the wire."""
        return self._end - self._taken

    @property
    def silent(self) -> bool:
        """Whether all that was appended has been heard."""
        return self._heard >= self._end

    def append(self, turn_id: int, text: str, chunk: SpeechChunk) -> None:
        """Add a chunk of the utterance that speaks `text`; the chunk that starts at 0 opens the utterance."""
        if chunk.start == 0 or not self._utterances:
            self._utterances.append(Utterance(turn_id, text, self._end, self._end))
            self._pronunciations.append(Pronunciation(self._end, self._end))
            self._resampler = (
                None if chunk.rate == self.rate else soxr.ResampleStream(chunk.rate, self.rate, 1, "float32", "HQ")
            )
        utterance = self._utterances[-1]
        scale = self.rate / chunk.rate
        utterance.words.extend(
            PlacedWord(
                word.text,
                utterance.start + round(word.start * scale),
                utterance.start + round(word.end * scale),
                word.source_start,
                word.source_end,
            )
            for word in chunk.words
        )
        samples = chunk.samples
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=chunk.final)
        if len(samples):
            self._blocks.append((self._end, samples.astype(np.float32, copy=False)))
            self._end += len(samples)
        utterance.end, utterance.final = self._end, chunk.final
        self._pronounce(utterance.start, scale, chunk)
        if self.waiting and not self.paused:
            self.on_ready()

    def take(self, count: int) -> OutgoingFrame | None:
        """The next `count` samples for the wire, short ones padded with silence; None when there is nothing to say."""
        if self.paused or self._taken >= self._end:
            return None
        samples = np.zeros(count, np.float32)
        turn_id = next(u.turn_id for u in self._utterances if u.end > self._taken)
        stop = min(self._taken + count, self._end)
        for position, block in self._blocks:
            first, last = max(position, self._taken), min(position + len(block), stop)
            if first < last:
                samples[first - self._taken : last - self._taken] = block[first - position : last - position]
        if self._fade_in:
            ramp = min(count, int(FADE_SECONDS * self.rate))
            samples[:ramp] *= np.linspace(0.0, 1.0, ramp, dtype=np.float32)
            self._fade_in = False
        self._taken = stop
        return OutgoingFrame(samples, stop, turn_id)

    def heard(self, position: int) -> None:
        """The listener has heard up to `position`; never moves back, never past what was taken."""
        self._heard = max(self._heard, min(position, self._taken))
        gone = self._heard - round(KEPT_SECONDS * self.rate)
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= gone:
            self._blocks.popleft()
        while self._pronunciations and self._pronunciations[0].end <= gone:
            self._pronunciations.popleft()

    def pause(self, position: int) -> None:
        """Fall silent; the listener heard up to `position`, what was sent beyond it will be sent again."""
        self.heard(position)
        self._taken = self._heard
        self.paused = True

    def resume(self) -> None:
        """Go on from the sample where the listener stopped hearing."""
        self.paused = False
        self._fade_in = self.waiting > 0 and self._taken > 0
        if self.waiting:
            self.on_ready()

    def cut(self) -> None:
        """Drop everything that was not heard; the ledger keeps the words that were."""
        heard = self._heard
        self._blocks = deque((start, block[: heard - start]) for start, block in self._blocks if start < heard)
        self._pronunciations = deque(_heard_part(p, heard) for p in self._pronunciations if p.start < heard)
        self._end = self._taken = heard
        for utterance in self._utterances:
            if utterance.end > self._heard:
                # An utterance that lost its tail was not spoken to its end, whatever its last chunk said.
                utterance.words = [w for w in utterance.words if (w.start + w.end) / 2 <= self._heard]
                utterance.end, utterance.final = max(utterance.start, self._heard), False
        self._utterances = [u for u in self._utterances if u.words or u.end > u.start]
        self._resampler = None
        self.paused = False

    def text_heard(self, turn_id: int) -> str:
        """The words of a turn's answer that were heard so far, in the spelling of its text."""
        parts = [u.text_heard(self._heard) for u in self._utterances if u.turn_id == turn_id]
        return " ".join(part.strip() for part in parts if part.strip())

    def words(self, turn_id: int) -> list[PlacedWord]:
        """The placed words of a turn's answer, for captions."""
        return [word for u in self._utterances if u.turn_id == turn_id for word in u.words]

    def pronunciation_at(self, position: int) -> Pronunciation | None:
        """The utterance that sounds at a position; None where nothing does, or where it was heard a while ago."""
        return next((p for p in self._pronunciations if p.start <= position < p.end), None)

    def phonemes(self, first: int, last: int) -> list[PlacedPhoneme]:
        """The known phonemes that sound between two positions, in order."""
        return [
            phoneme
            for spoken in self._pronunciations
            if spoken.start < last and spoken.end > first
            for phoneme in spoken.phonemes
            if phoneme.start < last and phoneme.end > first
        ]

    def sound(self, first: int, last: int) -> Samples:
        """The speech between two positions; silence where it is not there yet, or was heard a while ago."""
        samples = np.zeros(last - first, np.float32)
        for position, block in self._blocks:
            start, stop = max(position, first), min(position + len(block), last)
            if start < stop:
                samples[start - first : stop - first] = block[start - position : stop - position]
        return samples

    def forget(self, before_turn: int) -> None:
        """Drop the ledger of turns before `before_turn`, so that a long call stays bounded."""
        self._utterances = [u for u in self._utterances if u.turn_id >= before_turn or u.end > self._heard]

    def _pronounce(self, start: int, scale: float, chunk: SpeechChunk) -> None:
        if not self._pronunciations or self._pronunciations[-1].start != start:
            self._pronunciations.append(Pronunciation(start, start))  # its beginning was heard and let go
        spoken = self._pronunciations[-1]
        spoken.end = self._end
        spoken.phonemes += (
            PlacedPhoneme(p.phoneme, start + round(p.start * scale), start + round(p.end * scale))
            for p in chunk.phonemes
        )


def _heard_part(spoken: Pronunciation, heard: int) -> Pronunciation:
    """What is left of an utterance that was cut where the listener stands."""
    if spoken.end <= heard:
        return spoken
    phonemes = [PlacedPhoneme(p.phoneme, p.start, min(p.end, heard)) for p in spoken.phonemes if p.start < heard]
    return Pronunciation(spoken.start, heard, phonemes)
