"""What happens in a conversation: everything the turn-taking core is told. All times are monotonic seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The line is open and the session can speak and hear."""


@dataclass(frozen=True, slots=True)
class SpeechHinted:
    """The first window that sounds like voice; `at` is when it began.

    `SpeechStarted` or, where it was a false alarm, `SilenceHinted` follows. Between `SpeechStarted` and
    `SpeechStopped` it says that the same voice goes on after a `SilenceHinted`.
    """

    at: float


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller speaks for certain; `at` is the first voiced sample."""

    at: float


@dataclass(frozen=True, slots=True)
class SilenceHinted:
    """The first window without voice after voice, or after a hint of it; `at` is the last voiced sample."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The caller is silent for certain; `at` is the last voiced sample."""

    at: float


@dataclass(frozen=True, slots=True)
class HypothesisReady:
    """What the recogniser hears in a turn, for its audio up to the time `covers`.

    `text` is the whole turn so far, "" where there are no words; `log_probability` is the mean per
    token (at most 0).
    """

    turn_id: int
    covers: float
    text: str
    log_probability: float


@dataclass(frozen=True, slots=True)
class HypothesisFailed:
    """A recognition asked for with `Recognise` brought nothing: the machine was busy, or it broke.

    One that a newer request has replaced says nothing at all.
    """

    turn_id: int
    covers: float


@dataclass(frozen=True, slots=True)
class ProsodyScored:
    """How finished the turn sounds, in [0, 1], at the silence numbered `revision`."""

    turn_id: int
    revision: int
    probability: float


@dataclass(frozen=True, slots=True)
class WordsScored:
    """How finished the words `text` of a turn read, in [0, 1]."""

    turn_id: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first sound of an answer is on its way to the caller; again when it goes on after it ran dry.

    The sound of a filler is none of the answer's.
    """

    answer_id: int


@dataclass(frozen=True, slots=True)
class AnswerCompleted:
    """All speech of a played answer has been handed to playout; never before `PlayAnswer`.

    `spoken` is False where the answer had nothing to say; `end_call` names a reason to hang up after it; after one
    with `hold` the agent waits until the caller is back.
    """

    answer_id: int
    spoken: bool = True
    end_call: str | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class AnswerFailed:
    """The model or the voice did not bring the answer, or broke off in it."""

    answer_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class PlayoutDrained:
    """The caller has heard all that was handed to playout of an answer so far."""

    answer_id: int


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A DTMF key: 0-9, *, #, A-D."""

    digit: str


@dataclass(frozen=True, slots=True)
class TextWritten:
    """The caller typed a message instead of speaking."""

    text: str


@dataclass(frozen=True, slots=True)
class InterruptPressed:
    """The caller asked for silence by a button, without speaking."""


@dataclass(frozen=True, slots=True)
class FinishAsked:
    """The call is to end for `reason`, after `text` has been heard ("" for nothing)."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The connection is gone."""

    reason: str


Event: TypeAlias = (
    CallStarted
    | SpeechHinted
    | SpeechStarted
    | SilenceHinted
    | SpeechStopped
    | HypothesisReady
    | HypothesisFailed
    | ProsodyScored
    | WordsScored
    | PlayoutStarted
    | AnswerCompleted
    | AnswerFailed
    | PlayoutDrained
    | KeyPressed
    | TextWritten
    | InterruptPressed
    | FinishAsked
    | CallerLeft
)
