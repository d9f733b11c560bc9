"""When the words of a turn were said, where the recogniser does not tell: spread over the voice. Pure.

Asking Whisper for word times takes another pass that the caller would wait for. What is known for nothing is where
there was voice, and which words each hypothesis had while the turn grew: a word was said by the time the first
hypothesis has it. Between those moments words take their share of the voice by their length. Off by about a fifth of
a second where there were hypotheses, by more in a long turn that was recognised only once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from media.speech.protocols import TimedWord
from media.speech.recognition.agreement import normalise_word

MOST_HYPOTHESES = 50
"""More of them tell nothing new: of a long turn's only some are looked at."""
Stretch = tuple[float, float]
"""Where there was voice: its begin and end, in seconds of any clock."""


def spread_words(
    text: str, stretches: Sequence[Stretch], hypotheses: Sequence[tuple[float, str]] = ()
) -> tuple[TimedWord, ...]:
    """The words of `text` on the clock of `stretches`, which are in order and do not overlap; () without either.

    `hypotheses`: the text that was recognised of all that was said until a time, as it grew.
    """
    words = text.split()
    voice = [(begin, end) for begin, end in stretches if end > begin]
    if not words or not voice:
        return ()
    voiced = list(accumulate((end - begin for begin, end in voice), initial=0.0))
    weights = list(accumulate((len(word) + 1 for word in words), initial=0))
    anchors = _anchors(words, weights, voice, voiced, hypotheses)
    bounds = [_at(anchors, weight) for weight in weights]
    return tuple(
        TimedWord(word, _moment(voice, voiced, bounds[place], late=True), _moment(voice, voiced, bounds[place + 1]))
        for place, word in enumerate(words)
    )


def _anchors(
    words: Sequence[str],
    weights: Sequence[int],
    voice: Sequence[Stretch],
    voiced: Sequence[float],
    hypotheses: Sequence[tuple[float, str]],
) -> list[tuple[float, float]]:
    """Weights of text and the seconds of voice in which they were said, both growing."""
    plain = [normalise_word(word) for word in words]
    anchors = [(0.0, 0.0)]
    for until, text in sorted(hypotheses)[:: 1 + len(hypotheses) // MOST_HYPOTHESES]:
        known = _agreeing(words, plain, text.split())
        seconds = _voiced_until(voice, voiced, until)
        if not 0 < known < len(words):
            continue
        # The word after those that are known was being said: half of it, for all that is known.
        weight = (weights[known] + weights[known + 1]) / 2
        if weight > anchors[-1][0] and anchors[-1][1] < seconds < voiced[-1]:
            anchors.append((weight, seconds))
    return [*anchors, (float(weights[-1]), voiced[-1])]


def _agreeing(words: Sequence[str], plain: Sequence[str], heard: Sequence[str]) -> int:
    """How many words at the beginning are the same; `plain` are those of `words` without case and marks."""
    count = 0
    for word, other in zip(words, heard, strict=False):
        if word != other and plain[count] != normalise_word(other):
            break
        count += 1
    return count


def _voiced_until(voice: Sequence[Stretch], voiced: Sequence[float], moment: float) -> float:
    """Seconds of voice before a moment."""
    place = bisect_right(voice, moment, key=lambda stretch: stretch[0]) - 1
    if place < 0:
        return 0.0
    return voiced[place] + min(moment, voice[place][1]) - voice[place][0]


def _at(anchors: Sequence[tuple[float, float]], weight: float) -> float:
    """The seconds of voice in which so much of the text was said."""
    place = max(1, bisect_right(anchors, weight, key=lambda anchor: anchor[0]))
    (low, begin), (high, end) = anchors[min(place, len(anchors) - 1) - 1], anchors[min(place, len(anchors) - 1)]
    return begin + (end - begin) * (weight - low) / (high - low)


def _moment(voice: Sequence[Stretch], voiced: Sequence[float], seconds: float, *, late: bool = False) -> float:
    """When so much voice had been heard; between two stretches the end of the one, or `late` the begin of the other."""
    place = 0
    while place + 1 < len(voice) and (voiced[place + 1] < seconds or (late and voiced[place + 1] <= seconds)):
        place += 1
    begin, end = voice[place]
    return min(end, begin + max(0.0, seconds - voiced[place]))
