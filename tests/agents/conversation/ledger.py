"""What must hold of the core's actions, whatever the events: keeps count of them and asserts."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents.conversation import actions as act
from agents.conversation.actions import Action, Phrase
from agents.conversation.words import normalise_words

SETTLING = frozenset({Phrase.WAIT, Phrase.APOLOGY, Phrase.GOODBYE, Phrase.TIME_IS_UP, Phrase.LAST_WORDS})
"""Phrases that stand for an answer: none will come, or none was wanted."""


@dataclass
class Answer:
    """An answer or a phrase as the driver sees it; `text` is None for a phrase."""

    turn_id: int
    text: str | None
    playing: bool = False
    heard: bool = False
    over: bool = False


@dataclass
class Ledger:
    """Everything the core has asked for so far."""

    ids: set[int] = field(default_factory=set)
    open_turn: int | None = None
    confirmed: dict[int, str] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    answers: dict[int, Answer] = field(default_factory=dict)
    paused: bool = False
    unanswered: int | None = None
    ended: str | None = None
    wanted: list[Action] = field(default_factory=list)
    """Work for the models that was asked for and not yet done."""

    @property
    def playing(self) -> int | None:
        """The answer that has the floor."""
        playing = [key for key, answer in self.answers.items() if answer.playing and not answer.over]
        assert len(playing) <= 1, f"answers {playing} play at once"
        return playing[0] if playing else None

    @property
    def sounding(self) -> bool:
        """Whether the caller may hear the agent just now."""
        return self.playing is not None and not self.paused

    def take(self, actions: list[Action]) -> None:
        """Carry out actions, asserting that each may be asked for now."""
        for action in actions:
            assert self.ended is None, f"{action} after the call ended"
            self._take(action)

    def heard(self, answer_id: int) -> None:
        """The caller hears an answer."""
        answer = self.answers[answer_id]
        answer.heard = True
        if answer.turn_id == self.unanswered:
            self.unanswered = None

    def _take(self, action: Action) -> None:
        match action:
            case act.OpenTurn(turn_id, _):
                self._new(turn_id)
                assert self.open_turn is None, f"turn {self.open_turn} was never closed"
                self.open_turn = turn_id
            case act.Recognise(turn_id, _, _) | act.JudgeProsody(turn_id, _) | act.JudgeWords(turn_id, _):
                assert turn_id == self.open_turn
                self.wanted.append(action)
            case act.ConfirmTurn(turn_id, text, _):
                assert text.strip()
                self._close_turn(turn_id)
                self.confirmed[turn_id] = text
                self.unanswered = turn_id
            case act.DiscardTurn(turn_id, reason, _):
                assert reason
                self._close_turn(turn_id)
            case act.EndCall(_, reason):
                self.ended = reason
            case _:
                self._take_agents(action)

    def _take_agents(self, action: Action) -> None:
        match action:
            case act.PrepareAnswer(turn_id, answer_id, text):
                self._new(answer_id)
                assert turn_id == self.open_turn or turn_id in self.confirmed
                self._only_answer()
                self.answers[answer_id] = Answer(turn_id, text)
            case act.PlayAnswer(turn_id, answer_id):
                answer = self.answers[answer_id]
                assert answer.turn_id == turn_id and not answer.over and not answer.playing and answer.text
                assert normalise_words(answer.text) == normalise_words(self.confirmed[turn_id])
                assert turn_id == max(self.confirmed), "a newer turn waits for its answer"
                assert not self.paused
                answer.playing = True
            case act.SayPhrase(turn_id, answer_id, phrase, _):
                self._new(turn_id)
                self._new(answer_id)
                self._only_answer()
                assert not self.paused
                self.answers[answer_id] = Answer(turn_id, None, playing=True)
                if phrase in SETTLING:
                    self.unanswered = None
            case act.SayFiller(turn_id, answer_id, _):
                assert self.playing == answer_id and self.answers[answer_id].turn_id == turn_id and not self.paused
            case act.DropAnswer(turn_id, answer_id) | act.CloseAnswer(turn_id, answer_id):
                answer = self.answers[answer_id]
                assert answer.turn_id == turn_id and not answer.over
                answer.over = True
                if isinstance(action, act.CloseAnswer):
                    assert answer.playing
                    if answer.turn_id == self.unanswered:
                        self.unanswered = None
            case act.PausePlayout(turn_id):
                assert not self.paused and self.playing is not None
                assert self.answers[self.playing].turn_id == turn_id
                self.paused = True
            case act.ResumePlayout(turn_id):
                assert self.paused and self.playing is not None
                assert self.answers[self.playing].turn_id == turn_id
                self.paused = False
            case act.CutPlayout():
                self.paused = False
            case _:
                raise AssertionError(f"what is {action}?")

    def _new(self, number: int) -> None:
        assert number not in self.ids, f"number {number} was used before"
        self.ids.add(number)

    def _only_answer(self) -> None:
        alive = [key for key, answer in self.answers.items() if not answer.over]
        assert not alive, f"answers {alive} were neither dropped nor heard to their end"

    def _close_turn(self, turn_id: int) -> None:
        if turn_id == self.open_turn:
            self.open_turn = None
        else:  # typed: a turn that was never opened
            assert self.open_turn is None
            self._new(turn_id)
        assert turn_id not in self.closed
        self.closed.add(turn_id)
