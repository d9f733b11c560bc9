import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.progress import CallProgress, CallState

LIVES = [
    (["queued", "initiated", "ringing", "in-progress", "completed"], CallState.COMPLETED),
    (["queued", "initiated", "ringing", "busy"], CallState.BUSY),
    (["queued", "initiated", "ringing", "no-answer"], CallState.NO_ANSWER),
    (["queued", "failed"], CallState.FAILED),
    (["queued", "initiated", "canceled"], CallState.CANCELED),
]


def after(*reports: str) -> CallProgress:
    progress = CallProgress()
    for report in reports:
        progress = progress.report(report)
    return progress


@pytest.mark.parametrize(("reports", "state"), LIVES)
def test_a_call_is_followed_to_its_end(reports: list[str], state: CallState) -> None:
    assert after(*reports) == CallProgress(state, answered=state is CallState.COMPLETED)


def test_a_call_under_way_does_not_go_back_to_ringing() -> None:
    assert after("ringing", "in-progress", "ringing", "queued").state is CallState.IN_PROGRESS


def test_an_end_is_final() -> None:
    assert after("busy", "ringing", "in-progress", "no-answer").state is CallState.BUSY


def test_a_call_that_was_answered_is_completed_whatever_else_was_said() -> None:
    assert after("no-answer", "completed") == CallProgress(CallState.COMPLETED, answered=True)


def test_a_late_callback_still_tells_that_somebody_answered() -> None:
    assert after("ringing", "failed", "in-progress").answered


@pytest.mark.parametrize("report", ["", "COMPLETED", "hovering", "\x00"])
def test_what_the_carrier_never_says_changes_nothing(report: str) -> None:
    assert after("ringing", report) == after("ringing")


def test_states_are_those_of_the_api() -> None:
    assert {state.value for state in CallState} == {
        *("queued", "ringing", "in-progress", "completed", "busy", "no-answer", "failed", "canceled")
    }
    assert {state for state in CallState if not state.ended} == {
        *(CallState.QUEUED, CallState.RINGING, CallState.IN_PROGRESS)
    }


@given(st.data())
def test_callbacks_may_come_in_any_order_and_any_number_of_times(data: st.DataObject) -> None:
    reports, state = data.draw(st.sampled_from(LIVES))
    again = data.draw(st.lists(st.sampled_from(reports)))
    shuffled = data.draw(st.permutations(reports + again))
    assert after(*shuffled) == CallProgress(state, answered=state is CallState.COMPLETED)
