"""What a sound over the agent's speech means: it listens, it interrupts, or it is no speech at all."""

from __future__ import annotations

import re
from enum import Enum

from agents.conversation.policy import TurnPolicy

_NOT_WORD = re.compile(r"[^\w\s]+")


class Overlap(Enum):
    """The verdict on speech over the agent."""

    NOTHING = "nothing"
    BACKCHANNEL = "backchannel"
    INTERRUPTION = "interruption"


def normalise_words(text: str) -> str:
    """Lower case, no punctuation, single spaces: texts that say the same words compare equal."""
    return " ".join(_NOT_WORD.sub(" ", text.casefold().replace("'", "").replace("’", "")).split())


def judge_overlap(policy: TurnPolicy, text: str, log_probability: float, voiced: float) -> Overlap:
    """Judge the words heard over the agent; `voiced` is how long the sound lasted, in seconds."""
    words = normalise_words(text)
    if not words:
        return Overlap.NOTHING
    if words in policy.backchannels:
        return Overlap.BACKCHANNEL
    if log_probability < policy.backchannel_log_probability and voiced <= policy.backchannel_longest:
        return Overlap.BACKCHANNEL
    return Overlap.INTERRUPTION
