"""The timings and thresholds of turn-taking, in one place; an agent may override each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from agents.conversation.words import normalise_words

BACKCHANNELS = frozenset(
    {
        "uh huh",
        "uhhuh",
        "uh",
        "um",
        "mm",
        "mmm",
        "mhm",
        "mm hmm",
        "mmhmm",
        "hm",
        "hmm",
        "ah",
        "oh",
        "aha",
        "ah ha",
        "eh",
    }
    | {"yeah", "yep", "yes", "yes yes", "yeah yeah", "ok", "okay", "okay okay", "oh ok", "oh okay", "okay yeah"}
    | {"yeah okay", "mm okay", "right", "right right", "alright", "all right", "sure", "of course", "exactly", "true"}
    | {"i see", "oh i see", "i know", "got it", "gotcha", "great", "oh great", "ok great", "okay great", "good"}
    | {"nice", "cool", "fine", "wow", "really", "ha", "haha", "uh oh"}
)
"""What listeners say to show that they listen (English), normalised. It does not take the turn."""

_A_WHILE = [f"{a} {bit}" for a in ("a", "one") for bit in ("moment", "second", "sec", "minute")]
HOLD_REQUESTS = frozenset(
    {"wait", "hold on", "hang on", "hold", "hold the line", "stay on the line", "dont hang up", "bear with me"}
    | {f"{ask}{bit}" for ask in ("", "wait ", "hold on ", "hang on ", "give me ") for bit in _A_WHILE}
    | {f"let me {do}" for do in ("check", "see", "look", "have a look", "think", "check that", "look it up")}
    | {f"let me ask my {who}" for who in ("wife", "husband", "boss", "colleague")}
    | {
        f"let me {do} my {thing}"
        for do in ("check", "get", "find", "grab", "look at")
        for thing in ("calendar", "diary", "phone", "card", "glasses", "wallet", "notes", "email")
    }
    | {f"{will}be {right}back" for will in ("", "ill ", "i will ") for right in ("", "right ")}
    | {"im looking", "i am looking", "im checking", "i am checking", "im thinking", "i am thinking"}
)
"""What callers say who want the agent to wait (English), normalised."""

PICKUPS = frozenset(
    {"hello", "hi", "hey", "hallo", "yes", "yeah", "speaking", "this is he", "this is she", "this is him"}
    | {"this is her", "this is me", "its me", "thats me", "morning", "afternoon", "evening", "yes please", "hi there"}
    | {f"good {time}" for time in ("morning", "afternoon", "evening", "day")}
    | {f"how {can} i help{you}" for can in ("can", "may") for you in ("", " you")}
    | {"pronto", "allo", "allô", "oui", "ja", "ja bitte", "bueno", "diga", "dígame", "sì", "sí", "si", "moshi moshi"}
)
"""What people say who pick up the telephone, normalised: over the opening of a call to them it takes no turn."""


class PolicyError(ValueError):
    """A turn-taking option is unknown or out of range; the text names it."""


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """Seconds unless named otherwise. The defaults are measured, see docs/turn-taking.md."""

    # End of turn
    speculate_after: float = 0.05
    """Silence after which recognition and prosody are asked, without believing in the end yet."""
    shortest_silence: float = 0.35
    """Silence that ends a turn which sounds and reads finished."""
    unsure_silence: float = 0.80
    """Silence that ends a turn whose words read finished while its sound does not, or is not known yet."""
    doubtful_silence: float = 1.20
    """Silence that ends a turn whose words may go on, or are not judged yet."""
    longest_silence: float = 1.60
    """Silence that ends any turn with words."""
    prosody_sure: float = 0.90
    """Probability from which the sound counts as finished."""
    words_sure: float = 0.30
    """Probability from which the words count as finished."""
    words_certain: float = 0.60
    """Probability from which finished words make up for half of what the sound lacks."""
    words_open: float = 0.05
    """Probability below which the words are plainly unfinished."""
    pause_margin: float = 0.15
    """Added to this caller's own pauses when they ask for more patience than the judges do."""
    resume_after: float = 0.10
    """Voice that lasts this long inside a provisional end takes the end back."""
    recognition_timeout: float = 3.0
    """Wait for words at most this long after a provisional end; never less than the silence that ends the turn."""
    longest_turn: float = 90.0
    """A turn is taken as finished at the first pause after this long, and by force a third later."""

    # Speculation
    partial_interval: float = 0.20
    """Between hypotheses while the caller speaks; 0 turns them off."""
    most_speculations: int = 6
    """Answers begun at most for one turn before it is confirmed."""

    # Barge-in
    barge_in: bool = True
    """Whether the caller can interrupt the agent."""
    overlap_recognise_after: float = 0.35
    """Voice over the agent after which its words are asked for the first time."""
    interruption_after: float = 0.90
    """Voice over the agent that is taken as an interruption whatever its words."""
    overlap_timeout: float = 1.5
    """Wait at most this long for the words of a short sound over the agent; then the agent goes on."""
    backchannel_log_probability: float = -1.25
    """Words recognised with less confidence than this in a short sound are no interruption."""
    backchannel_longest: float = 0.75
    """A sound longer than this is never taken for a backchannel on low confidence alone."""
    backchannels: frozenset[str] = field(default=BACKCHANNELS)
    pickups: frozenset[str] = field(default=PICKUPS)
    """What people say who pick up: over the opening of a call that the agent placed it is a backchannel too."""

    # Waiting and failing
    wordless_after: float = 6.0
    """A voice without any words for this long is noise; it is ignored until it stops."""
    not_understood_after: float = 1.0
    """A voiced stretch without words, longer than this, gets "I did not catch that"."""
    idle_after: float = 8.0
    """Silence of both after which the caller is prompted again."""
    most_reprompts: int = 2
    hold_longest: float = 120.0
    """A caller who asked the agent to wait is not prompted for this long."""
    hold_requests: frozenset[str] = field(default=HOLD_REQUESTS)
    """What callers say who want the agent to wait; a turn of nothing else is not answered by the model."""
    hold_after: float = 2.5
    """An answer that takes longer is bridged with a short phrase."""
    answer_timeout: float = 8.0
    """An answer that has not made a sound by then has failed."""
    answer_retries: int = 1
    most_failures: int = 2
    """Failed answers in a row after which the agent says goodbye."""
    most_misunderstandings: int = 2
    """How often in a row the agent says that it did not catch something; the next time it says goodbye."""
    digits_after: float = 2.0
    """Keys pressed within this long of each other are one message; # ends it at once."""
    longest_call: float = 1800.0
    closing_timeout: float = 20.0
    """A last phrase that has not been heard to its end by then is not waited for."""

    @classmethod
    def from_options(cls, options: Mapping[str, Any], base: TurnPolicy | None = None) -> TurnPolicy:
        """A policy with some values overridden. Raises `PolicyError` naming the option and what it may be."""
        known = {item.name: item for item in fields(cls)}
        values: dict[str, Any] = {name: getattr(base, name) for name in known} if base is not None else {}
        for name, value in options.items():
            if name not in known:
                raise PolicyError(f"turn_taking.{name} is not an option; options are: {', '.join(sorted(known))}")
            values[name] = _checked(name, value)
        return cls(**values)


