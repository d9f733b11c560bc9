"""What a sound over the agent's speech means: it listens, it interrupts, or it is no speech at all."""

from __future__ import annotations

from collections.abc import Set
from enum import Enum

from agents.conversation.policy import TurnPolicy
from agents.conversation.words import normalise_words

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


def judge_overlap(policy: TurnPolicy, text: str, log_probability: float, voiced: float) -> Overlap:
    """Judge the words heard over the agent; `voiced` is how long the sound lasted, in seconds."""
    words = normalise_words(text)
    if not words:
        return Overlap.NOTHING
    if "" in _rests(words, policy.backchannels):
        return Overlap.BACKCHANNEL
    if INTERRUPTIONS.intersection(words.split()):
        return Overlap.INTERRUPTION
    if log_probability < policy.backchannel_log_probability and voiced <= policy.backchannel_longest:
        return Overlap.BACKCHANNEL
    return Overlap.INTERRUPTION


def may_become_backchannel(policy: TurnPolicy, text: str) -> bool:
    """Whether words that are not at their end yet could still be nothing but backchannels: "okay, I" (see)."""
    rests = _rests(normalise_words(text), policy.backchannels)
    return any(phrase.startswith(rest) for rest in rests for phrase in policy.backchannels)


def _rests(text: str, phrases: Set[str]) -> set[str]:
    """What may be left of a text when phrases are taken from its beginning, one after another; "" if nothing is."""
    words = text.split()
    if len(words) > MOST_BACKCHANNEL_WORDS:
        return set()
    ends = [0]
    for end in range(1, len(words) + 1):
        if any(" ".join(words[start:end]) in phrases for start in ends):
            ends.append(end)
    return {" ".join(words[end:]) for end in ends}
