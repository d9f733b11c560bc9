"""When campaigns call and how often they try."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.campaigns.rules import DAYS, Hours, Retry, Rules, Window, WindowShut
from telephony.quiet_hours import QuietHours

QUIET = QuietHours(time(21), time(8))
NEVER_QUIET = QuietHours(time(0), time(0))
NEW_YORK, HONOLULU, ROME, GUAM = "America/New_York", "Pacific/Honolulu", "Europe/Rome", "Pacific/Guam"
ZONES = (NEW_YORK, HONOLULU, ROME, GUAM, "Asia/Kathmandu", "Australia/Lord_Howe")


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def test_a_window_is_open_from_its_beginning_to_before_its_end() -> None:
    hours = Hours(Window(time(9, 10), time(18)), QUIET)
    for local, may in (("09:09", False), ("09:10", True), ("17:59", True), ("18:00", False), ("03:00", False)):
        assert hours.may_call(at(f"2026-05-04 {local}", ROME), [ROME]) is may, local


def test_the_next_call_is_when_the_window_opens_where_the_callee_is() -> None:
    hours = Hours(Window(time(9, 10), time(18)), QUIET)
    assert hours.next_call(at("2026-05-04 12:00", ROME), [ROME]) == at("2026-05-04 12:00", ROME)
    assert hours.next_call(at("2026-05-04 03:00", ROME), [ROME]) == at("2026-05-04 09:10", ROME)
    assert hours.next_call(at("2026-05-04 18:00", ROME), [ROME]) == at("2026-05-05 09:10", ROME)


def test_days_are_the_callees_days() -> None:
    hours = Hours(Window(days=frozenset({"mon"})), QUIET)
    tuesday = at("2026-05-05 12:00", ROME)
    assert not hours.may_call(tuesday, [ROME])
    assert hours.next_call(tuesday, [ROME]) == at("2026-05-11 09:00", ROME)
    assert hours.next_call(at("2026-05-03 23:30"), [GUAM]) == at("2026-05-03 23:30")  # Monday, 09:30 there


def test_quiet_hours_cut_the_window() -> None:
    hours = Hours(Window(time(6), time(22)), QUIET)
    assert hours.next_call(at("2026-05-04 06:30", ROME), [ROME]) == at("2026-05-04 08:00", ROME)
    assert hours.next_call(at("2026-05-04 21:00", ROME), [ROME]) == at("2026-05-05 08:00", ROME)


def test_several_zones_are_called_when_the_window_is_open_in_all() -> None:
    hours = Hours(Window(), QUIET)
    both = [NEW_YORK, HONOLULU]
    assert hours.next_call(at("2026-05-04 10:00", NEW_YORK), both) == at("2026-05-04 09:00", HONOLULU)
    assert hours.next_call(at("2026-05-04 12:00"), [HONOLULU, ROME]) is None


def test_a_clock_that_is_changed_keeps_the_local_hour() -> None:
    hours = Hours(Window(), QUIET)
    before = at("2026-03-28 20:00", ROME)  # clocks go forward in the night
    assert hours.next_call(before, [ROME]) == at("2026-03-29 09:00", ROME)
    assert at("2026-03-29 09:00", ROME).astimezone(UTC).hour == 7


@pytest.mark.parametrize(
    ("begin", "end", "text"),
    [
        (time(22), time(23), "lies within the hours"),
        (time(18), time(9), "until must be later"),
        (time(9), time(9), "until must be later"),
    ],
)
def test_a_window_that_is_never_open_is_refused(begin: time, end: time, text: str) -> None:
    with pytest.raises(WindowShut, match=text):
        Hours(Window(begin, end), QUIET)


def test_a_window_without_days_is_refused() -> None:
    with pytest.raises(WindowShut, match="at least one day"):
        Window(days=frozenset())


minutes = st.builds(time, st.integers(0, 23), st.sampled_from([0, 5, 15, 30, 59]))


@given(
    begin=minutes,
    end=minutes,
    days=st.frozensets(st.sampled_from(DAYS), min_size=1),
    quiet=st.sampled_from([QUIET, NEVER_QUIET]),
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
    zone=st.sampled_from(ZONES),
)
def test_the_next_call_is_the_first_moment_that_is_allowed(
    begin: time, end: time, days: frozenset[str], quiet: QuietHours, moment: datetime, zone: str
) -> None:
    try:
        hours = Hours(Window(begin, end, days), quiet)
    except WindowShut:
        return
    moment = moment.replace(tzinfo=UTC)
    found = hours.next_call(moment, [zone])
    assert found is not None
    assert hours.may_call(found, [zone])
    assert found >= moment
    between = (found - moment) / 20
    earlier = [moment + number * between for number in range(20)]
    assert found == moment or not any(hours.may_call(each, [zone]) for each in earlier)


def test_an_outcome_is_tried_again_as_often_as_its_rule_says() -> None:
    rules = Rules(retries={"busy": Retry(2, 10), "machine": Retry(1, 60)})
    assert rules.again_after("busy", 1) == timedelta(minutes=10)
    assert rules.again_after("busy", 2) == timedelta(minutes=10)
    assert rules.again_after("busy", 3) is None
    assert rules.again_after("machine", 2) is None
    for outcome in ("answered", "no-answer", "failed", "canceled", "unknown"):
        assert rules.again_after(outcome, 1) is None


def test_rules_survive_the_database() -> None:
    rules = Rules(Window(time(9, 30), time(20), frozenset({"sat", "mon"})), 7, {"noAnswer": Retry(3, 45)})
    assert Rules.from_json(rules.as_json()) == rules
    assert rules.as_json()["window"] == {"from": "09:30", "until": "20:00", "days": ["mon", "sat"]}