_POSITIVE = frozenset(
    {
        "resume_after",
        "recognition_timeout",
        "longest_turn",
        "overlap_timeout",
        "wordless_after",
        "idle_after",
        "answer_timeout",
        "longest_call",
        "closing_timeout",
    }
)
SHORTEST_WAIT = 0.02
"""Waits that would make no sense at 0 (every answer late, every caller silent) are at least this long, in seconds."""


def _checked(name: str, value: Any) -> Any:
    if name in ("backchannels", "pickups", "hold_requests"):
        if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(item, str) for item in value):
            raise PolicyError(f"turn_taking.{name} must be a list of phrases")
        return frozenset(words for item in value if (words := normalise_words(item)))
    if name == "barge_in":
        if not isinstance(value, bool):
            raise PolicyError("turn_taking.barge_in must be true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolicyError(f"turn_taking.{name} must be a number, not {value!r}")
    if name == "backchannel_log_probability":
        if not -10 <= value <= 0:
            raise PolicyError(f"turn_taking.{name} must lie between -10 and 0, not {value}")
        return float(value)
    if name in ("prosody_sure", "words_sure", "words_certain", "words_open") and not 0 <= value <= 1:
        raise PolicyError(f"turn_taking.{name} must lie between 0 and 1, not {value}")
    least = SHORTEST_WAIT if name in _POSITIVE else 0
    if not least <= value <= 86_400:
        raise PolicyError(f"turn_taking.{name} must lie between {least} and 86400, not {value}")
    if name.startswith("most_") or name == "answer_retries":
        if value != int(value):
            raise PolicyError(f"turn_taking.{name} must be a whole number, not {value}")
        return int(value)
    return float(value)
