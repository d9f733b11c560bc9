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

    `voiced_until` is the last voiced sample known, `requested` and `covered` the times up to which its words
    were asked for and are known, `revision` counts its pauses. `forced`: it was too long and is over, whatever
    the caller does. `took_floor`: the agent was cut for it.
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
    """Normalised: the words that were last given to the judge."""
    speculations: int = 0
    forced: bool = False
    took_floor: bool = False

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
    hold: bool = False
    """Wait for the caller after it."""
    held: bool = False
    """A filler has bridged the wait for it."""
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Owed:
    """A confirmed turn whose answer was given up before a sound of it was heard."""

    turn_id: int
    text: str


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
    speaking: bool = False
    """Between `SpeechStarted` and `SpeechStopped`: a hint of speech then is the same voice going on."""
    hinted_at: float = 0.0
    deaf: bool = False
    """The caller's line carries noise; it is ignored until it stops or the agent has had its say."""
    owed: Owed | None = None
    """Answered after all if what the caller said since turns out to be nothing."""
    suspended: dict[Deadline, float] = field(default_factory=dict)
    """What was left of the answer's deadlines when an overlap began."""
    last_turn_ended: float = float("-inf")
    reprompts: int = 0
    misunderstandings: int = 0
    failures: int = 0
    digits: str = ""
    hold_ends: float = float("-inf")
    """Until then the agent waits for a caller who asked for it."""
    outbound: bool = False
    """We called."""
    closing: str | None = None
    """Why the call ends after what is being said; nothing interrupts it then."""
    last_id: int = 0
    last_turn_id: int = 0
    actions: list[Action] = field(default_factory=list)

    def do(self, action: Action) -> None:
        """Ask the driver for something."""
        self.actions.append(action)

    def next_id(self) -> int:
        """A number for a turn or an answer, never used again."""
        self.last_id += 1
        return self.last_id

    def next_turn_id(self) -> int:
        """A number for a turn: the caller's, or one in which the agent speaks of its own accord."""
        self.last_turn_id = self.next_id()
        return self.last_turn_id

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
