"""One turn of one speaker, recognised while it grows: hypotheses as often as asked, at a cost that does not grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from media.audio.frames import SPEECH_RATE, Samples
from media.speech.protocols import RecognisedWord, SpeechRecogniser, Transcript
from media.speech.recognition.agreement import LocalAgreement

LONG = 12 * SPEECH_RATE
"""An open stretch longer than this is closed at a pause in it: its text is kept, its audio dropped."""
HEARD_AT_ONCE = 20 * SPEECH_RATE
"""The longest stretch given to the recogniser at once."""
MOST_PENDING = 300 * SPEECH_RATE
"""More audio than this is never held; the oldest is dropped."""
_OPEN_TAIL = 2 * SPEECH_RATE  # the newest words may still change: a stretch is never closed within them
_NEGLIGIBLE = 0.3 * SPEECH_RATE  # samples without which a partial text is still new
_LANGUAGE_AFTER = 1.5 * SPEECH_RATE  # samples of audio on which a detected language is believed


@dataclass(frozen=True, slots=True)
class _Closed:
    """The text of the stretches whose audio is gone; times in seconds of the utterance."""

    texts: tuple[str, ...] = ()
    words: tuple[RecognisedWord, ...] = ()
    no_speech: float = 0.0
    log_probability: float = 0.0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """The newest hypothesis and what it was asked for."""

    end: int
    hint: str
    word_times: bool
    transcript: Transcript

    def serves(self, end: int, *, final: bool, hint: str, word_times: bool) -> bool:
        new = end - self.end
        recent = new == 0 or (not final and 0 < new < _NEGLIGIBLE)
        return recent and self.hint == hint and (self.word_times or not word_times)


class UtteranceRecogniser:
    """Recognises one turn. Give it the audio as it comes and ask for the text so far.

    `language`: None to detect it, once, when there is audio enough; afterwards `language` says which, for the next
    turn. `hint` may be changed between requests. `slot`: a name of this session's own; of several waiting requests
    only the newest is run. Not safe for several threads; several requests at a time are.
    """

    def __init__(
        self, recogniser: SpeechRecogniser, *, language: str | None = None, hint: str = "", slot: str | None = None
    ) -> None:
        self.language = language
        self._recogniser = recogniser
        self.hint = hint
        self._slot = slot
        self._agreement = LocalAgreement()
        self._blocks: deque[Samples] = deque()
        self._held = 0  # samples in the blocks
        self._begin = 0  # index of the first of them
        self._closed = _Closed()
        self._last: _Answer | None = None

    @property
    def samples(self) -> int:
        """How many samples the utterance has so far."""
        return self._begin + self._held

    @property
    def stable(self) -> str:
        """The words that two successive hypotheses agreed on."""
        return self._agreement.stable

    def add(self, samples: Samples) -> None:
        """The next 16 kHz samples."""
        self._blocks.append(samples)
        self._held += len(samples)
        if self._held > MOST_PENDING:
            self._drop(self._begin + self._held - MOST_PENDING)

    async def hypothesis(
        self, *, deadline: float, final: bool = False, end: int | None = None, word_times: bool = False
    ) -> Transcript:
        """The whole text so far, of the first `end` samples (all of them if None).

        A request that is not `final` is content with a text that lacks the newest 0.3 s. Asking again for the same
        `end` costs nothing: the text recognised at the first hint of silence is the final one if nothing was said after
        it. Word times are seconds from the utterance's first sample. Raises `media.worker.Superseded` if a newer
        request took this one's place before it began, `media.worker.WorkerFull` when the machine is behind.
        """
        end = self.samples if end is None else min(end, self.samples)
        while end - self._begin > LONG:
            begin = self._begin
            await self._close(min(end, begin + HEARD_AT_ONCE), deadline)
            if self._begin == begin:
                break
        if self._last is not None and self._last.serves(end, final=final, hint=self.hint, word_times=word_times):
            return self._last.transcript
        begin, closed, hint = self._begin, self._closed, self.hint
        heard = await self._recognise(begin, end, deadline, word_times=word_times)
        whole = _joined(closed, heard, begin, max(0, end - begin))
        self._last = _Answer(end, hint, word_times, whole)
        self._agreement.update(whole.text)
        return whole

    async def _recognise(self, begin: int, end: int, deadline: float, *, word_times: bool) -> Transcript:
        samples = self._cut(begin, end)
        heard = await self._recogniser.transcribe(
            samples,
            deadline=deadline,
            language=self.language,
            hint=self.hint if begin == 0 else "",
            word_times=word_times,
            slot=self._slot,
        )
        if self.language is None and heard.text and len(samples) >= _LANGUAGE_AFTER:
            self.language = heard.language
        return heard

    async def _close(self, end: int, deadline: float) -> None:
        """Settle the text of the oldest stretch, up to a pause, and drop its audio."""
        begin = self._begin
        heard = await self._recognise(begin, end, deadline, word_times=True)
        if self._begin != begin:
            return  # another request closed it meanwhile
        cut = _pause(heard.words, (end - begin - _OPEN_TAIL) / SPEECH_RATE)
        kept = tuple(word for word in heard.words if (word.start + word.end) / 2 < cut)
        text = heard.text if len(kept) == len(heard.words) else _text_of(kept, heard.text)
        part = Transcript(text, heard.language, heard.no_speech_probability, heard.average_log_probability, kept)
        length = round(cut * SPEECH_RATE)
        whole = _joined(self._closed, part, begin, length)
        self._closed = _Closed(
            (*self._closed.texts, text) if text else self._closed.texts,
            whole.words,
            whole.no_speech_probability,
            whole.average_log_probability,
            self._closed.samples + length,
        )
        self._drop(begin + length)

    def _cut(self, begin: int, end: int) -> Samples:
        """The samples [begin, end) as one array; audio that is gone is left out."""
        parts: list[Samples] = []
        index = self._begin
        for block in self._blocks:
            first, last = max(begin, index), min(end, index + len(block))
            if first < last:
                parts.append(block[first - index : last - index])
            index += len(block)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _drop(self, before: int) -> None:
        """Forget the samples before index `before`."""
        while self._blocks and self._begin < before:
            block = self._blocks.popleft()
            count = min(len(block), before - self._begin)
            if count < len(block):
                self._blocks.appendleft(block[count:].copy())  # a view would keep the whole block alive
            self._begin += count
            self._held -= count


def _pause(words: tuple[RecognisedWord, ...], latest: float) -> float:
    """Where to cut: in the longest pause before `latest`, one after a sentence's end counting for longer.

    Cuts before a third of the stretch are not made, so that every stretch closed makes room.
    """
    best, place = -1.0, latest
    for word, following in pairwise(words):
        middle = (word.end + following.start) / 2
        if latest / 3 < middle < latest:
            pause = following.start - word.end + (0.5 if word.text.endswith((".", "?", "!")) else 0.0)
            if pause >= best:
                best, place = pause, middle
    return place


def _text_of(words: tuple[RecognisedWord, ...], text: str) -> str:
    """The beginning of `text` that these words cover, spelt and spaced as there."""
    end = 0
    for word in words:
        found = text.find(word.text, end)
        end = found + len(word.text) if found >= 0 else end
    return text[:end]


def _joined(closed: _Closed, part: Transcript, begin: int, samples: int) -> Transcript:
    """The closed stretches and one more that begins at sample `begin`; probabilities weighted by length."""
    offset = begin / SPEECH_RATE
    words = tuple(
        RecognisedWord(word.text, word.start + offset, word.end + offset, word.probability) for word in part.words
    )
    if not closed.samples:
        return Transcript(part.text, part.language, part.no_speech_probability, part.average_log_probability, words)
    share = samples / max(1, closed.samples + samples)
    return Transcript(
        " ".join(text for text in (*closed.texts, part.text) if text),
        part.language,
        closed.no_speech + share * (part.no_speech_probability - closed.no_speech),
        closed.log_probability + share * (part.average_log_probability - closed.log_probability),
        closed.words + words,
    )
