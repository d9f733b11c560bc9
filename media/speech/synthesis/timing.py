"""From the durations of a clause's symbols to the times of its words and phonemes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from media.speech.protocols import SpokenPhoneme, SpokenWord
from media.speech.synthesis.model import Sound
from media.speech.synthesis.normalise.tokens import Token

STRESS = frozenset("ˈˌ")
LENGTH = frozenset("ːˑ")


def spoken_words(
    tokens: Sequence[Token], sounds: Sequence[Sound], durations: Sequence[int], lead: int
) -> list[SpokenWord]:
    """One word for each token, in order, in samples from the clause's first.

    A word lasts until the next one begins unless a mark stands between them; one without a sound has no length.
    """
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    last, position = -1, lead
    for sound, duration in zip(sounds, durations, strict=True):
        if sound.word >= 0:
            last = sound.word
            starts.setdefault(last, position)
            ends[last] = position + duration
        elif sound.symbol == " " and ends.get(last) == position:
            ends[last] = position + duration
        position += duration
    words = []
    reached = lead
    for index, token in enumerate(tokens):
        start = starts.get(index, reached)
        reached = max(ends.get(index, start), start)
        words.append(SpokenWord(token.text, start, reached, token.start, token.end))
    return words


def spoken_phonemes(sounds: Sequence[Sound], durations: Sequence[int], lead: int) -> list[SpokenPhoneme]:
    """The phonemes that sound, in order, in samples from the clause's first.

    Stress marks give their time to the phoneme behind, length marks and other modifiers to the one in front, whose
    name they lengthen ("iː"). Pauses are the gaps between phonemes.
    """
    phonemes: list[SpokenPhoneme] = []
    position = lead
    opened: int | None = None
    for sound, duration in zip(sounds, durations, strict=True):
        end = position + duration
        if not sound.ipa:
            opened = None
        elif sound.ipa in STRESS:
            opened = position if opened is None else opened
        elif _modifies(sound.ipa) and phonemes and phonemes[-1].end == position:
            before = phonemes[-1]
            phonemes[-1] = SpokenPhoneme(before.phoneme + sound.ipa, before.start, end)
        elif duration:
            phonemes.append(SpokenPhoneme(sound.ipa, position if opened is None else opened, end))
            opened = None
        position = end
    return phonemes


def _modifies(ipa: str) -> bool:
    return ipa in LENGTH or all(unicodedata.category(character) in ("Lm", "Mn") for character in ipa)
