"""Text to a WAV file in the voice of the live engine: any length of chapter, in bounded memory, evenly loud.

The voice's sound is written to disk as it is made and measured there; a second pass brings it to its loudness, to the
rate asked for, and keeps its peaks in bounds.
"""

from __future__ import annotations

import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
import soxr

from media.audio.frames import Samples, to_int16
from media.files import appearing
from media.speech.protocols import SpokenPhoneme, SpokenWord
from media.speech.synthesis.plan import Pauses
from media.speech.synthesis.voice import FASTEST, SLOWEST, SynthesisVoice
from media.studio.control import Control
from media.studio.errors import NothingToSpeak, OptionInvalid
from media.studio.loudness import SPEECH_LOUDNESS, Limiter, LoudnessMeter, gain_for

MOST_CHARACTERS: Final = 10_000
"""Of one text; longer ones are to be cut into chapters."""

READING: Final = Pauses(sentence=0.38, block=0.75, clause=0.12)
"""Seconds of silence when a text is read out: longer than in talk."""

_ALONE = Control()
_RATES = (8_000, 192_000)
_BLOCK = 1 << 16  # samples of the second pass
_SPOKEN = 0.95  # part of the work that speaking is
_BACKGROUND = 3600.0  # seconds from now when each chunk is due: whatever a listener waits for goes first


@dataclass(frozen=True, slots=True)
class RenderedVoice:
    """A WAV file that was written: 16 bit, mono, `rate` Hz.

    `words` and `phonemes` count the samples of the file. `loudness` is that of the speech before, in LUFS.
    """

    path: Path
    rate: int
    samples: int
    words: tuple[SpokenWord, ...]
    phonemes: tuple[SpokenPhoneme, ...]
    loudness: float

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
) -> RenderedVoice:
    """Speak `text` into `out` (WAV, 16 bit, mono).

    `rate`: of the file in Hz, None for the voice's own. `speed` from 0.5 to 2, made by the voice model. `language`:
    an ISO 639-1 code that the voice must speak, None for its own. `loudness` in LUFS. The file appears when it is
    whole; cancelling, by `control` or by asyncio, leaves nothing.
    Raises `OptionInvalid`, `NothingToSpeak`, `RenderCancelled`, `media.speech.synthesis.SynthesisError`, `OSError`.
    """
    _check(text, voice, speed=speed, language=language, rate=rate, loudness=loudness)
    rate = rate or voice.rate
    with appearing(out) as scratch, tempfile.TemporaryFile(dir=out.parent) as raw:
        meter = LoudnessMeter(voice.rate)
        words, phonemes = await _speak(text, voice, speed, raw=raw, meter=meter, control=control.part(0.0, _SPOKEN))
        if not words or not raw.tell():
            raise NothingToSpeak("the text holds no word that can be spoken")
        gain = gain_for(meter.loudness, meter.true_peak, target=loudness)
        samples = _master(raw, voice.rate, scratch, rate, gain=gain, control=control.part(_SPOKEN, 1.0))
    scale = rate / voice.rate
    return RenderedVoice(
        out,
        rate,
        samples,
        tuple(_scaled_word(word, scale) for word in words),
        tuple(SpokenPhoneme(p.phoneme, round(p.start * scale), round(p.end * scale)) for p in phonemes),
        meter.loudness,
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
    text: str, voice: SynthesisVoice, speed: float, *, raw: IO[bytes], meter: LoudnessMeter, control: Control
) -> tuple[list[SpokenWord], list[SpokenPhoneme]]:
    """Write the voice's sound as float32 to `raw`, and measure it."""
    words: list[SpokenWord] = []
    phonemes: list[SpokenPhoneme] = []
    control.at(0.0)
    spoken = voice.synthesise(text, deadline=time.monotonic() + _BACKGROUND, speed=speed, pauses=READING)
    async with aclosing(spoken) as chunks:
        async for chunk in chunks:
            raw.write(np.ascontiguousarray(chunk.samples, "<f4").tobytes())
            meter.hear(chunk.samples)
            words += chunk.words
            phonemes += chunk.phonemes
            control.at(words[-1].source_end / len(text) if words else 0.0)
    meter.finish()
    return words, phonemes


def _master(raw: IO[bytes], from_rate: int, out: Path, rate: int, *, gain: float, control: Control) -> int:
    """The second pass; returns the samples written."""
    limiter = Limiter(rate)
    total = raw.tell() // 4
    written = done = 0
    with wave.open(str(out), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        for block in _resampled(raw, from_rate, rate):
            done += len(block)
            settled = limiter.feed(block * np.float32(gain))
            file.writeframes(to_int16(settled).astype("<i2").tobytes())
            written += len(settled)
            control.at(done / rate * from_rate / max(1, total))
        settled = limiter.finish()
        file.writeframes(to_int16(settled).astype("<i2").tobytes())
    return written + len(settled)


def _resampled(raw: IO[bytes], from_rate: int, rate: int) -> Iterator[Samples]:
    raw.seek(0)
    stream = soxr.ResampleStream(from_rate, rate, 1, dtype="float32", quality="HQ") if rate != from_rate else None
    while data := raw.read(4 * _BLOCK):
        block = np.frombuffer(data, "<f4").astype(np.float32)
        yield block if stream is None else stream.resample_chunk(block)
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _scaled_word(word: SpokenWord, scale: float) -> SpokenWord:
    start, end = round(word.start * scale), round(word.end * scale)
    return SpokenWord(word.text, start, end, word.source_start, word.source_end)
