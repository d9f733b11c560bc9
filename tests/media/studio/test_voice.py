"""Text to a WAV file: its length, loudness and times, and what is left when it is stopped."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest

from media.audio.wav import read_wav
from media.speech.protocols import SpeechChunk
from media.studio.control import Control
from media.studio.errors import NothingToSpeak, OptionInvalid, RenderCancelled
from media.studio.voice import MOST_CHARACTERS, READING, render_voice
from media.worker import ModelWorker
from tests.media.studio.buzz import RATE, BuzzModel, buzzing

TEXT = "Once upon a time there was a fox. It lived in a forest, near a brook.\n\nOne day it went to see the world."


@pytest.fixture
def worker() -> Iterator[ModelWorker]:
    worker = ModelWorker("voice")
    yield worker
    worker.close()


def loudness(path: Path) -> float:
    sound = read_wav(path)
    return float(pyloudnorm.Meter(sound.rate).integrated_loudness(sound.samples.astype(np.float64)))


@pytest.mark.parametrize("rate", [None, 48_000, 16_000])
async def test_a_text_becomes_speech_at_the_loudness_and_rate_asked_for(
    rate: int | None, worker: ModelWorker, tmp_path: Path
) -> None:
    out = tmp_path / "a" / "speech.wav"
    made = await render_voice(TEXT, buzzing(worker), out, rate=rate)
    sound = read_wav(out)
    assert sound.rate == made.rate == (rate or RATE)
    assert len(sound.samples) == pytest.approx(made.samples, abs=1)
    assert loudness(out) == pytest.approx(-16.0, abs=0.1)
    assert np.abs(sound.samples).max() < 10 ** (-1 / 20)
    assert [path.name for path in out.parent.iterdir()] == ["speech.wav"]


async def test_words_stand_where_they_sound_and_sentences_and_paragraphs_are_kept_apart(
    worker: ModelWorker, tmp_path: Path
) -> None:
    chunks = list[SpeechChunk]()
    made = await render_voice(TEXT, buzzing(worker), tmp_path / "s.wav", rate=48_000, on_chunk=chunks.append)
    assert [word.text for word in made.words] == TEXT.replace(".", "").replace(",", "").split()
    sound = read_wav(tmp_path / "s.wav").samples
    for word in made.words:
        assert np.abs(sound[word.start + 200 : word.end - 200]).max() > 0.05
    pauses = {a.text: (b.start - a.end) / 48_000 for a, b in zip(made.words, made.words[1:], strict=False)}
    assert pauses["fox"] == pytest.approx(READING.sentence, abs=0.08)
    assert pauses["brook"] == pytest.approx(READING.block, abs=0.08)
    assert pauses["upon"] < 0.1
    assert made.phonemes[-1].end == pytest.approx(made.samples, abs=0.3 * 48_000)
    assert [word.text for chunk in chunks for word in chunk.words] == [word.text for word in made.words]
    ends = [(chunk.start + len(chunk.samples)) / chunk.rate for chunk in chunks]
    assert ends[-1] == pytest.approx(made.seconds, abs=0.001)


async def test_speed_is_made_by_the_voice_and_not_by_playing_it_faster(worker: ModelWorker, tmp_path: Path) -> None:
    model = BuzzModel()
    slow = await render_voice(TEXT, buzzing(worker), tmp_path / "slow.wav", speed=0.8)
    fast = await render_voice(TEXT, buzzing(worker, model), tmp_path / "fast.wav", speed=1.6)
    assert {speed for _, speed in model.begun} == {1.6}
    assert fast.seconds < 0.65 * slow.seconds
    spectrum = np.abs(np.fft.rfft(read_wav(tmp_path / "fast.wav").samples))
    assert np.argmax(spectrum) / fast.seconds == pytest.approx(180, abs=2)


async def test_loud_peaks_are_kept_below_one_decibel_under_full_scale(worker: ModelWorker, tmp_path: Path) -> None:
    await render_voice(TEXT, buzzing(worker, BuzzModel(0.6)), tmp_path / "s.wav", loudness=-9.0)
    assert np.abs(read_wav(tmp_path / "s.wav").samples).max() <= 10 ** (-1 / 20)


async def test_a_silent_voice_stays_silent(worker: ModelWorker, tmp_path: Path) -> None:
    with pytest.raises(NothingToSpeak):
        await render_voice("fox", buzzing(worker, BuzzModel(0.0)), tmp_path / "s.wav")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("speed", {"speed": 2.5}),
        ("language", {"language": "fr"}),
        ("rate", {"rate": 1000}),
        ("loudness", {"loudness": 3.0}),
    ],
)
async def test_an_option_that_cannot_be_used_is_named(
    field: str, options: dict[str, object], worker: ModelWorker, tmp_path: Path
) -> None:
    with pytest.raises(OptionInvalid, match=f"^{field}: ") as raised:
        await render_voice(TEXT, buzzing(worker), tmp_path / "s.wav", **options)  # type: ignore[arg-type]
    assert raised.value.field == field
    assert not list(tmp_path.iterdir())


async def test_a_text_that_is_too_long_or_says_nothing_is_refused(worker: ModelWorker, tmp_path: Path) -> None:
    with pytest.raises(OptionInvalid, match="10001 characters"):
        await render_voice("a" * (MOST_CHARACTERS + 1), buzzing(worker), tmp_path / "s.wav")
    for text in ("", "  \n", "…"):
        with pytest.raises(NothingToSpeak):
            await render_voice(text, buzzing(worker), tmp_path / "s.wav")
    assert not list(tmp_path.iterdir())


async def test_progress_rises_to_the_whole(worker: ModelWorker, tmp_path: Path) -> None:
    seen: list[float] = []
    await render_voice(TEXT, buzzing(worker), tmp_path / "s.wav", control=Control(seen.append))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)
    assert len(seen) > 10


async def test_a_render_that_is_stopped_at_any_clause_leaves_nothing(worker: ModelWorker, tmp_path: Path) -> None:
    stops = 0
    for after in range(1, 60, 7):
        asked = iter(range(10_000))

        def enough(asked: Iterator[int] = asked, after: int = after) -> bool:
            return next(asked) >= after

        try:
            await render_voice(TEXT, buzzing(worker), tmp_path / "s.wav", control=Control(cancelled=enough))
        except RenderCancelled:
            stops += 1
            assert not list(tmp_path.iterdir())
    assert stops >= 4


async def test_a_cancelled_task_leaves_nothing(worker: ModelWorker, tmp_path: Path) -> None:
    (tmp_path / "s.wav").write_bytes(b"an older one")
    begun = asyncio.Event()
    control = Control(lambda done: begun.set() if done > 0.2 else None)
    task = asyncio.create_task(render_voice(TEXT, buzzing(worker), tmp_path / "s.wav", control=control))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [path.name for path in tmp_path.iterdir()] == ["s.wav"]
    assert (tmp_path / "s.wav").read_bytes() == b"an older one"


@pytest.mark.slow
async def test_a_chapter_is_spoken_in_bounded_memory(worker: ModelWorker, tmp_path: Path) -> None:
    chapter = "The fox ran on and on, over hills and through valleys, until night fell. " * 60
    tracemalloc.start()
    try:
        made = await render_voice(chapter, buzzing(worker), tmp_path / "s.wav", rate=48_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.seconds > 200
    assert peak < 20e6  # the samples alone are 60 MB
