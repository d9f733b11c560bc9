"""What a sound over the agent's speech means: it listens, it interrupts, or it is no speech at all."""

from __future__ import annotations

from collections.abc import Set
from enum import Enum

from agents.conversation.policy import TurnPolicy
from agents.conversation.words import normalise_words, remainders

MOST_BACKCHANNEL_WORDS = 8
"""Listeners string backchannels together ("yeah, okay, I see"), but not for longer than this."""

INTERRUPTIONS = frozenset(
    {"stop", "wait", "no", "hold", "hang", "hello", "what", "sorry", "excuse", "wrong", "actually"}
)
"""Words (English) that take the floor however unsure the recogniser is of them: shouted ones score low."""


class Overlap(Enum):
    """The verdict on speech over the agent."""

    NOTHING = "nothing"
    BACKCHANNEL = "backchannel"
    INTERRUPTION = "interruption"


def judge_overlap(
    policy: TurnPolicy, text: str, log_probability: float, voiced: float, *, answering: bool = False
) -> Overlap:
    """Judge the words heard over the agent; `voiced` is how long the sound lasted, in seconds.

    `answering`: the agent says the opening of a call that it placed, and the other one has just picked up.
    """
    words = normalise_words(text)
    if not words:
        return Overlap.NOTHING
    if "" in remainders(words, _harmless(policy, answering), MOST_BACKCHANNEL_WORDS):
        return Overlap.BACKCHANNEL
    if INTERRUPTIONS.intersection(words.split()):
        return Overlap.INTERRUPTION
    if log_probability < policy.backchannel_log_probability and voiced <= policy.backchannel_longest:
        return Overlap.BACKCHANNEL
    return Overlap.INTERRUPTION


def may_become_backchannel(policy: TurnPolicy, text: str, *, answering: bool = False) -> bool:
    """Whether words that are not at their end yet could still be nothing but backchannels: "okay, I" (see)."""
    phrases = _harmless(policy, answering)
    rests = remainders(normalise_words(text), phrases, MOST_BACKCHANNEL_WORDS)
    return any(phrase.startswith(rest) for rest in rests for phrase in phrases)


def _harmless(policy: TurnPolicy, answering: bool) -> Set[str]:
    """What takes no turn."""
    return policy.backchannels | policy.pickups if answering else policy.backchannels
