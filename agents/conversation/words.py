"""When two texts say the same words, whatever their punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Set

_SPOKEN_SIGNS = frozenset("%&@#+°$€£¥")
"""Signs that are read out: without them "15%" and "15" would be the same words."""


def normalise_words(text: str) -> str:
    """Lower case, no punctuation, single spaces: texts that say the same words compare equal.

    Signs that are read out stay, and so does what stands between two digits ("3.5" is not "3 5").
    """
    plain = unicodedata.normalize("NFC", text.casefold()).replace("'", "").replace("’", "")
    padded = f" {plain} "
    kept = (sign if _is_spoken(padded[place], sign, padded[place + 2]) else " " for place, sign in enumerate(plain))
    return " ".join("".join(kept).split())


def remainders(text: str, phrases: Set[str], most_words: int) -> set[str]:
    """What may be left of a text when phrases are taken from its beginning, one after another; "" if nothing is.

    All normalised. Of a text of more than `most_words` nothing can be taken, and the set is empty.
    """
    words = text.split()
    if len(words) > most_words:
        return set()
    ends = [0]
    for end in range(1, len(words) + 1):
        if any(" ".join(words[start:end]) in phrases for start in ends):
            ends.append(end)
    return {" ".join(words[end:]) for end in ends}


def _is_spoken(before: str, sign: str, after: str) -> bool:
    if sign.isalnum() or sign in _SPOKEN_SIGNS:
        return True
    if before.isdigit() and after.isdigit():
        return True
    return unicodedata.category(sign).startswith("M")  # the vowel signs of Indic and Thai scripts
