"""A voice's chunks: their order, times and deadlines, what is dropped, what is kept."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import numpy as np
import pytest

from media.speech.protocols import HEAD_START, SpeechChunk, Voice
from media.speech.synthesis.cache import PhraseCache
from media.speech.synthesis.errors import PhonemiserError
from media.speech.synthesis.voice import SynthesisVoice
from media.worker import ModelWorker, WorkerFull
from tests.media.speech.synthesis.fakes import RATE, Letters, ToneModel

T = TypeVar("T")


class WatchedWorker(ModelWorker):
    """Notes the deadline of every job."""

    def __init__(self, capacity: int = 64) -> None:
        super().__init__("watched", capacity=capacity)
        self.deadlines: list[float] = []

    async def run(self, work: Callable[[], T], *, deadline: float, replaces: Any = None) -> T:
        self.deadlines.append(deadline)
        return await super().run(work, deadline=deadline, replaces=replaces)


@pytest.fixture
def worker() -> Iterator[WatchedWorker]:
    made = WatchedWorker()
    yield made
    made.close()


@asynccontextmanager
async def occupied(worker: ModelWorker) -> AsyncIterator[None]:
    """The worker's one thread is held up while the body runs."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        leave.wait()

    held = asyncio.ensure_future(worker.run(hold, deadline=-1.0))
    while not entered.is_set():
        await asyncio.sleep(0)
    try:
        yield
    finally:
        leave.set()
        await held


async def waiting_jobs(worker: ModelWorker, count: int) -> None:
    while worker.backlog < count:
        await asyncio.sleep(0)


def voice_of(worker: ModelWorker, model: ToneModel | None = None, phonemiser: Letters | None = None) -> SynthesisVoice:
    return SynthesisVoice(
        "test",
        model or ToneModel(),
        phonemiser=phonemiser or Letters(),
        worker=worker,
        cache=PhraseCache(100_000),
    )


async def spoken(voice: Voice, text: str, *, deadline: float = 0.0, speed: float = 1.0) -> list[SpeechChunk]:
    return [chunk async for chunk in voice.synthesise(text, deadline=deadline, speed=speed)]


def follow_one_another(chunks: list[SpeechChunk]) -> bool:
    starts = [chunk.start for chunk in chunks]
    ends = [chunk.start + len(chunk.samples) for chunk in chunks]
    return starts == [0, *ends[:-1]] and [c.final for c in chunks] == [False] * (len(chunks) - 1) + [True]


async def test_chunks_follow_one_another_and_the_last_is_final(worker: WatchedWorker) -> None:
    chunks = await spoken(voice_of(worker), "One sentence here. And another one, a little longer than the first.")
    assert len(chunks) > 3
    assert follow_one_another(chunks)


async def test_every_word_comes_once_in_order_with_its_source(worker: WatchedWorker) -> None:
    text = "It costs **$12.50**, today. Really? Yes."
    expected = "It costs twelve dollars and fifty cents today Really Yes"
    words = [word for chunk in await spoken(voice_of(worker), text) for word in chunk.words]
    assert " ".join(w.text for w in words) == expected
    assert text[words[2].source_start : words[6].source_end] == "$12.50"
    assert all(w.start < w.end for w in words)
    assert all(one.end <= other.start for one, other in itertools.pairwise(words))


async def test_words_come_with_the_chunk_they_begin_in(worker: WatchedWorker) -> None:
    chunks = await spoken(voice_of(worker), "several words, some of them long, in more than one chunk of sound")
    for chunk in chunks:
        starts = [word.start for word in chunk.words] + [phoneme.start for phoneme in chunk.phonemes]
        assert all(chunk.start <= start < chunk.start + len(chunk.samples) for start in starts)


async def test_silence_in_front_is_cut_and_sentences_are_kept_apart(worker: WatchedWorker) -> None:
    chunks = await spoken(voice_of(worker), "One. Two.")
    audio = np.concatenate([chunk.samples for chunk in chunks])
    loud = np.flatnonzero(audio)
    assert loud[0] == 0.02 * RATE
    gaps = np.diff(loud)
    assert gaps.max() - 1 == 0.2 * RATE
    assert loud[-1] == len(audio) - 1, "silence was added at the end"


