"""Real voices: their times, their stretches, and what a recogniser hears them say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import psutil
import pytest
import soxr
from faster_whisper import WhisperModel

from media.audio.frames import SPEECH_RATE, Samples
from media.models import model_dir
from media.speech.protocols import SpeechChunk, SpokenPhoneme, SpokenWord, Voice
from media.speech.synthesis import SynthesisVoice, UnknownVoice, VoiceRegistry
from media.speech.synthesis.model import Sound, SpeechModel
from media.speech.synthesis.normalise import normalise
from media.speech.synthesis.silence import leading_silence
from media.worker import ModelWorker

pytestmark = pytest.mark.models

PIPER, KOKORO = "piper-joe", "kokoro:af_heart"

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "Your table for four is booked for 11:30 on March 3rd.",
    "That will be $12.50, please.",
    "Your booking number is 4821.",
    "Doctor Smith is on holiday until the end of the month, but his colleague can see you tomorrow.",
    "There are 1,250 people in the hall, about 40% of them children.",
    "I'm sorry, could you say that again?",
    "Please write to the manager of the state museum of modern art.",
]

CLAUSE = "həlˈoʊ wˈɜːld ðɪs ɪz ɐ lˈɔŋɡɚ klˈɔːz wɪð sˈʌm mˈoːɹ wˈɜːdz ænd mˈoːɹ ænd mˈoːɹ"


@pytest.fixture(scope="module")
def registry() -> Iterator[VoiceRegistry]:
    worker = ModelWorker("voices")
    made = VoiceRegistry(worker, cache_samples=0)
    yield made
    made.close()
    worker.close()


@pytest.fixture(scope="module")
def model(registry: VoiceRegistry) -> SpeechModel:
    return registry.open(PIPER).model


@pytest.fixture(scope="module")
def recogniser() -> WhisperModel:
    return WhisperModel(str(model_dir("whisper-base")), compute_type="int8", cpu_threads=2)


async def spoken(voice: Voice, text: str, speed: float = 1.0) -> list[SpeechChunk]:
    return [chunk async for chunk in voice.synthesise(text, deadline=time.monotonic(), speed=speed)]


def audio(chunks: list[SpeechChunk]) -> Samples:
    return np.concatenate([chunk.samples for chunk in chunks])


def words_of(chunks: list[SpeechChunk]) -> list[SpokenWord]:
    return [word for chunk in chunks for word in chunk.words]


def phonemes_of(chunks: list[SpeechChunk]) -> list[SpokenPhoneme]:
    return [phoneme for chunk in chunks for phoneme in chunk.phonemes]


def plain(text: str) -> list[str]:
    """What was said, numbers in words however they are written, as words to compare."""
    # Codes and times come back as "4-8-21" and "1130": four digits are compared digit by digit on both sides.
    text = re.sub(r"\b\d{4}\b", lambda code: " ".join(code.group()), re.sub(r"(?<=\d)[-,:](?=\d)", "", text))
    said = " ".join(token.text for token in normalise(text))
    return re.findall(r"[a-z']+", said.lower().replace("doctor", "dr").replace("-", " "))


def errors(expected: list[str], heard: list[str]) -> int:
    """Words wrong, missing or added: the edit distance."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(expected):
        diagonal, row[0] = row[0], i + 1
        for j, other in enumerate(heard):
            diagonal, row[j + 1] = row[j + 1], min(row[j + 1] + 1, row[j] + 1, diagonal + (word != other))
    return row[-1]


async def word_error_rate(voice: SynthesisVoice, recogniser: WhisperModel, sentences: list[str]) -> float:
    wrong = total = 0
    for sentence in sentences:
        samples = soxr.resample(audio(await spoken(voice, sentence)), voice.rate, SPEECH_RATE)
        segments, _ = recogniser.transcribe(samples, language="en", beam_size=5, condition_on_previous_text=False)
        expected, heard = plain(sentence), plain(" ".join(segment.text for segment in segments))
        wrong, total = wrong + errors(expected, heard), total + len(expected)
    return wrong / total


async def test_a_recogniser_understands_piper(registry: VoiceRegistry, recogniser: WhisperModel) -> None:
    assert await word_error_rate(registry.open(PIPER), recogniser, SENTENCES) <= 0.05


async def test_a_recogniser_understands_kokoro(registry: VoiceRegistry, recogniser: WhisperModel) -> None:
    assert await word_error_rate(registry.open(KOKORO), recogniser, SENTENCES[:4]) <= 0.05


