from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest

from media.audio.frames import SPEECH_RATE, Samples
from media.speech.protocols import RecognisedWord, Transcript
from media.speech.recognition.utterance import HEARD_AT_ONCE, LONG, MOST_PENDING, UtteranceRecogniser
from media.worker import Superseded

SLOTS_PER_SECOND = 4
SLOT = SPEECH_RATE // SLOTS_PER_SECOND


class ToneRecogniser:
    """Hears the word "w7" where the samples are 7 / 10000 for at least an eighth of a second, none where they are 0.

    Every fifth word ends a sentence. Notes what it was given.
    """

    busy = False

    def __init__(self) -> None:
        self.requests: list[tuple[int, str | None, str, str | None]] = []
        self.held: asyncio.Event | None = None

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
        self.requests.append((len(samples), language, hint, slot))
        if self.held is not None:
            await self.held.wait()
        words = []
        edges = [0, *(np.flatnonzero(np.diff(samples)) + 1).tolist(), len(samples)]
        for start, stop in pairwise(edges):
            number = round(float(samples[start]) * 10_000) if stop - start >= SLOT / 2 else 0
            if number:
                name = f"w{number}." if number % 5 == 0 else f"w{number}"
                words.append(RecognisedWord(name, start / SPEECH_RATE, (stop - SLOT / 5) / SPEECH_RATE, 0.9))
        text = " ".join(word.text for word in words)
        return Transcript(text, language or "en", 0.1, -0.3, tuple(words) if word_times else ())


def speech(first: int, count: int) -> Samples:
    """The words `first` to `first + count - 1`."""
    return np.repeat(np.arange(first, first + count, dtype=np.float32) / 10_000, SLOT)


def text(first: int, count: int) -> str:
    return " ".join(f"w{n}." if n % 5 == 0 else f"w{n}" for n in range(first, first + count))


async def test_the_text_grows_with_the_audio() -> None:
    utterance = UtteranceRecogniser(ToneRecogniser(), language="en")
    utterance.add(speech(1, 4))
    assert (await utterance.hypothesis(deadline=0)).text == "w1 w2 w3 w4"
    utterance.add(speech(5, 4))
    assert (await utterance.hypothesis(deadline=0)).text == text(1, 8)
    assert utterance.stable == "w1 w2 w3 w4"


async def test_an_end_asked_for_again_costs_nothing() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en")
    utterance.add(speech(1, 8))
    first = await utterance.hypothesis(deadline=0, final=True)
    utterance.add(np.zeros(SPEECH_RATE, np.float32))
    assert await utterance.hypothesis(deadline=0, final=True, end=8 * SLOT) is first
    assert len(recogniser.requests) == 1


async def test_a_partial_text_may_lack_the_newest_moment_and_a_final_one_may_not() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en")
    utterance.add(speech(1, 4))
    await utterance.hypothesis(deadline=0)
    utterance.add(speech(5, 1))
    assert (await utterance.hypothesis(deadline=0)).text == text(1, 4)
    assert (await utterance.hypothesis(deadline=0, final=True)).text == text(1, 5)


async def test_a_long_turn_is_whole_and_what_is_sent_stays_short() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en")
    for number in range(1, 1_201, 4):  # five minutes, a hypothesis every second
        utterance.add(speech(number, 4))
        heard = await utterance.hypothesis(deadline=0)
    assert heard.text == text(1, 1_200)
    assert max(size for size, *_ in recogniser.requests) <= LONG + SPEECH_RATE
    assert utterance.samples == 1_200 * SLOT


async def test_a_long_turn_nobody_asked_about_is_recognised_piece_by_piece() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en")
    utterance.add(speech(1, 400))
    assert (await utterance.hypothesis(deadline=0, final=True)).text == text(1, 400)
    assert max(size for size, *_ in recogniser.requests) <= HEARD_AT_ONCE


