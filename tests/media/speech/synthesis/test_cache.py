"""Which phrases are kept, and what makes room for others."""

from __future__ import annotations

import numpy as np

from media.speech.protocols import SpeechChunk, SpokenWord
from media.speech.synthesis.cache import LONGEST_PREPARED, LONGEST_TEXT, Phrase, PhraseCache


def phrase(text: str = "hello", speed: float = 1.0, voice: str = "v") -> Phrase:
    return Phrase(voice, speed, text)


def chunk(count: int, start: int = 0, *, final: bool = True) -> SpeechChunk:
    words = (SpokenWord("w", start, start + count, 0, 1),)
    return SpeechChunk(np.full(count, start, np.float32), 100, start, words, (), final)


def test_a_kept_phrase_comes_back_whole_with_its_times() -> None:
    cache = PhraseCache(1000)
    cache.put(phrase(), [chunk(10, final=False), chunk(20, 10)])
    kept = cache.get(phrase())
    assert kept is not None
    assert kept.final
    assert len(kept.samples) == 30
    assert [w.start for w in kept.words] == [0, 10]


def test_kept_samples_cannot_be_changed_by_who_gets_them() -> None:
    cache = PhraseCache(1000)
    cache.put(phrase(), [chunk(10)])
    kept = cache.get(phrase())
    assert kept is not None
    assert not kept.samples.flags.writeable


def test_voice_and_speed_make_another_phrase() -> None:
    cache = PhraseCache(1000)
    cache.put(phrase(), [chunk(10)])
    assert cache.get(phrase(speed=1.1)) is None
    assert cache.get(phrase(voice="other")) is None


def test_a_text_is_wanted_the_second_time_or_when_prepared() -> None:
    cache = PhraseCache(1000)
    assert cache.wants(phrase("prepared"), prepared=True)
    assert not cache.wants(phrase(), prepared=False)
    assert cache.wants(phrase(), prepared=False)


def test_a_long_text_is_wanted_only_when_it_is_prepared_and_not_without_end() -> None:
    cache = PhraseCache(1000)
    long = phrase("x" * (LONGEST_TEXT + 1))
    assert not any(cache.wants(long, prepared=False) for _ in range(3))
    assert cache.wants(long, prepared=True)
    assert not cache.wants(phrase("x" * (LONGEST_PREPARED + 1)), prepared=True)


def test_the_phrase_used_least_recently_makes_room() -> None:
    cache = PhraseCache(100)
    cache.put(phrase("a"), [chunk(40)])
    cache.put(phrase("b"), [chunk(40)])
    cache.get(phrase("a"))
    cache.put(phrase("c"), [chunk(40)])
    assert cache.get(phrase("b")) is None
    assert cache.get(phrase("a")) is not None
    assert cache.samples == 80


def test_a_phrase_larger_than_the_cache_is_not_kept() -> None:
    cache = PhraseCache(100)
    cache.put(phrase(), [chunk(101)])
    assert cache.get(phrase()) is None
    assert cache.samples == 0


def test_a_phrase_put_again_is_counted_once() -> None:
    cache = PhraseCache(100)
    cache.put(phrase(), [chunk(40)])
    cache.put(phrase(), [chunk(30)])
    assert cache.samples == 30
