"""The playout ledger: what goes on the wire, what was heard, and what a pause or a cut leaves of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.frames import Samples
from media.audio.playout import Playout
from media.speech.protocols import SpeechChunk, SpokenPhoneme, SpokenWord

RATE = 8000


def ramp(count: int, first: int = 1) -> Samples:
    return (np.arange(first, first + count) / 100_000).astype(np.float32)


def chunk(
    samples: Samples, *, start: int = 0, final: bool = True, words: tuple[SpokenWord, ...] = (), rate: int = RATE
) -> SpeechChunk:
    return SpeechChunk(samples, rate, start, words, (), final)


def two_words() -> tuple[SpokenWord, ...]:
    return (SpokenWord("Good", 0, 400, 0, 4), SpokenWord("morning", 400, 800, 5, 12))


def test_nothing_is_taken_from_an_empty_playout() -> None:
    assert Playout(RATE).take(160) is None


def test_a_short_frame_is_padded_with_silence_that_does_not_count() -> None:
    playout = Playout(RATE)
    playout.append(1, "hi", chunk(ramp(200)))
    playout.take(160)
    frame = playout.take(160)
    assert frame is not None
    assert frame.end == 200
    assert not frame.samples[40:].any()


def test_frames_join_to_exactly_what_was_appended() -> None:
    playout = Playout(RATE)
    playout.append(1, "a b", chunk(ramp(250), final=False))
    playout.append(1, "a b", chunk(ramp(230, 251), start=250))
    frames = [playout.take(160) for _ in range(3)]
    joined = np.concatenate([frame.samples for frame in frames if frame is not None])
    assert np.array_equal(joined, ramp(480))


def test_the_listener_is_told_when_speech_is_ready() -> None:
    calls: list[int] = []
    playout = Playout(RATE, on_ready=lambda: calls.append(1))
    playout.append(1, "hi", chunk(ramp(10)))
    assert calls == [1]


def test_heard_never_passes_what_was_taken_and_never_goes_back() -> None:
    playout = Playout(RATE)
    playout.append(1, "hi", chunk(ramp(800)))
    playout.take(160)
    playout.heard(500)
    assert playout.heard_position == 160
    playout.heard(20)
    assert playout.heard_position == 160


def test_a_pause_goes_on_from_the_very_sample_that_was_heard_last() -> None:
    playout = Playout(RATE)
    playout.append(1, "hi", chunk(ramp(800)))
    for _ in range(4):
        playout.take(160)
    playout.pause(333)
    assert playout.take(160) is None
    playout.resume()
    frame = playout.take(160)
    assert frame is not None
    faded = 40  # 5 ms at 8 kHz
    assert np.array_equal(frame.samples[faded:], ramp(800)[333 + faded : 493])
    assert frame.end == 493


def test_speech_that_arrives_during_a_pause_waits_for_the_resumption() -> None:
    playout = Playout(RATE)
    playout.append(1, "a b", chunk(ramp(100), final=False))
    playout.pause(0)
    playout.append(1, "a b", chunk(ramp(100, 101), start=100))
    assert playout.take(160) is None
    playout.resume()
    assert playout.waiting == 200


def test_a_cut_drops_the_rest_and_keeps_the_words_that_were_heard() -> None:
    playout = Playout(RATE)
    playout.append(7, "Good morning", chunk(ramp(800), words=two_words()))
    for _ in range(5):
        playout.take(160)
    playout.pause(420)
    playout.cut()
    assert playout.take(160) is None
    assert playout.silent
    assert playout.text_heard(7) == "Good"
    playout.append(8, "Next", chunk(ramp(160)))
    frame = playout.take(160)
    assert frame is not None
    assert frame.turn_id == 8


def test_text_heard_to_its_end_is_the_whole_text_with_its_punctuation() -> None:
    playout = Playout(RATE)
    playout.append(7, "Good morning!", chunk(ramp(800), words=two_words()))
    for _ in range(5):
        playout.take(160)
    playout.heard(800)
    assert playout.text_heard(7) == "Good morning!"


def test_a_word_counts_as_heard_once_half_of_it_sounded() -> None:
    playout = Playout(RATE)
    playout.append(7, "Good morning!", chunk(ramp(800), words=two_words()))
    for _ in range(5):
        playout.take(160)
    playout.heard(599)
    assert playout.text_heard(7) == "Good"
    playout.heard(600)
    assert playout.text_heard(7) == "Good morning"


def test_speech_at_another_rate_is_resampled_with_its_word_times() -> None:
    playout = Playout(RATE)
    words = (SpokenWord("Good", 0, 11_025, 0, 4), SpokenWord("morning", 11_025, 22_050, 5, 12))
    playout.append(1, "Good morning", chunk(np.zeros(22_050, np.float32), words=words, rate=22_050))
    assert abs(playout.end - RATE) <= 1
    assert [word.end for word in playout.words(1)] == [4000, 8000]


def test_the_ledger_of_old_turns_can_be_forgotten() -> None:
    playout = Playout(RATE)
    playout.append(1, "one", chunk(ramp(160)))
    playout.append(2, "two", chunk(ramp(160)))
    playout.take(320)
    playout.heard(320)
    playout.forget(2)
    assert playout.text_heard(1) == ""
    assert playout.text_heard(2) == "two"


@given(
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=6),
    steps=st.lists(st.tuples(st.sampled_from(["take", "pause", "heard"]), st.floats(0, 1)), max_size=60),
)
def test_every_sample_is_heard_once_and_in_order_whatever_is_paused(
    sizes: list[int], steps: list[tuple[str, float]]
) -> None:
    playout = Playout(RATE)
    total = 0
    for size in sizes:
        playout.append(1, "x", chunk(ramp(size, total + 1), start=total, final=False))
        total += size
    wire: dict[int, float] = {}
    taken = 0

    def take() -> None:
        nonlocal taken
        frame = playout.take(160)
        if frame is not None:
            for offset in range(frame.end - taken):
                wire[taken + offset] = float(frame.samples[offset])
            taken = frame.end

    for step, share in steps:
        if step == "take":
            take()
        elif step == "heard":
            playout.heard(round(share * taken))
        else:
            playout.pause(round(share * taken))
            taken = playout.heard_position
            playout.resume()
    while playout.waiting:
        take()
    assert sorted(wire) == list(range(total))
    assert taken == total


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
def test_an_utterance_in_many_chunks_keeps_its_length_at_every_rate(rate: int) -> None:
    playout = Playout(rate)
    rng = np.random.default_rng(1)
    whole = rng.normal(0, 0.1, 22_050).astype(np.float32)
    for start in range(0, 22_050, 3150):
        playout.append(
            1, "x", chunk(whole[start : start + 3150], start=start, final=start + 3150 >= 22_050, rate=22_050)
        )
    assert abs(playout.end - rate) <= 2


def spoken(text: str, *, first: int = 0, each: int = 400, final: bool = True, rate: int = RATE) -> SpeechChunk:
    """A chunk in which each character is a phoneme of `each` samples; the first one sounds at `first`."""
    phonemes = tuple(SpokenPhoneme(c, first + k * each, first + (k + 1) * each) for k, c in enumerate(text))
    return SpeechChunk(ramp(len(text) * each), rate, first, (), phonemes, final)


def sounds(playout: Playout, first: int, last: int) -> str:
    return "".join(phoneme.phoneme for phoneme in playout.phonemes(first, last))


def test_phonemes_lie_where_they_sound_in_every_chunk_and_utterance() -> None:
    playout = Playout(RATE)
    playout.append(1, "one", spoken("ab", final=False))
    playout.append(1, "one", spoken("c", first=800))
    playout.append(1, "two", spoken("d"))
    assert [(p.phoneme, p.start, p.end) for p in playout.phonemes(0, 10_000)] == [
        ("a", 0, 400),
        ("b", 400, 800),
        ("c", 800, 1200),
        ("d", 1200, 1600),
    ]
    assert sounds(playout, 400, 1201) == "bcd"


def test_phonemes_follow_speech_that_is_resampled() -> None:
    playout = Playout(2 * RATE)
    playout.append(1, "ab", spoken("ab"))
    assert [(p.start, p.end) for p in playout.phonemes(0, 10_000)] == [(0, 800), (800, 1600)]


def test_what_was_heard_a_while_ago_is_let_go_and_what_was_heard_just_now_is_kept() -> None:
    playout = Playout(RATE)
    for number, text in enumerate("abc"):
        playout.append(number, text, spoken(text, each=RATE))
    while playout.take(RATE):
        continue
    playout.heard(2 * RATE + RATE // 10)
    assert sounds(playout, 0, 3 * RATE) == "bc"
    assert playout.pronunciation_at(0) is None
    assert playout.sound(RATE // 2, RATE).max() == 0.0
    assert np.array_equal(playout.sound(3 * RATE - 4, 3 * RATE + 4), [*ramp(RATE)[-4:], 0, 0, 0, 0])
    playout.heard(2 * RATE + RATE * 7 // 10)
    assert sounds(playout, 0, 3 * RATE) == "c"


def test_a_cut_ends_the_phoneme_that_sounds_and_drops_those_that_follow() -> None:
    playout = Playout(RATE)
    playout.append(1, "abc", spoken("abc"))
    playout.take(600)
    playout.pause(600)
    assert sounds(playout, 0, 10_000) == "abc"  # paused speech will go on
    playout.cut()
    assert [(p.phoneme, p.end) for p in playout.phonemes(0, 10_000)] == [("a", 400), ("b", 600)]
    playout.append(2, "d", spoken("d"))
    assert sounds(playout, 500, 700) == "bd"
    assert np.array_equal(playout.sound(599, 602), [ramp(1200)[599], *ramp(400)[:2]])


def test_a_voice_that_does_not_tell_its_phonemes_is_known_to_sound_all_the_same() -> None:
    playout = Playout(RATE)
    playout.append(1, "hm", chunk(ramp(800)))
    utterance = playout.pronunciation_at(400)
    assert utterance is not None
    assert (utterance.start, utterance.end, utterance.phonemes) == (0, 800, [])
    assert playout.pronunciation_at(800) is None


def test_a_long_call_keeps_no_phonemes() -> None:
    playout = Playout(RATE)
    for turn in range(100):
        playout.append(turn, "abc", spoken("abc"))
        while playout.take(400):
            continue
        playout.heard(playout.end)
    assert len(playout.phonemes(0, playout.end)) <= 3 * 5
