"""The table of states and events: every cell, what is stale, what is illegal, and the page that shows it."""

from __future__ import annotations

from typing import get_args

import pytest

from agents.conversation import actions as act
from agents.conversation import events as ev
from agents.conversation.machine import HANDLERS, TIMEOUTS
from agents.conversation.model import Deadline, Floor, IllegalEvent, State
from agents.conversation.policy import TurnPolicy
from tests.agents.conversation.script import Script
from tests.agents.conversation.states import in_state
from tests.agents.conversation.tables import DOCUMENT, TABLES, renewed

LEGAL = {
    # event: new, listening, hearing, weighing, thinking, speaking, overlap
    "CallStarted": "x......",
    "CallerLeft": "xxxxxxx",
    "SpeechHinted": ".xxxxxx",
    "SpeechStarted": ".xxxxxx",
    "SilenceHinted": ".xxxxxx",
    "SpeechStopped": ".xxxxxx",
    "HypothesisReady": "  xx  x",
    "HypothesisFailed": "  xx  x",
    "ProsodyScored": "  xx  x",
    "WordsScored": "  xx  x",
    "PlayoutStarted": "  ..xxx",
    "PlayoutDrained": "  ..xxx",
    "AnswerCompleted": "  ..xxx",
    "AnswerFailed": "  xxxxx",
    "KeyPressed": ".xxxxxx",
    "TextWritten": ".xxxxxx",
    "InterruptPressed": ".xxxxxx",
    "FinishAsked": ".xxxxxx",
}
"""x: handled, .: illegal, blank: nothing it could be about exists in that state, so it is stale."""
STATES = [state for state in State if state is not State.ENDED]
CELLS = [(name, state, cell) for name, row in LEGAL.items() for state, cell in zip(STATES, row, strict=True)]


def event(name: str, script: Script, turn_id: int | None = None, answer_id: int | None = None) -> ev.Event:
    """An event about the current turn, pause and answer, or about others."""
    floor = script.conversation.floor
    turn = floor.turn
    about = turn_id or (turn.id if turn else 0)
    answer = answer_id or (floor.answer.id if floor.answer else 0)
    moment = script.now
    events: dict[str, ev.Event] = {
        "CallStarted": ev.CallStarted(),
        "CallerLeft": ev.CallerLeft("hung up"),
        "SpeechHinted": ev.SpeechHinted(moment),
        "SpeechStarted": ev.SpeechStarted(moment),
        "SilenceHinted": ev.SilenceHinted(moment),
        "SpeechStopped": ev.SpeechStopped(moment),
        "HypothesisReady": ev.HypothesisReady(about, moment, "some words", -0.1),
        "HypothesisFailed": ev.HypothesisFailed(about, moment),
        "ProsodyScored": ev.ProsodyScored(about, turn.revision if turn else 1, 0.5),
        "WordsScored": ev.WordsScored(about, turn.text if turn else "", 0.5),
        "PlayoutStarted": ev.PlayoutStarted(answer),
        "PlayoutDrained": ev.PlayoutDrained(answer),
        "AnswerCompleted": ev.AnswerCompleted(answer),
        "AnswerFailed": ev.AnswerFailed(answer, "broken"),
        "KeyPressed": ev.KeyPressed("1"),
        "TextWritten": ev.TextWritten("hello"),
        "InterruptPressed": ev.InterruptPressed(),
        "FinishAsked": ev.FinishAsked("Goodbye.", "asked to"),
    }
    return events[name]


def with_answer(state: State) -> Script:
    """A conversation in a state, with an answer under way where there can be one."""
    script = in_state(state)
    if state is State.HEARING:
        script.run(11.5)
    if state not in (State.NEW, State.LISTENING):
        assert script.conversation.floor.answer is not None
    return script


@pytest.mark.parametrize(("name", "state", "cell"), CELLS, ids=[f"{name} {state.value}" for name, state, _ in CELLS])
def test_every_cell_of_the_table(name: str, state: State, cell: str) -> None:
    script = with_answer(state)
    if cell == "x":
        script.feed(event(name, script))
    elif cell == " ":
        assert script.feed(event(name, script)) == []
        script.expect(state)
    else:
        with pytest.raises(IllegalEvent, match=f"{name} in state {state.value}"):
            script.feed(event(name, script))
        script.expect(state)


def test_the_table_is_complete() -> None:
    assert [kind.__name__ for kind in HANDLERS] == list(LEGAL)
    assert set(HANDLERS) == set(get_args(ev.Event))
    assert set(TIMEOUTS) == set(Deadline)
    assert len(get_args(act.Action)) == len({kind.__name__ for kind in get_args(act.Action)})


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("name", [name for name in LEGAL if name.startswith(("Hyp", "Pro", "Wor"))])
def test_what_speaks_of_another_turn_is_dropped_in_every_state(name: str, state: State) -> None:
    script = in_state(state)
    assert script.feed(event(name, script, turn_id=9999)) == []
    script.expect(state)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("name", [name for name in LEGAL if name.startswith(("Playout", "Answer"))])
def test_what_speaks_of_another_answer_is_dropped_in_every_state(name: str, state: State) -> None:
    script = in_state(state)
    assert script.feed(event(name, script, answer_id=9999)) == []
    script.expect(state)


def test_the_judgement_of_an_earlier_pause_is_dropped() -> None:
    script = in_state(State.WEIGHING)
    turn = script.conversation.floor.open_turn
    script.feed(ev.ProsodyScored(turn.id, turn.revision - 1, 0.01))
    assert turn.prosody is None


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("name", list(Deadline))
def test_a_deadline_that_is_late_does_no_harm_in_any_state(name: Deadline, state: State) -> None:
    """Handlers look at the state themselves: a deadline that a change of state forgot must not break it."""
    script = in_state(state)
    if state in (State.NEW, State.ENDED) or (name is Deadline.HOLD and script.conversation.floor.answer is None):
        return
    needs_turn = (Deadline.RECOGNITION, Deadline.WORDLESS)
    if name in needs_turn and script.conversation.floor.turn is None:
        return
    script.conversation.floor.deadlines.set(name, script.now)
    script.conversation.tick(script.now)
    assert script.conversation.next_deadline() is not None


def test_what_was_due_happens_before_an_event_that_comes_later() -> None:
    script = in_state(State.WEIGHING)
    script.now += 5.0
    actions = [type(action) for action in script.feed(ev.SpeechHinted(script.now))]
    assert actions == [act.ConfirmTurn, act.PlayAnswer, act.PausePlayout]


def test_an_illegal_event_loses_nothing_that_was_due() -> None:
    script = in_state(State.WEIGHING)
    script.conversation.floor.deadlines.set(Deadline.ENDPOINT, 0.0)
    script.now += 5.0
    with pytest.raises(IllegalEvent):
        script.feed(ev.CallStarted())
    assert act.ConfirmTurn in [type(action) for action in script.conversation.tick(script.now)]


def test_the_floor_says_which_state_lacks_a_turn_or_an_answer() -> None:
    floor = Floor(TurnPolicy())
    with pytest.raises(IllegalEvent, match="no open turn in state new"):
        _ = floor.open_turn
    with pytest.raises(IllegalEvent, match="no answer in state new"):
        _ = floor.current_answer


@pytest.mark.parametrize("name", list(TABLES))
def test_the_page_shows_the_table_as_it_is(name: str) -> None:
    assert TABLES[name]() in DOCUMENT.read_text(encoding="utf-8"), "python -m tests.agents.conversation.tables"


def test_renewing_the_page_changes_only_its_tables() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    assert renewed(page) == page
    assert renewed(page.replace("✓", "?")) == page
