"""Which words of a growing hypothesis will stay. Pure.

LocalAgreement-2 (Liu, Spanakis and Niehues 2020, "Low-Latency Sequence-to-Sequence Speech Recognition and
Translation by Partial Hypothesis Selection"): what two successive hypotheses agree on is settled.
"""

from __future__ import annotations

import re
import unicodedata

_NOT_WORD = re.compile(r"[^\w']+")


def normalise_word(word: str) -> str:
    """A word without case and punctuation, for comparing hypotheses; "" for punctuation alone."""
    return _NOT_WORD.sub("", unicodedata.normalize("NFKC", word).casefold().replace("’", "'")).strip("'")


class LocalAgreement:
    """Follows the hypotheses of one utterance, each of them the whole text so far.

    What is stable never shrinks; its spelling is that of the hypothesis that settled it.
    """

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._previous: list[str] = []

    @property
    def stable(self) -> str:
        """The words that are settled."""
        return " ".join(self._stable)

    def update(self, text: str) -> str:
        """Take the next hypothesis; returns the stable words."""
        words = [word for word in text.split() if normalise_word(word)]
        agreed = 0
        for word, before in zip(words, self._previous, strict=False):
            if normalise_word(word) != normalise_word(before):
                break
            agreed += 1
        if agreed > len(self._stable):
            self._stable.extend(words[len(self._stable) : agreed])
        self._previous = words
        return self.stable

    def reset(self) -> None:
        """Begin a new utterance."""
        self._stable, self._previous = [], []
