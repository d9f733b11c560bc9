"""Waiting for a caller who asked for it: "hold on a second", and the silence, music and muttering that follow.

While the agent waits, it takes for a turn only what is said to it as far as can be told: words that were recognised
with confidence and are neither another request to wait nor mere hesitation. Song and talk in the background that the
recogniser is sure of is answered like anything else.
"""

from __future__ import annotations

from agents.conversation.model import CallerTurn, Floor
from agents.conversation.policy import TurnPolicy
from agents.conversation.words import normalise_words, remainders

MOST_WORDS = 16
"""Who says more than this says more than that the agent should wait."""
_COURTESY = frozenset(
    {"please", "sorry", "just", "can you", "could you", "would you", "so", "well", "and", "real quick", "quickly"}
    | {"for a moment", "for a second", "for a minute", "for me", "i need to check", "thank you", "thanks", "um", "uh"}
)
"""What goes with a request to wait and changes nothing about it (English)."""
HESITATIONS = frozenset({"um", "uh", "hm", "hmm", "mm", "mmm", "er", "erm", "ah", "oh", "eh", "huh", "so", "well"})
"""What people say to themselves while they look for something."""


def asks_to_wait(policy: TurnPolicy, text: str) -> bool:
    """Whether these words ask the agent to wait and nothing else."""
    words = normalise_words(text)
    polite = policy.backchannels | _COURTESY
    return "" in remainders(words, policy.hold_requests | polite, MOST_WORDS) and "" not in remainders(
        words, polite, MOST_WORDS
    )


def is_waiting(floor: Floor, now: float) -> bool:
    """Whether the caller has asked the agent to wait, and has not come back."""
    return now < floor.hold_ends


def begin(floor: Floor, now: float) -> None:
    """Leave the caller alone for a while."""
    floor.hold_ends = now + floor.policy.hold_longest


def end(floor: Floor) -> None:
    """The caller is back."""
    floor.hold_ends = float("-inf")


def is_addressed(floor: Floor, turn: CallerTurn) -> bool:
    """Whether what is heard while the agent waits is said to it."""
    if turn.log_probability < floor.policy.backchannel_log_probability:
        return False
    return "" not in remainders(normalise_words(turn.text), HESITATIONS, MOST_WORDS)