@pytest.mark.parametrize("name", [PIPER, KOKORO])
async def test_words_cover_the_speech_in_order(registry: VoiceRegistry, name: str) -> None:
    voice = registry.open(name)
    text = "Well, the state of the art costs **$12.50** a year. Is it any good?"
    chunks = await spoken(voice, text)
    words = words_of(chunks)
    assert [w.text for w in words] == [token.text for token in normalise(text)]
    assert all(w.start < w.end for w in words)
    assert all(one.end <= other.start and one.source_start <= other.source_start for one, other in pairwise(words))
    voiced = sum(w.end - w.start for w in words)
    assert 0.6 < voiced / len(audio(chunks)) <= 1.0
    assert words[-1].end <= len(audio(chunks))
    assert leading_silence(audio(chunks), voice.rate) <= 0.03 * voice.rate


@pytest.mark.parametrize("name", [PIPER, KOKORO])
async def test_phonemes_are_in_order_within_the_words(registry: VoiceRegistry, name: str) -> None:
    chunks = await spoken(registry.open(name), "Hello, big world.")
    words, phonemes = words_of(chunks), phonemes_of(chunks)
    assert all(one.end <= other.start for one, other in pairwise(phonemes))
    for phoneme in phonemes:
        assert any(w.start <= phoneme.start and phoneme.end <= w.end for w in words), phoneme
    assert "".join(p.phoneme for p in phonemes).startswith("h")


async def test_speech_is_where_the_words_are(registry: VoiceRegistry) -> None:
    chunks = await spoken(registry.open(PIPER), "Yes. No.")
    samples, words = audio(chunks), words_of(chunks)
    power = [float(np.mean(np.square(samples[w.start : w.end]))) for w in words]
    between = samples[words[0].end : words[1].start]
    assert len(between) / registry.open(PIPER).rate > 0.1
    assert min(power) > 10 * float(np.mean(np.square(between[len(between) // 3 :])))


def test_durations_make_up_the_audio(model: SpeechModel) -> None:
    sounds = model.spell(CLAUSE, 0)
    clause = model.begin(sounds, speed=1.0)
    samples = clause.render(0, clause.length)
    assert len(samples) == clause.length
    assert 0 < clause.length - clause.lead - sum(clause.durations) < 0.3 * model.rate
    assert all(duration > 0 for duration in clause.durations)


def test_stretches_sound_like_the_whole(model: SpeechModel) -> None:
    sounds: list[Sound] = model.spell(CLAUSE, 0)
    clause = model.begin(sounds, speed=1.0)
    stops = clause.chunks(urgent=True)
    assert len(stops) > 3
    pieces = [clause.render(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]
    whole = clause.render(0, clause.length)
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


async def test_speaking_twice_as_fast_takes_about_half_the_time_but_for_pauses(registry: VoiceRegistry) -> None:
    voice = registry.open(PIPER)
    slow, fast = [len(audio(await spoken(voice, SENTENCES[4], speed))) for speed in (1.0, 2.0)]
    assert 0.4 < fast / slow < 0.75


@pytest.mark.slow
async def test_ten_thousand_characters_are_spoken_in_bounded_memory(registry: VoiceRegistry) -> None:
    voice = registry.open(PIPER)
    text = (" ".join(SENTENCES) + " ") * 25
    text = text[:10_000]
    process = psutil.Process()
    await spoken(voice, text[:500])
    before, most, samples, words = process.memory_info().rss, 0, 0, 0
    final = False
    async for chunk in voice.synthesise(text, deadline=time.monotonic(), speed=2.0):
        assert chunk.start == samples
        samples, words, final = samples + len(chunk.samples), words + len(chunk.words), chunk.final
        most = max(most, process.memory_info().rss)
    assert final
    assert words == len(list(normalise(text)))
    assert samples / voice.rate > 200
    assert most - before < 100 << 20, f"{(most - before) >> 20} MiB more"


def test_kokoros_voices_are_listed_and_an_unknown_one_is_refused(registry: VoiceRegistry) -> None:
    assert {PIPER, KOKORO, "kokoro:bf_emma"} <= set(registry.names())
    with pytest.raises(UnknownVoice, match=r"'nobody'; there are: .*kokoro:af_heart"):
        registry.open("kokoro:nobody")
    with pytest.raises(UnknownVoice):
        registry.open("kokoro:../model")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kokoro:bf_emma", "The colour of the water."),
        ("kokoro:ff_siwis", "Bonjour, il est 11 heures."),
        ("kokoro:ef_dora", "Hola, son las 3."),
    ],
)
async def test_kokoro_speaks_other_languages(registry: VoiceRegistry, name: str, text: str) -> None:
    voice = registry.open(name)
    chunks = await spoken(voice, text)
    assert 0.8 < len(audio(chunks)) / voice.rate < 6
    assert len(words_of(chunks)) == len(list(normalise(text, voice.language)))
