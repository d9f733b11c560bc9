"""What the turn-taking core wants done. Every action carries the turn it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Phrase(Enum):
    """Things an agent says without asking its model; the wording is the agent's."""

    GREETING = "greeting"
    REPROMPT = "reprompt"
    NOT_UNDERSTOOD = "not_understood"
    HOLD = "hold"
    WAIT = "wait"
    """The caller asked the agent to wait."""
    APOLOGY = "apology"
    GOODBYE = "goodbye"
    TIME_IS_UP = "time_is_up"
    LAST_WORDS = "last_words"
    """What whoever ends the call wants to be said, in their words."""


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """The caller has begun a turn at `at`: its audio starts a little before that.

    `ConfirmTurn` or `DiscardTurn` follows. A typed message or keys are confirmed without it.
    """

    turn_id: int
    at: float


@dataclass(frozen=True, slots=True)
class Recognise:
    """Recognise the turn's audio up to now; `urgent` when the caller has paused and waits for us."""

    turn_id: int
    until: float
    urgent: bool


@dataclass(frozen=True, slots=True)
class JudgeProsody:
    """Judge by ear whether the turn is finished."""

    turn_id: int
    revision: int


@dataclass(frozen=True, slots=True)
class JudgeWords:
    """Judge by the words whether the turn is finished."""

    turn_id: int
    text: str


@dataclass(frozen=True, slots=True)
class PrepareAnswer:
    """Begin to answer `text`, up to the first sentence of speech, and hold it until `PlayAnswer`.

    A confirmed turn is answered anew when its answer failed, or was given up unheard for a sound that was no turn.
    """

    turn_id: int
    answer_id: int
    text: str


@dataclass(frozen=True, slots=True)
class DropAnswer:
    """An answer is no longer wanted: cancel its work, forget what it held."""

    turn_id: int
    answer_id: int


@dataclass(frozen=True, slots=True)
class ConfirmTurn:
    """The caller's turn is over; these are its words. `ended_at` is its last voiced sample."""

    turn_id: int
    text: str
    ended_at: float


@dataclass(frozen=True, slots=True)
class DiscardTurn:
    """What was heard is not a turn: a backchannel, a cough, noise. `reason` says which."""

    turn_id: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class PlayAnswer:
    """Speak an answer: what is held now, the rest as it comes."""

    turn_id: int
    answer_id: int


@dataclass(frozen=True, slots=True)
class SayPhrase:
    """Speak one of the agent's own phrases, as an answer of its own; last words are `text`."""

    turn_id: int
    answer_id: int
    phrase: Phrase
    text: str = ""


@dataclass(frozen=True, slots=True)
class SayFiller:
    """Bridge a wait in an answer with a short phrase, ahead of what the answer brings; it is no part of it."""

    turn_id: int
    answer_id: int
    phrase: Phrase


@dataclass(frozen=True, slots=True)
class PausePlayout:
    """Be silent at once and remember the sample the caller heard last.

    Nothing sounds until the next `ResumePlayout`, `CutPlayout` or `EndCall`.
    """

    turn_id: int


@dataclass(frozen=True, slots=True)
class ResumePlayout:
    """Go on from that sample."""

    turn_id: int


@dataclass(frozen=True, slots=True)
class CutPlayout:
    """Drop what was not heard; history keeps what was."""

    turn_id: int


@dataclass(frozen=True, slots=True)
class CloseAnswer:
    """The answer has been heard to its end."""

    turn_id: int
    answer_id: int


@dataclass(frozen=True, slots=True)
class EndCall:
    """Hang up."""

    turn_id: int
    reason: str


Action: TypeAlias = (
    OpenTurn
    | Recognise
    | JudgeProsody
    | JudgeWords
    | PrepareAnswer
    | DropAnswer
    | ConfirmTurn
    | DiscardTurn
    | PlayAnswer
    | SayPhrase
    | SayFiller
    | PausePlayout
    | ResumePlayout
    | CutPlayout
    | CloseAnswer
    | EndCall
)