@pytest.mark.parametrize("text", ["", "  \n", "😀", "```\ncode\n```", "..."])
async def test_text_without_words_is_one_empty_final_chunk(worker: WatchedWorker, text: str) -> None:
    chunks = await spoken(voice_of(worker), text)
    assert [(c.start, len(c.samples), c.words, c.final) for c in chunks] == [(0, 0, (), True)]


async def test_an_utterance_that_ends_in_words_without_sound_still_ends(worker: WatchedWorker) -> None:
    chunks = await spoken(voice_of(worker, phonemiser=Letters(mute=["psst"])), "Hello there. Psst. psst.")
    assert follow_one_another(chunks)


async def test_the_first_job_has_the_deadline_given_and_later_ones_a_head_start(
    worker: WatchedWorker,
) -> None:
    chunks = await spoken(voice_of(worker), "One sentence here. And another one.", deadline=50.0)
    assert worker.deadlines[0] == 50.0
    assert worker.deadlines[1:] == sorted(worker.deadlines[1:])
    starts = {50.0 + chunk.start / RATE - HEAD_START for chunk in chunks if chunk.start}
    assert {round(due, 6) for due in worker.deadlines[1:]} == {round(start, 6) for start in starts}


@pytest.mark.parametrize(("heard", "expected"), [(1, ["later", "first"]), (6, ["first", "later"])])
async def test_another_sessions_first_chunk_overtakes_only_what_is_needed_later(
    worker: WatchedWorker, heard: int, expected: list[str]
) -> None:
    voice = voice_of(worker)
    text = "A long sentence that takes many chunks, one after the other, to its end."
    long = voice.synthesise(text, deadline=0.0)
    for _ in range(heard):
        await anext(long)
    order: list[str] = []

    async def note(name: str, chunks: AsyncIterator[SpeechChunk]) -> None:
        await anext(chunks)
        order.append(name)

    short = voice.synthesise("Hi.", deadline=0.01)
    async with occupied(worker):
        later = asyncio.ensure_future(note("later", long))
        await waiting_jobs(worker, 1)
        first = asyncio.ensure_future(note("first", short))
        await waiting_jobs(worker, 2)
    await asyncio.gather(first, later)
    assert order == expected
    await close(long)
    await close(short)


async def close(chunks: AsyncIterator[SpeechChunk]) -> None:
    await cast(AsyncGenerator[SpeechChunk], chunks).aclose()


async def test_closing_the_iterator_ends_the_work(worker: WatchedWorker) -> None:
    model = ToneModel()
    chunks = voice_of(worker, model).synthesise("Many sentences. " * 50, deadline=0.0)
    await anext(chunks)
    await close(chunks)
    assert len(model.rendered) == 1
    assert worker.backlog == 0


