"""Whether words can have been said by the voice that was heard. Pure.

Given a thump, a chord or an engine, Whisper writes what its training had most of: "I'm not sure if I can do it." It is
as sure of that as of a word over a bad line, so its own probabilities do not tell (see `decoding.is_speech`). Voice
activity does: it takes such a sound for a voice for a tenth of a second or two and is never sure of it.

The thresholds were chosen on what Whisper base hears in stretches that voice activity opens a turn for, so these are no
figures of unseen sound. Of 2,361 of real speech (9 recordings, 14 sentences, 27 short answers in five voices; clean,
over the phone, with noise down to 5 dB, 20 dB softer, and 1.4 times as fast) 7 are lost: 4 fast ones and 3 of one
beginning misheard over a noisy phone. Of 74 of thumps, chords, hums, melodies and engines that had words 67 lose them.
"""

from __future__ import annotations

import re

LETTERS_PER_SECOND = 30.0
"""Faster than anyone speaks: fast speech has about 20."""
SPARE_LETTERS = 6
"""For a short word, of which voice activity notices only the middle."""
WORTH_OF_A_SECOND = 10.0
LEAST_CERTAINTY = 0.4
"""A mean log probability a token plus `WORTH_OF_A_SECOND` for each second of voice: less is nobody's word."""

_STUTTER = re.compile(r"([^\W\d_])(?:-\1)+[-.,!?]*", re.IGNORECASE)
"""One letter over and over, "B-B-B", is what an engine says."""


def can_be_said(text: str, log_probability: float, voice: float) -> bool:
    """Whether `text` is believable of `voice` seconds of voice.

    `voice` is what voice activity expects: the sum of its windows' probabilities times their length. `log_probability`
    is the recogniser's mean a token, at most 0.
    """
    if _STUTTER.fullmatch(text.strip()):
        return False
    letters = sum(character.isalpha() for character in text)
    if letters > SPARE_LETTERS + LETTERS_PER_SECOND * voice:
        return False
    return log_probability + WORTH_OF_A_SECOND * voice >= LEAST_CERTAINTY
