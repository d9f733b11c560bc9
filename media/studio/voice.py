"""Text to a WAV file in the voice of the live engine: any length of chapter, in bounded memory, evenly loud.

The voice's sound is written to disk as it is made. Further passes over it find the gain that brings it to its loudness,
then write it so, at the rate asked for, with its peaks kept in bounds.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
import soxr

from media.audio.frames import Samples, to_int16
from media.files import appearing
from media.speech.protocols import SpeechChunk, SpokenPhoneme, SpokenWord
from media.speech.synthesis.plan import Pauses
from media.speech.synthesis.voice import FASTEST, SLOWEST, SynthesisVoice
from media.studio.control import Control, finished
from media.studio.errors import NothingToSpeak, OptionInvalid, RenderCancelled
from media.studio.loudness import SPEECH_LOUDNESS, limited, mastering_gain

MOST_CHARACTERS: Final = 10_000
"""Of one text; longer ones are to be cut into chapters."""

READING: Final = Pauses(sentence=0.38, block=0.75, clause=0.12)
"""Seconds of silence when a text is read out: longer than in talk."""

_ALONE = Control()
_RATES = (8_000, 192_000)
_BLOCK = 1 << 16  # samples read at once by the later passes
_SPOKEN = 0.95  # part of the work that speaking is
_BACKGROUND = 3600.0  # seconds from now when each chunk is due: whatever a listener waits for goes first


@dataclass(frozen=True, slots=True)
class RenderedVoice:
    """A WAV file that was written: 16 bit, mono, `rate` Hz.

    `words` and `phonemes` count the samples of the file.
    """

    path: Path
    rate: int
    samples: int
    words: tuple[SpokenWord, ...]
    phonemes: tuple[SpokenPhoneme, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.samples / self.rate


async def render_voice(
    text: str,
    voice: SynthesisVoice,
    out: Path,
    *,
    speed: float = 1.0,
    language: str | None = None,
    rate: int | None = None,
    loudness: float = SPEECH_LOUDNESS,
    control: Control = _ALONE,
    on_chunk: Callable[[SpeechChunk], object] | None = None,
) -> RenderedVoice:
    """Speak `text` into `out` (WAV, 16 bit, mono). `on_chunk` gets the speech as it is made, at the voice's rate.

    `rate`: of the file in Hz, None for the voice's own. `speed` from 0.5 to 2, made by the voice model. `language`:
    an ISO 639-1 code that the voice must speak, None for its own. `loudness` in LUFS. The file appears when it is
    whole; cancelling, by `control` or by asyncio, leaves nothing.
    Raises `OptionInvalid`, `NothingToSpeak`, `RenderCancelled`, `media.speech.synthesis.SynthesisError`, `OSError`.
    """
    _check(text, voice, speed=speed, language=language, rate=rate, loudness=loudness)
    rate = rate or voice.rate
    with appearing(out) as scratch, tempfile.TemporaryFile(dir=out.parent) as raw:
        told = on_chunk or (lambda _: None)
        words, phonemes = await _speak(text, voice, speed, raw=raw, control=control.part(0.0, _SPOKEN), on_chunk=told)
        if not words or not raw.tell():
            raise NothingToSpeak("the text holds no word that can be spoken")
        mastering = _Mastering(raw, voice.rate, rate, loudness, control.part(_SPOKEN, 1.0))
        samples = await finished(asyncio.to_thread(mastering.write, scratch), mastering.stop)
    scale = rate / voice.rate
    return RenderedVoice(
        out,
        rate,
        samples,
        tuple(_scaled_word(word, scale) for word in words),
        tuple(SpokenPhoneme(p.phoneme, round(p.start * scale), round(p.end * scale)) for p in phonemes),
    )


def _check(
    text: str, voice: SynthesisVoice, *, speed: float, language: str | None, rate: int | None, loudness: float
) -> None:
    if len(text) > MOST_CHARACTERS:
        raise OptionInvalid("text", f"{len(text)} characters; at most {MOST_CHARACTERS} can be spoken at once")
    if not SLOWEST <= speed <= FASTEST:
        raise OptionInvalid("speed", f"{speed} is not from {SLOWEST} to {FASTEST}")
    if language is not None and spoken_language(voice) != language.lower().partition("-")[0]:
        raise OptionInvalid("language", f"the voice {voice.name} speaks {spoken_language(voice)}, not {language}")
    if rate is not None and not _RATES[0] <= rate <= _RATES[1]:
        raise OptionInvalid("rate", f"{rate} Hz is not from {_RATES[0]} to {_RATES[1]}")
    if not -40.0 <= loudness <= -9.0:
        raise OptionInvalid("loudness", f"{loudness} LUFS is not from -40 to -9")


def spoken_language(voice: SynthesisVoice) -> str:
    """The ISO 639-1 code of what a voice speaks."""
    base = voice.language.partition("-")[0]
    return {"cmn": "zh"}.get(base, base)


async def _speak(
    text: str,
    voice: SynthesisVoice,
    speed: float,
    *,
    raw: IO[bytes],
    control: Control,
    on_chunk: Callable[[SpeechChunk], object],
) -> tuple[list[SpokenWord], list[SpokenPhoneme]]:
    """Write the voice's sound as float32 to `raw`."""
    words: list[SpokenWord] = []
    phonemes: list[SpokenPhoneme] = []
    control.at(0.0)
    spoken = voice.synthesise(text, deadline=time.monotonic() + _BACKGROUND, speed=speed, pauses=READING)
    async with aclosing(spoken) as chunks:
        async for chunk in chunks:
            raw.write(np.ascontiguousarray(chunk.samples, "<f4").tobytes())
            words += chunk.words
            phonemes += chunk.phonemes
            on_chunk(chunk)
            control.at(words[-1].source_end / len(text) if words else 0.0)
    return words, phonemes


class _Mastering:
    """The passes behind the first: on a thread of their own, since they take a second for each ten minutes."""

    def __init__(self, raw: IO[bytes], from_rate: int, rate: int, loudness: float, control: Control) -> None:
        self._raw, self._from_rate, self._rate, self._loudness = raw, from_rate, rate, loudness
        self._control = control
        self._stopped = threading.Event()
        self._total = max(1, raw.tell() // 4)

    def stop(self) -> None:
        """Give up at the next block."""
        self._stopped.set()

    def write(self, out: Path) -> int:
        """Write the WAV file; returns its samples."""
        gain = mastering_gain(self._blocks, self._from_rate, target=self._loudness)
        written = 0
        with wave.open(str(out), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._rate)
            for block in limited(self._resampled(), gain, self._rate):
                file.writeframes(to_int16(block).astype("<i2").tobytes())
                written += len(block)
                self._control.at(written / self._rate * self._from_rate / self._total)
        self._control.at(1.0)
        return written

    def _blocks(self) -> Iterator[Samples]:
        self._raw.seek(0)
        while data := self._raw.read(4 * _BLOCK):
            if self._stopped.is_set() or self._control.stopped:
                raise RenderCancelled("the render was cancelled")
            yield np.frombuffer(data, "<f4").astype(np.float32)

    def _resampled(self) -> Iterator[Samples]:
        if self._rate == self._from_rate:
            yield from self._blocks()
            return
        stream = soxr.ResampleStream(self._from_rate, self._rate, 1, dtype="float32", quality="HQ")
        for block in self._blocks():
            yield stream.resample_chunk(block)
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _scaled_word(word: SpokenWord, scale: float) -> SpokenWord:
    start, end = round(word.start * scale), round(word.end * scale)
    return SpokenWord(word.text, start, end, word.source_start, word.source_end)
