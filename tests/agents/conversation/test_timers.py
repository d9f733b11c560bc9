"""Deadlines without a clock."""

from __future__ import annotations

from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from agents.conversation.timers import Deadlines


class Name(Enum):
    A = 1
    B = 2
    C = 3


def test_nothing_is_due_where_nothing_was_set() -> None:
    deadlines: Deadlines[Name] = Deadlines()
    assert deadlines.next() is None
    assert deadlines.get(Name.A) is None
    assert deadlines.pop_due(1e9) is None


def test_a_deadline_is_due_at_its_time_and_then_gone() -> None:
    deadlines: Deadlines[Name] = Deadlines()
    deadlines.set(Name.A, 2.0)
    assert deadlines.pop_due(1.999) is None
    assert deadlines.get(Name.A) == 2.0
    assert deadlines.pop_due(2.0) is Name.A
    assert deadlines.next() is None


def test_a_deadline_can_be_moved_and_cancelled() -> None:
    deadlines: Deadlines[Name] = Deadlines()
    deadlines.set(Name.A, 2.0)
    deadlines.set(Name.A, 5.0)
    deadlines.set(Name.B, 3.0)
    assert deadlines.next() == 3.0
    deadlines.cancel(Name.B, Name.C)
    assert deadlines.next() == 5.0
    deadlines.clear()
    assert deadlines.next() is None


def test_of_two_at_one_time_the_one_set_first_happens_first() -> None:
    deadlines: Deadlines[Name] = Deadlines()
    deadlines.set(Name.B, 1.0)
    deadlines.set(Name.A, 1.0)
    assert [deadlines.pop_due(1.0), deadlines.pop_due(1.0)] == [Name.B, Name.A]


def test_a_suspended_deadline_goes_on_with_what_was_left_of_it() -> None:
    deadlines: Deadlines[Name] = Deadlines()
    deadlines.set(Name.A, 10.0)
    deadlines.set(Name.C, 11.0)
    left = deadlines.suspend(4.0, Name.A, Name.B)
    assert left == {Name.A: 6.0}
    assert deadlines.next() == 11.0
    deadlines.resume(left, 20.0)
    assert deadlines.get(Name.A) == 26.0


@given(st.dictionaries(st.sampled_from(Name), st.floats(0, 100)), st.floats(0, 100))
def test_deadlines_happen_in_order_and_none_that_is_not_due(times: dict[Name, float], now: float) -> None:
    deadlines: Deadlines[Name] = Deadlines()
    for name, at in times.items():
        deadlines.set(name, at)
    popped = []
    while (due := deadlines.pop_due(now)) is not None:
        popped.append(times[due])
    assert popped == sorted(at for at in times.values() if at <= now)
    assert deadlines.next() == min((at for at in times.values() if at > now), default=None)
