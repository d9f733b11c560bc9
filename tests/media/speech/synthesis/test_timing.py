"""From durations to the times of words and phonemes."""

from __future__ import annotations

from media.speech.synthesis.model import Sound
from media.speech.synthesis.normalise import Token
from media.speech.synthesis.timing import spoken_phonemes, spoken_words

SPACE, COMMA = Sound(" ", "", -1), Sound(",", "", -1)


def sounds(word: str, index: int) -> list[Sound]:
    return [Sound(c, c, index) for c in word]


def token(text: str, start: int) -> Token:
    return Token(text, text, start, start + len(text))


def test_a_word_lasts_until_the_next_unless_a_mark_is_between() -> None:
    symbols = [*sounds("ab", 0), SPACE, *sounds("cd", 1), COMMA, SPACE, *sounds("e", 2)]
    words = spoken_words(
        [token("ab", 0), token("cd", 3), token("e", 7)], symbols, [10, 10, 5, 10, 10, 20, 5, 10], lead=100
    )
    assert [(w.text, w.start, w.end) for w in words] == [("ab", 100, 125), ("cd", 125, 145), ("e", 170, 180)]
    assert [(w.source_start, w.source_end) for w in words] == [(0, 2), (3, 5), (7, 8)]


def test_a_word_without_a_sound_has_no_length_and_keeps_the_order() -> None:
    symbols = [*sounds("ab", 0), SPACE, *sounds("e", 2)]
    words = spoken_words([token("ab", 0), token("x", 3), token("e", 5)], symbols, [10, 10, 5, 10], lead=0)
    assert [(w.start, w.end) for w in words] == [(0, 25), (25, 25), (25, 35)]


def test_stress_goes_with_the_phoneme_behind_and_length_with_the_one_in_front() -> None:
    symbols = [*sounds("hˈiː", 0), SPACE, *sounds("t", 1)]
    phonemes = spoken_phonemes(symbols, [10, 5, 20, 7, 4, 9], lead=3)
    assert [(p.phoneme, p.start, p.end) for p in phonemes] == [("h", 3, 13), ("iː", 13, 45), ("t", 49, 58)]


def test_symbols_the_voice_does_not_know_take_no_time_and_are_not_heard() -> None:
    phonemes = spoken_phonemes(sounds("abc", 0), [10, 0, 10], lead=0)
    assert [(p.phoneme, p.start, p.end) for p in phonemes] == [("a", 0, 10), ("c", 10, 20)]


def test_a_combining_mark_joins_the_phoneme_it_marks() -> None:
    phonemes = spoken_phonemes([Sound("n", "n", 0), Sound("̩", "̩", 0)], [10, 4], lead=0)
    assert [(p.phoneme, p.start, p.end) for p in phonemes] == [("n̩", 0, 14)]
