"""Letters said by their names."""

from __future__ import annotations

from string import ascii_lowercase

from media.speech.synthesis.normalise.tokens import Word

_SPELLINGS = (
    "eigh bee see dee ee ef gee aitch eye jay kay ell em en oh pee cue ar ess tee yew vee double-yew ex why zee"
)

NAMES = dict(zip(ascii_lowercase, _SPELLINGS.split(" "), strict=True))
"""A spelling of each letter's name that a phonemiser reads right in any place: "A" alone is read as the article."""


def spelled(text: str, *, suffix: str = "") -> Word:
    """Letters as one word, each said by its name, with a plural or possessive `s` if given."""
    say = "-".join(NAMES[letter] for letter in text.lower() if letter in NAMES)
    return Word(text + suffix, say=f"{say}{'s' if suffix else ''}")
