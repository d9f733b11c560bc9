"""How long a silence must be to end a turn, and how patient this caller has taught us to be."""

from __future__ import annotations

from collections import deque

from agents.conversation.policy import TurnPolicy

REMEMBERED_PAUSES = 12
SHORTEST_PAUSE = 0.15
"""Gaps below this are articulation, not hesitation."""


class CallerPauses:
    """The pauses this caller made inside turns: those after which the same turn went on."""

    def __init__(self) -> None:
        self._pauses: deque[float] = deque(maxlen=REMEMBERED_PAUSES)

    def add(self, seconds: float) -> None:
        """The caller went on after this long a pause."""
        if seconds >= SHORTEST_PAUSE:
            self._pauses.append(seconds)

    def typical(self) -> float:
        """The upper quartile of the remembered pauses; 0 with fewer than three, which say nothing yet."""
        if len(self._pauses) < 3:
            return 0.0
        ordered = sorted(self._pauses)
        return ordered[(3 * len(ordered)) // 4]


def required_silence(policy: TurnPolicy, prosody: float | None, words: float | None, pauses: CallerPauses) -> float:
    """Seconds of silence that end the turn, given what the two judges say (None: not yet).

    The words decide first, since a falling tone also ends "I would like to book a table for": plainly
    unfinished ones need the longest silence, doubtful or unknown ones the doubtful silence. Words that read
    finished need the shortest silence if they also sound finished, and the unsure one if not, or half as much
    where the words leave no doubt. A caller who is used to pausing longer is given that, except where both
    judges are sure. Never more than the longest silence.
    """
    if words is not None and words < policy.words_open:
        return policy.longest_silence
    if words is None or words < policy.words_sure:
        patience = policy.doubtful_silence
    elif prosody is not None and prosody >= policy.prosody_sure:
        return min(policy.longest_silence, policy.shortest_silence)
    elif prosody is not None and words >= policy.words_certain:
        patience = (policy.shortest_silence + policy.unsure_silence) / 2
    else:
        patience = policy.unsure_silence
    habit = pauses.typical()
    patience = max(patience, policy.shortest_silence, habit + policy.pause_margin if habit else 0.0)
    return min(policy.longest_silence, patience)
