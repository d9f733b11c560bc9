"""What Whisper's tokens say: segments, where its decoder runs on past the speech, and whether it heard speech at all.

In a short window the decoder does not know that the audio is over. It writes the speech, an end stamp, and then often
begins again: `<|0.00|> My order number is 47291.<|2.56|><|2.56|> My order number is 47291.<|3.56|>`. The stamps
show it: what begins after the speech, or has more tokens than anyone says in the time left, was never said. Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

STAMP_SECONDS = 0.02
"""Resolution of Whisper's time stamps."""

TOKENS_PER_SECOND = {"en": 6.0}
"""Tokens that fast speech has per second, stamps included; other languages are written in more and shorter tokens."""
OTHER_TOKENS_PER_SECOND = 14.0
SPARE_TOKENS = 6
"""Tokens allowed besides: stamps, punctuation, and short words said fast."""

_GRACE = 0.3  # seconds: stamps are not exact
_REPEATED_RATE = 0.6  # of the fastest speech, above which a repetition of what was said before is not believed


@dataclass(frozen=True, slots=True)
class Segment:
    """Text tokens between two time stamps, in seconds from the window's begin; `end` is None without one."""

    start: float
    end: float | None
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a decoder's output.

    `tokens`: the text tokens that belong to the speech. `end`: the second up to which they reach. `cut`: the decoder
    ran on and was cut. `finished`: it came to an end of its own, or was cut; if neither, it ran out of tokens in the
    middle of the speech.
    """

    tokens: tuple[int, ...]
    end: float
    cut: bool
    finished: bool


def token_budget(seconds: float, language: str | None) -> int:
    """The most tokens a decoder may write for this much speech."""
    return int(seconds * _rate(language)) + SPARE_TOKENS


def split_segments(tokens: Sequence[int], first_stamp: int, end_of_text: int) -> list[Segment]:
    """The segments of a decoder's output; special tokens other than stamps are ignored."""
    segments: list[Segment] = []
    text: list[int] = []
    start = 0.0
    for token in tokens:
        if token >= first_stamp:
            stamp = (token - first_stamp) * STAMP_SECONDS
            if text:
                segments.append(Segment(start, stamp, tuple(text)))
                text = []
            start = stamp
        elif token < end_of_text:
            text.append(token)
    if text:
        segments.append(Segment(start, None, tuple(text)))
    return segments


def read_segments(segments: Sequence[Segment], seconds: float, language: str | None, *, broken_off: bool) -> Reading:
    """Keep what can have been said in `seconds` of audio; `broken_off`: the decoder used all tokens it was allowed."""
    rate = _rate(language)
    kept: list[int] = []
    heard = 0.0
    for number, segment in enumerate(segments):
        end = seconds if segment.end is None else min(segment.end, seconds)
        room = max(0.0, end - segment.start) + _GRACE
        if kept and (segment.start >= seconds - 0.1 or _ran_on(kept, segment.tokens, room * rate)):
            return Reading(tuple(kept), heard, cut=True, finished=True)
        if once := _spun(segment.tokens, room * rate):
            return Reading((*kept, *once), seconds, cut=True, finished=True)
        kept.extend(segment.tokens)
        heard = end
        if segment.end is not None and segment.end >= seconds:
            return Reading(tuple(kept), seconds, cut=number + 1 < len(segments), finished=True)
    return Reading(tuple(kept), heard, cut=False, finished=not broken_off)


def is_loop(text: str, tokens: int, seconds: float, language: str | None) -> bool:
    """Whether a text repeats itself as only a decoder that lost its way does.

    That is with a compression ratio above 2.4, and faster than people speak: someone may well repeat themselves.
    """
    data = text.encode()
    if len(data) <= 40 or len(data) / len(zlib.compress(data)) <= 2.4:
        return False
    return tokens > 0.8 * _rate(language) * seconds


def is_speech(no_speech: float, log_probability: float, tokens: int, *, cut: bool) -> bool:
    """Whether a reading is of speech, rather than what Whisper makes up for noise.

    `no_speech` is the probability of its no-speech token, `log_probability` the average a token, `tokens` how many the
    text has, `cut` whether the decoder ran on. None tells alone: a single word is never likely, a clear sentence after
    half a second of silence may look like no speech (0.89), and a decoder that repeats itself is sure of it.
    Measured on 433 stretches of speech and single words, clean, over the phone and down to 5 dB over noise: all are
    kept, and of 88 noises, hums, tones and thumps 12 get a text (with OpenAI's own rule 24, and two words are lost).
    """
    if log_probability > -0.8:
        return not (cut and no_speech > 0.8)
    doubt = 2.0 * no_speech - log_probability
    return doubt <= (2.75 if tokens < 4 else 2.4) and not (cut and no_speech > 0.7)


def _rate(language: str | None) -> float:
    return TOKENS_PER_SECOND.get(language or "", OTHER_TOKENS_PER_SECOND)


def _ran_on(kept: Sequence[int], tokens: Sequence[int], most: float) -> bool:
    """Whether a later segment has more tokens than there was time for; fewer are too many if it repeats others."""
    if len(tokens) > most * 4 / 3:
        return True
    # Compared without the last token, which is where a decoder that ran out of its budget breaks off.
    core = tuple(tokens[:-1]) or tuple(tokens)
    repeats = tuple(kept[: len(core)]) == core or tuple(kept[-len(tokens) :]) == tuple(tokens)
    return repeats and len(tokens) > most * _REPEATED_RATE


def _spun(tokens: Sequence[int], most: float) -> tuple[int, ...]:
    """A segment that ends by saying one thing over and over, faster than anyone can, up to its first turn; else ()."""
    if len(tokens) <= most:
        return ()
    for begin in range(len(tokens) // 3 + 1):
        for period in range(1, (len(tokens) - begin) // 3 + 1):
            if all(tokens[i] == tokens[i - period] for i in range(begin + period, len(tokens))):
                return tuple(tokens[: begin + period])
    return ()
