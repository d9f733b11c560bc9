"""Any legal sequence of events: the line, the models and the agent's voice in every order, late or failing."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.actions import Action
from agents.conversation.model import State
from agents.conversation.policy import TurnPolicy
from tests.agents.conversation.world import QUESTION, World

TEXTS = ["", "...", "yes", "uh-huh", "I would like", "I would like, ", QUESTION, "stop", "um", "hold on", "hello"]
A_MOMENT = st.sampled_from([0.0, 0.03, 0.06, 0.1, 0.2])
A_WHILE = st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.7, 1.0, 2.0, 4.0, 9.0, 40.0])
SOON = 120.0
"""Seconds in which a call ends whose caller has fallen silent, whatever happens to the models."""


class AnyOrder(RuleBasedStateMachine):
    """Everything that can happen in a call, in any order."""

    world: World

    @initialize(
        barge_in=st.booleans(),
        partial_interval=st.sampled_from([0.0, 0.45]),
        most_speculations=st.integers(0, 6),
        longest_turn=st.sampled_from([3.0, 90.0]),
        answer_retries=st.integers(0, 2),
        most_failures=st.integers(1, 3),
        outbound=st.booleans(),
        hold_longest=st.sampled_from([0.0, 15.0]),
        longest_call=st.sampled_from([20.0, 3600.0, 36000.0]),
    )
    def the_call_starts(self, outbound: bool, **options: Any) -> None:
        self.world = World(TurnPolicy.from_options(options), outbound=outbound)

    # The caller's line

    @rule(ago=A_MOMENT)
    def voice(self, ago: float) -> None:
        self.world.voice(ago)

    @rule(ago=A_MOMENT)
    def silence(self, ago: float) -> None:
        self.world.silence(ago)

    @rule(ago=A_MOMENT, seconds=A_WHILE)
    def the_caller_speaks_for_a_while(self, ago: float, seconds: float) -> None:
        self.world.voice(ago)
        self.world.wait(0.1)
        self.world.voice(ago)
        self.world.wait(seconds)

    @rule(seconds=A_WHILE)
    def the_caller_asks_something(self, seconds: float) -> None:
        self.the_caller_speaks_for_a_while(0.1, seconds)
        for _ in range(2):
            self.world.silence(0.0)
            self.world.wait(0.11)
            self.world.answer_questions()

    # The models

    @precondition(lambda self: self.world.ledger.wanted)
    @rule(data=st.data())
    def a_model_answers(self, data: st.DataObject) -> None:
        self._answer(data, data.draw(st.integers(0, len(self.world.ledger.wanted) - 1)))

    @precondition(lambda self: self.world.ledger.wanted)
    @rule(data=st.data())
    def all_models_answer(self, data: st.DataObject) -> None:
        while self.world.ledger.wanted:
            self._answer(data, 0)

    def _answer(self, data: st.DataObject, place: int) -> None:
        event = self._result(self.world.ledger.wanted.pop(place), data)
        self.world.past.append(event)
        self.world.send(event)

    def _result(self, wanted: Action, data: st.DataObject) -> ev.Event:
        match wanted:
            case act.Recognise(turn_id, until, _):
                text = data.draw(st.sampled_from([None, *TEXTS]))
                if text is None:
                    return ev.HypothesisFailed(turn_id, until)
                return ev.HypothesisReady(turn_id, until, text, data.draw(st.sampled_from([-2.0, -0.1])))
            case act.JudgeProsody(turn_id, revision):
                return ev.ProsodyScored(turn_id, revision, data.draw(st.sampled_from([0.0, 0.5, 1.0])))
            case act.JudgeWords(turn_id, text):
                return ev.WordsScored(turn_id, text, data.draw(st.sampled_from([0.0, 0.05, 1.0])))
        raise AssertionError(wanted)

    @precondition(lambda self: self.world.ledger.wanted)
    @rule(data=st.data())
    def a_model_never_answers(self, data: st.DataObject) -> None:
        wanted = self.world.ledger.wanted
        wanted.pop(data.draw(st.integers(0, len(wanted) - 1)))

    @precondition(lambda self: self.world.past)
    @rule(data=st.data())
    def a_result_comes_again(self, data: st.DataObject) -> None:
        self.world.send(data.draw(st.sampled_from(self.world.past)))

    # The agent's voice

    @rule(playing=st.booleans())
    def an_answer_fails(self, playing: bool) -> None:
        answer_id = self.world.brewing(playing=playing)
        if answer_id is not None:
            self.world.fail(answer_id)

    @rule(
        spoken=st.booleans(),
        end_call=st.sampled_from([None, None, None, "the agent hung up"]),
        hold=st.sampled_from([False, False, True]),
    )
    def an_answer_is_complete(self, spoken: bool, end_call: str | None, hold: bool) -> None:
        answer_id = self.world.brewing(playing=True)
        if answer_id is not None:
            self.world.complete(answer_id, spoken=spoken, end_call=end_call, hold=hold)

    @rule()
    def an_answer_sounds(self) -> None:
        answer_id = self.world.brewing(playing=True)
        if answer_id is not None:
            self.world.sound(answer_id)

    @rule(ago=A_MOMENT)
    def the_caller_speaks_over_an_answer(self, ago: float) -> None:
        self.an_answer_sounds()
        self.world.voice(ago)
        self.world.voice(ago)

    @precondition(lambda self: self.world.on_its_way)
    @rule(data=st.data())
    def what_was_said_is_heard(self, data: st.DataObject) -> None:
        self.world.drain(data.draw(st.sampled_from(sorted(self.world.on_its_way))))

    # Time, and the caller's hands

    @rule(seconds=A_WHILE)
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(seconds=A_MOMENT)
    def the_driver_is_late(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(event=st.sampled_from([*map(ev.KeyPressed, "1*#"), ev.TextWritten(""), ev.TextWritten("a message")]))
    def the_caller_types(self, event: ev.Event) -> None:
        self._silence(event)

    @rule()
    def the_caller_presses_the_button(self) -> None:
        self._silence(ev.InterruptPressed())

    @rule(text=st.sampled_from(["", "We have to stop here. Goodbye."]))
    def somebody_ends_the_call(self, text: str) -> None:
        closing = self.world.conversation.floor.closing
        actions = self.world.send(ev.FinishAsked(text, "asked to"))
        if closing is not None:
            assert not any(isinstance(action, act.SayPhrase) for action in actions)

    def _silence(self, event: ev.Event) -> None:
        actions = self.world.send(event)
        if self.world.ledger.playing is None and any(isinstance(action, act.CutPlayout) for action in actions):
            self.world.ledger.unanswered = None  # by the caller's own wish

    # What always holds

    @invariant()
    def a_confirmed_turn_is_never_left_in_silence(self) -> None:
        if self.world.conversation.state is State.LISTENING:
            assert self.world.ledger.unanswered is None

    @invariant()
    def something_is_waited_for_until_the_end(self) -> None:
        assert self.world.over == (self.world.ledger.ended is not None)
        assert self.world.over == (self.world.conversation.next_deadline() is None)

    @invariant()
    def the_floor_and_the_ledger_agree(self) -> None:
        floor, ledger = self.world.conversation.floor, self.world.ledger
        if not self.world.over:
            assert ledger.open_turn == (floor.turn.id if floor.turn else None)
            assert (ledger.playing is not None) == (floor.state in (State.THINKING, State.SPEAKING, State.OVERLAP))
            assert ledger.paused == (floor.state is State.OVERLAP)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            copy.deepcopy(self.world).finish(helpful=False, within=SOON)
            self.world.finish(helpful=True, within=SOON)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