async def test_audio_held_is_bounded() -> None:
    utterance = UtteranceRecogniser(ToneRecogniser(), language="en")
    minute = np.zeros(60 * SPEECH_RATE, np.float32)
    for _ in range(8):
        utterance.add(minute)
    assert utterance.samples == 480 * SPEECH_RATE
    assert (await utterance.hypothesis(deadline=0)).text == ""
    assert MOST_PENDING < 480 * SPEECH_RATE


async def test_word_times_count_from_the_first_sample_of_the_turn() -> None:
    utterance = UtteranceRecogniser(ToneRecogniser(), language="en")
    utterance.add(speech(1, 100))
    words = (await utterance.hypothesis(deadline=0, word_times=True)).words
    assert [word.text for word in words] == text(1, 100).split()
    assert [word.start for word in words] == pytest.approx([n / SLOTS_PER_SECOND for n in range(100)], abs=0.01)


async def test_a_stretch_is_closed_after_a_sentence_and_not_within_a_word() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en")
    utterance.add(speech(1, 52))
    await utterance.hypothesis(deadline=0)
    (first, *_), (second, *_) = recogniser.requests
    closed = 52 * SLOT - second
    assert first == 52 * SLOT
    assert abs(closed - 40 * SLOT) < SLOT / 4  # after "w40.", the last sentence before the newest two seconds


async def test_silence_is_closed_too() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en")
    utterance.add(np.zeros(60 * SPEECH_RATE, np.float32))
    utterance.add(speech(1, 4))
    assert (await utterance.hypothesis(deadline=0)).text == "w1 w2 w3 w4"
    assert recogniser.requests[-1][0] <= LONG


async def test_a_detected_language_is_kept_once_there_was_audio_enough() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser)
    utterance.add(speech(1, 2))
    await utterance.hypothesis(deadline=0, final=True)
    assert utterance.language is None
    utterance.add(speech(3, 8))
    await utterance.hypothesis(deadline=0, final=True)
    assert utterance.language == "en"
    utterance.add(speech(11, 2))
    await utterance.hypothesis(deadline=0, final=True)
    assert [language for _, language, *_ in recogniser.requests] == [None, None, "en"]


async def test_the_hint_is_given_only_at_the_turns_beginning() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en", hint="Anna Miller.", slot="call-1")
    utterance.add(speech(1, 60))
    await utterance.hypothesis(deadline=0)
    assert [hint for _, _, hint, _ in recogniser.requests] == ["Anna Miller.", ""]
    assert {slot for *_, slot in recogniser.requests} == {"call-1"}


async def test_another_hint_is_another_question() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en", hint="Uh-huh.")
    utterance.add(speech(1, 4))
    await utterance.hypothesis(deadline=0)
    utterance.hint = ""
    await utterance.hypothesis(deadline=0)
    assert [hint for _, _, hint, _ in recogniser.requests] == ["Uh-huh.", ""]


async def test_two_requests_at_once_close_a_stretch_once() -> None:
    recogniser = ToneRecogniser()
    utterance = UtteranceRecogniser(recogniser, language="en")
    utterance.add(speech(1, 60))
    recogniser.held = asyncio.Event()
    both = [asyncio.create_task(utterance.hypothesis(deadline=0, final=True)) for _ in range(2)]
    await asyncio.sleep(0)
    recogniser.held.set()
    assert [heard.text for heard in await asyncio.gather(*both)] == [text(1, 60)] * 2


async def test_a_request_that_was_replaced_or_cancelled_leaves_the_turn_whole() -> None:
    class Replaced(ToneRecogniser):
        refusals = 1

        async def transcribe(self, samples: Samples, **options: object) -> Transcript:
            if self.refusals:
                self.refusals -= 1
                raise Superseded("recognition")
            return await super().transcribe(samples, **options)  # type: ignore[arg-type]

    utterance = UtteranceRecogniser(Replaced(), language="en")
    utterance.add(speech(1, 60))
    with pytest.raises(Superseded):
        await utterance.hypothesis(deadline=0)
    assert (await utterance.hypothesis(deadline=0)).text == text(1, 60)


async def test_an_empty_turn_has_no_text() -> None:
    assert (await UtteranceRecogniser(ToneRecogniser()).hypothesis(deadline=0)).text == ""
