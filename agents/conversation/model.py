"""The state of a conversation: what the machine in `machine.py` reads and changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from agents.conversation.actions import Action, Phrase
from agents.conversation.endpointing import CallerPauses
from agents.conversation.policy import TurnPolicy
from agents.conversation.timers import Deadlines


class IllegalEvent(Exception):
    """An event arrived in a state that has no row for it: a fault of the driver, never of the caller."""


class State(Enum):
    """Who has the floor."""

    NEW = "new"
    LISTENING = "listening"
    """Nobody speaks."""
    HEARING = "hearing"
    """The caller speaks."""
    WEIGHING = "weighing"
    """The caller paused: is the turn over?"""
    THINKING = "thinking"
    """The turn is over, the answer has made no sound yet (or has run dry)."""
    SPEAKING = "speaking"
    """The agent is heard."""
    OVERLAP = "overlap"
    """The caller made a sound over the agent, which is paused until we know what it means."""
    ENDED = "ended"


class Deadline(Enum):
    """What the machine waits for; see the handlers of the same names."""

    SPECULATE = "speculate"
    PARTIAL = "partial"
    ENDPOINT = "endpoint"
    RESUMED = "resumed"
    RECOGNITION = "recognition"
    LONGEST_TURN = "longest_turn"
    WORDLESS = "wordless"
    INTERRUPTION = "interruption"
    OVERLAP = "overlap"
    IDLE = "idle"
    HOLD = "hold"
    ANSWER = "answer"
    DIGITS = "digits"
    CALL = "call"


TURN_DEADLINES = (
    Deadline.SPECULATE,
    Deadline.PARTIAL,
    Deadline.ENDPOINT,
    Deadline.RESUMED,
    Deadline.RECOGNITION,
    Deadline.LONGEST_TURN,
    Deadline.WORDLESS,
    Deadline.INTERRUPTION,
    Deadline.OVERLAP,
)
"""Deadlines that belong to the caller's open turn and go with it."""

ANSWER_DEADLINES = (Deadline.HOLD, Deadline.ANSWER)


class Sound(Enum):
    """What the caller's line carries right now."""

    QUIET = "quiet"
    HINTED = "hinted"
    VOICED = "voiced"


@dataclass(slots=True)
class CallerTurn:
    """A turn of the caller's that is not confirmed yet.

    `voiced_until` is the last voiced sample known, `covered` the time up to which `text` is known,
    `revision` counts its pauses.
    """

    id: int
    started_at: float
    voiced_until: float
    revision: int = 0
    text: str = ""
    log_probability: float = 0.0
    covered: float = float("-inf")
    requested: float = float("-inf")
    prosody: float | None = None
    words: float | None = None
    words_asked: str | None = None
    speculations: int = 0
    forced: bool = False

    @property
    def recognised(self) -> bool:
        """Whether the words of all that was voiced are known."""
        return self.covered >= self.voiced_until


@dataclass(slots=True)
class Answer:
    """What the agent is about to say or says: an answer to `text`, or one of its own phrases."""

    id: int
    turn_id: int
    text: str
    phrase: Phrase | None = None
    playing: bool = False
    started: bool = False
    drained: bool = False
    completed: bool = False
    spoken: bool = True
    failed: str | None = None
    end_call: str | None = None
    held: bool = False
    retries: int = 0


@dataclass(slots=True)
class Floor:
    """Who has the floor, and everything that decides who gets it next."""

    policy: TurnPolicy
    state: State = State.NEW
    turn: CallerTurn | None = None
    answer: Answer | None = None
    pauses: CallerPauses = field(default_factory=CallerPauses)
    deadlines: Deadlines[Deadline] = field(default_factory=Deadlines)
    sound: Sound = Sound.QUIET
    hinted_at: float = 0.0
    deaf: bool = False
    """The caller's line carries noise; it is ignored until it stops."""
    last_turn_ended: float = float("-inf")
    reprompts: int = 0
    failures: int = 0
    digits: str = ""
    closing: str | None = None
    """Why the call ends after what is being said; nothing interrupts it then."""
    last_id: int = 0
    actions: list[Action] = field(default_factory=list)

    def do(self, action: Action) -> None:
        """Ask the driver for something."""
        self.actions.append(action)

    def next_id(self) -> int:
        """A number for a turn or an answer, never used again."""
        self.last_id += 1
        return self.last_id

    @property
    def open_turn(self) -> CallerTurn:
        """The caller's unconfirmed turn; there is one in every state that asks."""
        if self.turn is None:
            raise IllegalEvent(f"no open turn in state {self.state.value}")
        return self.turn

    @property
    def current_answer(self) -> Answer:
        """The agent's answer; there is one in every state that asks."""
        if self.answer is None:
            raise IllegalEvent(f"no answer in state {self.state.value}")
        return self.answer
