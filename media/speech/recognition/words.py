"""When each recognised word was said. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from media.speech.protocols import RecognisedWord

FRAMES_PER_SECOND = 50
"""Steps of Whisper's encoder."""


def place_words(
    words: Sequence[str],
    sizes: Sequence[int],
    alignments: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
    *,
    seconds: float,
) -> tuple[RecognisedWord, ...]:
    """Give words their times.

    `words` as the tokenizer splits them (with their leading spaces, punctuation apart or not) and how many tokens each
    has; `alignments` is the path (token, encoder step) of Whisper's cross-attention, whose last token ends the text;
    `probabilities` one a token. Times lie in [0, `seconds`] and do not overlap.
    """
    steps: dict[int, int] = {}
    for token, step in alignments:
        steps.setdefault(token, step)
    placed: list[RecognisedWord] = []
    token, before = 0, 0.0
    for word, size in zip(words, sizes, strict=True):
        start = _time(steps, token, seconds, before)
        end = _time(steps, token + size, seconds, start)
        likely = probabilities[token : token + size]
        token, before = token + size, end
        text = word.strip()
        if placed and not any(map(str.isalnum, text)):
            last = placed[-1]  # punctuation belongs to the word before it and takes no time
            placed[-1] = RecognisedWord(last.text + text, last.start, last.end, last.probability)
        elif text:
            probability = sum(likely) / len(likely) if likely else 0.0
            placed.append(RecognisedWord(text, start, end, min(1.0, max(0.0, probability))))
    return tuple(placed)


def _time(steps: dict[int, int], token: int, seconds: float, least: float) -> float:
    """When a token begins; the audio's end for one past the path."""
    step = steps.get(token)
    return max(least, min(seconds, seconds if step is None else step / FRAMES_PER_SECOND))
