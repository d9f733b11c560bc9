"""A driver that keeps its contract and nothing more: it may be late, its models may fail or never answer."""

from __future__ import annotations

from enum import Enum

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Action
from agents.conversation.machine import Conversation
from agents.conversation.model import State
from agents.conversation.policy import TurnPolicy
from tests.agents.conversation.ledger import Ledger

QUESTION = "What time do you close?"


class Line(Enum):
    """What the voice detector has said last."""

    SILENT = 0
    POSSIBLE = 1
    SPEAKING = 2
    FADING = 3


class World:
    """Carries events to a conversation and checks what it wants against the ledger and the caller's line."""

    def __init__(self, policy: TurnPolicy, *, outbound: bool = False) -> None:
        self.policy = policy
        self.conversation = Conversation(policy, outbound=outbound)
        self.ledger = Ledger()
        self.line = Line.SILENT
        self.now = 100.0
        self.voiced_at = self.now
        self.done: set[int] = set()
        """Answers that have brought all they will, or failed."""
        self.on_its_way: set[int] = set()
        """Answers with sound that has not been heard to its end."""
        self.past: list[ev.Event] = []
        self.send(ev.CallStarted())

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.conversation.state is State.ENDED

    # Events and actions

    def send(self, event: ev.Event) -> list[Action]:
        """Tell the core, and check what it wants."""
        if self.over:
            assert self.conversation.handle(event, self.now) == []
            return []
        actions = self.conversation.handle(event, self.now)
        self._check(actions)
        return actions

    def tick(self, at: float) -> None:
        """The driver's timer."""
        self._check(self.conversation.tick(at))

    def wait(self, seconds: float) -> None:
        """Time passes; every deadline happens when it is due."""
        until = self.now + seconds
        while (due := self.conversation.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.tick(self.now)
        self.now = until

    def _check(self, actions: list[Action]) -> None:
        self.ledger.take(actions)
        if self.line is Line.SPEAKING and self.interruptible:
            assert not self.ledger.sounding, f"the agent talks over the caller: {actions}"

    @property
    def interruptible(self) -> bool:
        """Whether the agent has to fall silent for the caller."""
        floor = self.conversation.floor
        return self.policy.barge_in and floor.closing is None and not floor.deaf and not self.over

    # The caller's line

    def voice(self, ago: float) -> None:
        """The detector hears (more) voice."""
        must_pause = self.ledger.sounding and self.interruptible
        event: ev.Event
        if self.line is Line.SILENT:
            self.line, event = Line.POSSIBLE, ev.SpeechHinted(self._moment(ago))
        elif self.line is Line.POSSIBLE:
            self.line, event = Line.SPEAKING, ev.SpeechStarted(self.voiced_at)
        elif self.line is Line.FADING:
            self.line, event = Line.SPEAKING, ev.SpeechHinted(self._moment(ago))
        else:
            return
        self.send(event)
        # (unless a deadline that was due before it has begun the last phrase)
        assert not (must_pause and self.interruptible and self.ledger.sounding), "the agent did not fall silent at once"

    def silence(self, ago: float) -> None:
        """The detector hears (more) silence."""
        event: ev.Event
        if self.line is Line.POSSIBLE:
            self.line, event = Line.SILENT, ev.SilenceHinted(self._moment(ago))
        elif self.line is Line.SPEAKING:
            self.line, event = Line.FADING, ev.SilenceHinted(self._moment(ago))
        elif self.line is Line.FADING:
            self.line, event = Line.SILENT, ev.SpeechStopped(self._moment(ago))
        else:
            return
        self.send(event)

    def _moment(self, ago: float) -> float:
        self.voiced_at = max(self.voiced_at, self.now - ago)
        return self.voiced_at

    # The agent's voice

    def brewing(self, *, playing: bool) -> int | None:
        """The answer that is still being made, played or held."""
        answers = self.ledger.answers.items()
        made = [key for key, a in answers if not a.over and a.playing is playing and key not in self.done]
        return made[0] if made else None

    def sound(self, answer_id: int) -> None:
        """More of an answer is on its way to the caller, unless the agent is paused."""
        if answer_id not in self.on_its_way and not self.ledger.paused:
            self.on_its_way.add(answer_id)
            self.ledger.heard(answer_id)
            self.send(ev.PlayoutStarted(answer_id))

    def complete(self, answer_id: int, *, spoken: bool, end_call: str | None, hold: bool = False) -> None:
        """All of the answer is with playout."""
        self.done.add(answer_id)
        heard = self.ledger.answers[answer_id].heard
        self.send(ev.AnswerCompleted(answer_id, heard or spoken, end_call, hold))
        if spoken and not heard and not self.ledger.answers[answer_id].over:
            self.sound(answer_id)

    def fail(self, answer_id: int) -> None:
        """Nothing more comes of the answer."""
        self.done.add(answer_id)
        self.send(ev.AnswerFailed(answer_id, "broken"))

    def drain(self, answer_id: int) -> None:
        """The caller has heard what there is."""
        self.on_its_way.discard(answer_id)
        self.send(ev.PlayoutDrained(answer_id))

    # The end

    def fall_silent(self) -> None:
        """The caller says nothing more."""
        while self.line is not Line.SILENT:
            self.wait(0.1)
            self.silence(0.05)

    def finish(self, *, helpful: bool, within: float) -> None:
        """From here on the caller is silent, and the models work, or do not: the call ends in bounded time."""
        self.fall_silent()
        began = self.now
        while not self.over:
            if helpful:
                self.answer_questions()
                self._speak()
            for answer_id in sorted(self.on_its_way):
                self.drain(answer_id)
            if not self.over:
                due = self.conversation.next_deadline()
                assert due is not None
                self.wait(max(0.0, due - self.now))
            assert self.now - began < within, f"the call does not end from {self.conversation.state}"

    def answer_questions(self) -> None:
        """The models say what one would wish."""
        while self.ledger.wanted:
            match self.ledger.wanted.pop(0):
                case act.Recognise(turn_id, until, _):
                    self.send(ev.HypothesisReady(turn_id, until, QUESTION, -0.1))
                case act.JudgeProsody(turn_id, revision):
                    self.send(ev.ProsodyScored(turn_id, revision, 1.0))
                case act.JudgeWords(turn_id, text):
                    self.send(ev.WordsScored(turn_id, text, 1.0))

    def _speak(self) -> None:
        """The agent says what it has to say."""
        answer_id = self.brewing(playing=True)
        if answer_id is not None:
            self.complete(answer_id, spoken=True, end_call=None)
        elif self.ledger.playing is not None and not self.ledger.answers[self.ledger.playing].heard:
            self.sound(self.ledger.playing)  # complete before the caller made a sound, and resumed since
