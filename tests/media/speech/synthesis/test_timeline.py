"""How clauses are put together: pauses, silence cut away, times moved along."""

from __future__ import annotations

import numpy as np

from media.audio.frames import Samples
from media.speech.protocols import SpokenPhoneme, SpokenWord
from media.speech.synthesis.silence import leading_silence, trailing_silence
from media.speech.synthesis.timeline import LEAD, Timeline

RATE = 10_000
TENTH = RATE // 10


def tone(count: int) -> Samples:
    return np.full(count, 0.5, np.float32)


def hush(count: int) -> Samples:
    return np.zeros(count, np.float32)


def word(start: int, end: int) -> SpokenWord:
    return SpokenWord("w", start, end, 0, 1)


def test_silence_is_measured_in_windows_at_both_ends() -> None:
    samples = np.concatenate([hush(1000), tone(2000), hush(500)])
    assert leading_silence(samples, RATE) == 1000
    assert trailing_silence(samples, RATE) == 500
    assert leading_silence(hush(700), RATE) == 700
    assert leading_silence(hush(0), RATE) == 0


def test_silence_in_front_of_an_utterance_is_cut_to_20_ms_and_times_move_with_it() -> None:
    timeline = Timeline(RATE)
    timeline.open([word(TENTH, 2 * TENTH)], [SpokenPhoneme("a", TENTH, 2 * TENTH)])
    chunk = timeline.place(np.concatenate([hush(TENTH), tone(TENTH)]), 0, last=True, final=True)
    lead = round(LEAD * RATE)
    assert chunk is not None
    assert len(chunk.samples) == TENTH + lead
    assert [(w.start, w.end) for w in chunk.words] == [(lead, lead + TENTH)]
    assert [(p.start, p.end) for p in chunk.phonemes] == [(lead, lead + TENTH)]


def test_a_wholly_silent_stretch_in_front_is_left_out() -> None:
    timeline = Timeline(RATE)
    timeline.open([word(TENTH, 2 * TENTH)], [])
    assert timeline.place(hush(TENTH), 0, last=False, final=False) is None
    chunk = timeline.place(tone(TENTH), TENTH, last=True, final=True)
    assert chunk is not None
    assert chunk.start == 0
    assert [(w.start, w.end) for w in chunk.words] == [(0, TENTH)]


def test_words_come_with_the_chunk_they_begin_in() -> None:
    timeline = Timeline(RATE)
    timeline.open([word(0, 50), word(90, 150), word(100, 200)], [])
    first = timeline.place(tone(100), 0, last=False, final=False)
    second = timeline.place(tone(100), 100, last=True, final=True)
    assert first is not None and second is not None
    assert [w.start for w in first.words] == [0, 90]
    assert [w.start for w in second.words] == [100]
    assert second.start == len(first.samples) == 100


def pause_between(trailing: int, leading: int, pause: float) -> int:
    timeline = Timeline(RATE)
    timeline.open([], [])
    timeline.place(np.concatenate([tone(TENTH), hush(trailing)]), 0, last=True, final=False)
    timeline.close(pause)
    timeline.open([word(leading, leading + TENTH)], [])
    chunk = timeline.place(np.concatenate([hush(leading), tone(TENTH)]), 0, last=True, final=True)
    assert chunk is not None
    heard = trailing + leading_silence(chunk.samples, RATE)
    assert chunk.words[0].start == TENTH + heard
    return heard


def test_a_pause_is_filled_up_to_its_length() -> None:
    assert pause_between(trailing=300, leading=200, pause=0.2) == 2000


def test_a_voice_that_pauses_long_enough_gets_no_more() -> None:
    assert pause_between(trailing=2500, leading=0, pause=0.2) == 2500


def test_a_voices_own_silence_in_front_of_a_clause_is_cut_to_the_pause() -> None:
    assert pause_between(trailing=1000, leading=3500, pause=0.2) == 2000


def test_the_position_is_what_has_been_placed() -> None:
    timeline = Timeline(RATE)
    timeline.open([], [])
    timeline.place(tone(2500), 0, last=True, final=False)
    assert timeline.position == 2500
    assert timeline.seconds == 0.25
