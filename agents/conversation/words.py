"""When two texts say the same words, whatever their punctuation."""

from __future__ import annotations

import unicodedata

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


def _is_spoken(before: str, sign: str, after: str) -> bool:
    if sign.isalnum() or sign in _SPOKEN_SIGNS:
        return True
    if before.isdigit() and after.isdigit():
        return True
    return unicodedata.category(sign).startswith("M")  # the vowel signs of Indic and Thai scripts
