"""espeak's phonemes in the notation Kokoro was trained on, and back to IPA.

Kokoro's training text was phonemised by misaki, which writes English diphthongs and affricates as one symbol and has
no length marks. The correspondences are those of misaki's own espeak fallback (hexgrad/misaki, `espeak.py`,
Apache-2.0); other languages use espeak's phonemes with the affricates joined.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

_ENGLISH = (
    ("ʔˌn̩", "tᵊn"), ("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("ɔɪ", "Y"), ("dʒ", "ʤ"), ("tʃ", "ʧ"),
    ("ʔn", "tᵊn"), ("ʲ", ""), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"), ("ɚ", "əɹ"), ("ɬ", "l"), ("ʔ", "t"),
    ("̃", ""),
)  # fmt: skip
_AMERICAN = (("oʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""), ("e", "A"))
_BRITISH = (("eə", "ɛː"), ("iə", "ɪə"), ("əʊ", "Q"), ("e", "A"))
_SYLLABIC = "̩"
_SYLLABIC_L = re.compile(r"əl(?![ˈˌ]?[aeiouæɑɐɒɔəɛɜɪʊʌAIOQWY])")
_OTHERS = (("dʒ", "ʤ"), ("tʃ", "ʧ"), ("ts", "ʦ"), ("dz", "ʣ"))

IPA = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ᵊ": "ə", "ʤ": "dʒ", "ʧ": "tʃ", "ʦ": "ts"} | {
    "ʣ": "dz",
    "T": "ɾ",
    "ᵻ": "ɪ",
}
"""What Kokoro's own symbols sound like; the others are IPA."""


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """The number of each symbol Kokoro reads."""
    content = json.loads(Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8"))
    return {str(symbol): int(number) for symbol, number in content["symbols"].items()}


def to_kokoro(phonemes: str, language: str) -> str:
    """One word's espeak phonemes in Kokoro's notation; symbols it does not know are left out."""
    if language.startswith("en"):
        replacements = _ENGLISH + (_AMERICAN if language in ("en", "en-us") else _BRITISH)
    else:
        replacements = _OTHERS
    for espeak, kokoro in replacements:
        phonemes = phonemes.replace(espeak, kokoro)
    if language.startswith("en"):
        phonemes = _syllabic(_SYLLABIC_L.sub("ᵊl", phonemes))
    known = vocabulary()
    return "".join(symbol for symbol in phonemes if symbol in known)


def _syllabic(phonemes: str) -> str:
    """A consonant that carries a syllable gets a small schwa in front."""
    while (place := phonemes.find(_SYLLABIC)) > 0:
        phonemes = phonemes[: place - 1] + "ᵊ" + phonemes[place - 1] + phonemes[place + 1 :]
    return phonemes.replace(_SYLLABIC, "")
