"""How long a text takes to say, without saying it; and how long a text may be to fit a time.

The rates are those of our own voices, measured on 200–250 characters of plain advertising prose in each language
(Piper's joe for English, Kokoro's first voice for the others), pauses included. One text in the same language departs
from them by up to a fifth; who needs it exactly renders the speech.
"""

from __future__ import annotations

from typing import Final

CHARACTERS_PER_SECOND: Final = {"en": 16.5, "es": 17.0, "fr": 17.5, "it": 16.0, "pt": 16.0, "hi": 12.0}
"""Characters, spaces included, a second at speed 1, by ISO 639-1."""

FASTEST_TO_FIT: Final = 1.25
"""A script that is too long for its time is spoken faster, up to this."""

_USUAL = 15.5
_SENTENCE_PAUSE = 0.15
"""Seconds a sentence costs beyond its characters when there are many short ones."""
_ENDS = ".!?…।"
_AVERAGE_SENTENCE = 60
"""Characters of a sentence in the measured texts."""


def estimate_seconds(text: str, language: str, *, speed: float = 1.0) -> float:
    """Seconds `text` takes at `speed` (0.5–2) in `language` (ISO 639-1 or BCP-47)."""
    text = " ".join(text.split())
    sentences = sum(text.count(mark) for mark in _ENDS)
    short = max(0.0, sentences - len(text) / _AVERAGE_SENTENCE)
    return (len(text) / _rate(language) + short * _SENTENCE_PAUSE) / speed


def characters_for(seconds: float, language: str, *, speed: float = 1.0) -> int:
    """Characters that fill `seconds`."""
    return int(seconds * speed * _rate(language))


def speed_to_fit(text: str, language: str, seconds: float, *, fastest: float) -> float:
    """The speed, from 1 to `fastest`, at which `text` is expected to take at most `seconds`; `fastest` if none does."""
    return min(fastest, max(1.0, estimate_seconds(text, language) / seconds))


def _rate(language: str) -> float:
    return CHARACTERS_PER_SECOND.get(language.partition("-")[0].lower(), _USUAL)