async def test_cancelling_a_waiting_chunk_drops_its_job(worker: WatchedWorker) -> None:
    model = ToneModel()
    async with occupied(worker):
        waiting = asyncio.ensure_future(spoken(voice_of(worker, model), "Hello."))
        await waiting_jobs(worker, 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert model.begun == []
    assert worker.stats.dropped == 1


async def test_nothing_is_made_before_it_is_asked_for(worker: WatchedWorker) -> None:
    model, phonemiser = ToneModel(), Letters()
    chunks = voice_of(worker, model, phonemiser).synthesise("First one. " * 10, deadline=0.0)
    await anext(chunks)
    assert (len(phonemiser.asked), len(model.begun), len(model.rendered)) == (1, 1, 1)
    await close(chunks)


async def test_marks_and_spaces_are_told_to_the_network(worker: WatchedWorker) -> None:
    model = ToneModel()
    await spoken(voice_of(worker, model), "Well, so it is (here)!", speed=1.5)
    assert model.begun == [("Well, so it is, here!", 1.5)]


async def test_words_between_marks_are_phonemised_together(worker: WatchedWorker) -> None:
    phonemiser = Letters()
    await spoken(voice_of(worker, phonemiser=phonemiser), "Well, so it is.")
    assert phonemiser.asked == [[["Well"], ["so", "it", "is"]]]


async def test_a_clause_too_long_for_the_network_is_spoken_in_parts(worker: WatchedWorker) -> None:
    model = ToneModel(most_sounds=12)
    chunks = await spoken(voice_of(worker, model), "abcd efgh ijkl mnop qrstuvwxyzabcdefg.")
    assert all(len(sounds) <= 12 for sounds, _ in model.begun)
    assert [w.text for c in chunks for w in c.words] == ["abcd", "efgh", "ijkl", "mnop", "qrstuvwxyzabcdefg"]
    assert follow_one_another(chunks)


@pytest.mark.parametrize("speed", [0.49, 2.01, float("nan")])
async def test_a_speed_out_of_range_is_refused(worker: WatchedWorker, speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be"):
        voice_of(worker).synthesise("Hello.", deadline=0.0, speed=speed)


async def test_a_phonemiser_that_fails_fails_the_utterance(worker: WatchedWorker) -> None:
    heard = []
    with pytest.raises(PhonemiserError):
        async for chunk in voice_of(worker, phonemiser=Letters(broken="Bad")).synthesise("Good. Bad.", deadline=0.0):
            heard.append(chunk)
    assert [word.text for chunk in heard for word in chunk.words] == ["Good"]
    assert not any(chunk.final for chunk in heard)


async def test_a_full_worker_is_said_so() -> None:
    worker = WatchedWorker(capacity=1)
    async with occupied(worker):
        other = asyncio.ensure_future(worker.run(int, deadline=0.0))
        await waiting_jobs(worker, 1)
        with pytest.raises(WorkerFull):
            await spoken(voice_of(worker), "Hello.")
    await other
    worker.close()


async def test_a_prepared_phrase_is_spoken_at_once_and_without_the_network(worker: WatchedWorker) -> None:
    model = ToneModel()
    voice = voice_of(worker, model)
    expected = await spoken(voice, "Hello, there.")
    await voice.prepare(["Hello, there.", "One moment."])
    done = len(model.begun)
    (chunk,) = await spoken(voice, "Hello, there.")
    assert len(model.begun) == done
    assert chunk.final
    assert chunk.words == tuple(word for c in expected for word in c.words)
    assert chunk.phonemes == tuple(phoneme for c in expected for phoneme in c.phonemes)
    np.testing.assert_array_equal(chunk.samples, np.concatenate([c.samples for c in expected]))


async def test_preparing_waits_behind_everybody_who_listens(worker: WatchedWorker) -> None:
    now = asyncio.get_running_loop().time()
    await voice_of(worker).prepare(["Hello."])
    assert min(worker.deadlines) > now + 30


async def test_a_phrase_is_kept_the_second_time_it_is_spoken_to_its_end(worker: WatchedWorker) -> None:
    model = ToneModel()
    voice = voice_of(worker, model)
    for _ in range(4):
        await spoken(voice, "Hello.")
    assert len(model.begun) == 2


async def test_a_phrase_that_was_broken_off_is_not_kept(worker: WatchedWorker) -> None:
    model = ToneModel()
    voice = voice_of(worker, model)
    for _ in range(3):
        chunks = voice.synthesise("One sentence. And another.", deadline=0.0)
        await anext(chunks)
        await close(chunks)
    assert len(model.begun) == 3


async def test_who_stops_at_the_final_chunk_has_it_kept(worker: WatchedWorker) -> None:
    model = ToneModel()
    voice = voice_of(worker, model)
    for _ in range(3):
        chunks = voice.synthesise("Hello.", deadline=0.0)
        while not (await anext(chunks)).final:
            pass
        await close(chunks)
    assert len(model.begun) == 2
