"""Which phonemes of a clause belong to which word, though espeak runs words together ("of the": ʌvðə) and apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

LINK = "‿"
"""IPA's sign for no break, at the end of a word that espeak joins to the next one."""

VOWELS = frozenset("aeiouyæøœɐɑɒɔəɘɚɛɜɝɞɤɨɪɯɵɶʉʊʌʏᵻɶ")
_MARKS = frozenset("ˈˌːˑ.̯̃͡‿")
_ALIKE = str.maketrans({"ɾ": "t", "ɚ": "ɹ", "ɝ": "ɹ", "r": "ɹ", "ʔ": "t", "ɫ": "l"})

_FARTHEST = 6
_BOUNDARY = " "
_OUT_OF_REACH = 1e9


def split_words(clause: str, alone: Sequence[str]) -> list[str]:
    """Share the phonemes of a clause (groups with spaces between) among its words.

    `alone` are the phonemes of each word spoken by itself. The parts, joined, are the clause without its spaces; a
    part that runs into the next one without a space ends in `LINK`. It is "" only for a word that makes no sound.
    """
    groups = clause.split()
    alone = ["".join(phonemes.split()) for phonemes in alone]  # espeak says some words as two: "ˈaɪ fˈoʊn"
    parts: list[str] = []
    group = word = 0
    while word < len(alone):
        if _matches(groups, group, alone, word):
            parts.append(groups[group])
            group, word = group + 1, word + 1
            continue
        next_group, next_word = _meeting_point(groups, group, alone, word)
        parts += _share(" ".join(groups[group:next_group]), alone[word:next_word])
        group, word = next_group, next_word
    if parts and group < len(groups):
        parts[-1] += "".join(groups[group:])
    return parts


@lru_cache(maxsize=4096)
def _skeleton(phonemes: str) -> str:
    """The consonants, which a word keeps when its vowels weaken."""
    base = unicodedata.normalize("NFD", phonemes).translate(_ALIKE)
    return "".join(p for p in base if p not in VOWELS and p not in _MARKS and not unicodedata.combining(p))


def _matches(groups: Sequence[str], group: int, alone: Sequence[str], word: int) -> bool:
    if group >= len(groups):
        return False
    return groups[group] == alone[word] or _skeleton(groups[group]) == _skeleton(alone[word])


def _meeting_point(groups: Sequence[str], group: int, alone: Sequence[str], word: int) -> tuple[int, int]:
    """The nearest place where groups and words agree again: two in a row, or both at the end."""
    for distance in range(1, _FARTHEST + 1):
        for back in range(distance + 1):
            for i, j in ((group + distance, word + distance - back), (group + distance - back, word + distance)):
                if i > len(groups) or j > len(alone):
                    continue
                if i == len(groups) and j == len(alone):
                    return i, j
                if i == len(groups) or j == len(alone) or i == group or j == word:
                    continue
                following = i + 1 == len(groups) or j + 1 == len(alone) or _matches(groups, i + 1, alone, j + 1)
                if _matches(groups, i, alone, j) and following:
                    return i, j
    return len(groups), len(alone)


def _share(clause: str, alone: Sequence[str]) -> list[str]:
    """Cut a few groups into as many parts as there are words, by the cheapest alignment with the words alone."""
    if len(alone) == 1:
        return [clause.replace(_BOUNDARY, "")]
    expected = _BOUNDARY.join(alone)
    costs = _costs(clause, expected)
    parts = [""] * len(alone)
    i, j, word = len(clause), len(expected), len(alone) - 1
    while i or j:
        if i and j and costs[i][j] == costs[i - 1][j - 1] + _replacing(clause[i - 1], expected[j - 1]):
            i, j, taken, passed = i - 1, j - 1, clause[i - 1], expected[j - 1]
        elif j and costs[i][j] == costs[i][j - 1] + _dropping(expected[j - 1]):
            j, taken, passed = j - 1, "", expected[j - 1]
        else:
            i, taken, passed = i - 1, clause[i - 1], ""
        if taken and taken != _BOUNDARY:
            parts[word] = taken + parts[word]
        if passed == _BOUNDARY:
            word -= 1
            parts[word] = "" if taken == _BOUNDARY else LINK
    return ["" if part == LINK else part for part in parts]


def _costs(clause: str, expected: str) -> list[list[float]]:
    costs = [[0.0] * (len(expected) + 1) for _ in range(len(clause) + 1)]
    for j, phoneme in enumerate(expected):
        costs[0][j + 1] = costs[0][j] + _dropping(phoneme)
    for i, spoken in enumerate(clause):
        costs[i + 1][0] = costs[i][0] + _dropping(spoken)
        for j, phoneme in enumerate(expected):
            costs[i + 1][j + 1] = min(
                costs[i][j] + _replacing(spoken, phoneme),
                costs[i][j + 1] + _dropping(spoken),
                costs[i + 1][j] + _dropping(phoneme),
            )
    return costs


def _dropping(phoneme: str) -> float:
    """The cost of a sound on one side only: little for marks, some for vowels, most for consonants."""
    if phoneme in _MARKS or phoneme == _BOUNDARY:
        return 0.3
    return 0.7 if phoneme in VOWELS else 1.0


def _replacing(spoken: str, phoneme: str) -> float:
    if spoken == phoneme:
        return 0.0
    if _BOUNDARY in (spoken, phoneme) or (spoken in _MARKS) != (phoneme in _MARKS):
        return _OUT_OF_REACH
    if spoken in VOWELS and phoneme in VOWELS:
        return 0.4
    if spoken.translate(_ALIKE) == phoneme.translate(_ALIKE):
        return 0.2
    return 1.4
