"""The turn-taking core: events in, actions out, time as an argument.

Everything that decides who speaks lives here and in the pure modules beside it; there is no clock,
no task and no audio. A driver feeds events as they happen, carries out the actions in order, and
calls `tick` at `next_deadline()`. Results that belong to a turn, a pause or an answer that is no
longer current are dropped before the table is consulted; what remains is legal in the state it
arrives in, or raises `IllegalEvent`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents.conversation import answering, barge_in, hearing, line, turn_end, waiting
from agents.conversation import events as ev
from agents.conversation.actions import Action
from agents.conversation.model import Deadline, Floor, IllegalEvent, State
from agents.conversation.policy import TurnPolicy
from agents.conversation.words import normalise_words


class Conversation:
    """One conversation. `handle` and `tick` return what is to be done, in order. `outbound`: we called."""

    def __init__(self, policy: TurnPolicy | None = None, *, outbound: bool = False) -> None:
        self.floor = Floor(policy or TurnPolicy(), outbound=outbound)

    @property
    def state(self) -> State:
        """Who has the floor."""
        return self.floor.state

    def handle(self, event: ev.Event, now: float) -> list[Action]:
        """Take an event at `now`. Raises `IllegalEvent` for one that cannot happen in this state."""
        self._fire(now)
        floor = self.floor
        if floor.state is not State.ENDED and not _is_stale(floor, event):
            row = HANDLERS[type(event)]
            handler = row.get(floor.state, row.get(None))
            if handler is None:
                raise IllegalEvent(f"{type(event).__name__} in state {floor.state.value}")
            handler(floor, event, now)
        return self._drain()

    def tick(self, now: float) -> list[Action]:
        """Let the deadlines that are due at `now` happen."""
        self._fire(now)
        return self._drain()

    def next_deadline(self) -> float | None:
        """When `tick` is to be called next, None if nothing is waited for."""
        return self.floor.deadlines.next()

    def _drain(self) -> list[Action]:
        actions, self.floor.actions = self.floor.actions, []
        return actions

    def _fire(self, now: float) -> None:
        while (name := self.floor.deadlines.pop_due(now)) is not None:
            TIMEOUTS[name](self.floor, now)


def _is_stale(floor: Floor, event: Any) -> bool:
    """Whether an event speaks of a turn, a pause or an answer that is no longer current."""
    if isinstance(event, ev.HypothesisReady | ev.HypothesisFailed | ev.ProsodyScored | ev.WordsScored):
        if floor.turn is None or event.turn_id != floor.turn.id:
            return True
        if isinstance(event, ev.ProsodyScored):
            return event.revision != floor.turn.revision
        return isinstance(event, ev.WordsScored) and normalise_words(event.text) != normalise_words(floor.turn.text)
    if isinstance(event, ev.PlayoutStarted | ev.AnswerCompleted | ev.AnswerFailed | ev.PlayoutDrained):
        return floor.answer is None or event.answer_id != floor.answer.id
    return False


_Handler = Callable[[Floor, Any, float], None]


def _in(handler: _Handler, *states: State) -> dict[State | None, _Handler]:
    return dict.fromkeys(states, handler)


_OPEN_TURN = (State.HEARING, State.WEIGHING, State.OVERLAP)
_AGENT = (State.THINKING, State.SPEAKING, State.OVERLAP)
_LIVE = tuple(state for state in State if state not in (State.NEW, State.ENDED))

HANDLERS: dict[type, dict[State | None, _Handler]] = {
    ev.CallStarted: _in(waiting.start_call, State.NEW),
    ev.CallerLeft: {None: waiting.leave},
    ev.SpeechHinted: _in(line.on_speech_hint, *_LIVE),
    ev.SpeechStarted: _in(line.on_speech, *_LIVE),
    ev.SilenceHinted: _in(line.on_silence_hint, *_LIVE),
    ev.SpeechStopped: _in(line.on_silence, *_LIVE),
    ev.HypothesisReady: _in(hearing.on_hypothesis, *_OPEN_TURN),
    ev.HypothesisFailed: _in(hearing.on_no_hypothesis, *_OPEN_TURN),
    ev.ProsodyScored: _in(turn_end.on_prosody, *_OPEN_TURN),
    ev.WordsScored: _in(hearing.on_words, *_OPEN_TURN),
    ev.PlayoutStarted: _in(answering.on_playout_started, *_AGENT),
    ev.PlayoutDrained: _in(answering.on_drained, *_AGENT),
    ev.AnswerCompleted: _in(answering.on_completed, *_AGENT),
    ev.AnswerFailed: _in(answering.on_failed, *_AGENT, State.HEARING, State.WEIGHING),
    ev.KeyPressed: _in(waiting.on_key, *_LIVE),
    ev.TextWritten: _in(waiting.on_text, *_LIVE),
    ev.InterruptPressed: _in(waiting.on_interrupt_button, *_LIVE),
    ev.FinishAsked: _in(waiting.finish, *_LIVE),
}
"""Which event is legal in which state (None: in all of them) and what happens then."""

TIMEOUTS: dict[Deadline, Callable[[Floor, float], None]] = {
    Deadline.SPECULATE: line.on_paused,
    Deadline.PARTIAL: hearing.on_partial_due,
    Deadline.ENDPOINT: turn_end.on_endpoint,
    Deadline.RESUMED: line.on_resumed,
    Deadline.RECOGNITION: turn_end.on_recognition_timeout,
    Deadline.LONGEST_TURN: hearing.on_longest_turn,
    Deadline.WORDLESS: hearing.on_wordless,
    Deadline.INTERRUPTION: barge_in.on_interruption,
    Deadline.OVERLAP: barge_in.on_overlap_timeout,
    Deadline.IDLE: waiting.on_idle,
    Deadline.HOLD: answering.on_hold,
    Deadline.ANSWER: answering.on_answer_timeout,
    Deadline.DIGITS: waiting.on_digits,
    Deadline.CALL: waiting.on_call_limit,
}
