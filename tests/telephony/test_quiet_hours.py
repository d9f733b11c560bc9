from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.quiet_hours import QuietHours

NIGHT = QuietHours(time(21), time(8))
ROME, NEW_YORK, LOS_ANGELES, TOKYO = "Europe/Rome", "America/New_York", "America/Los_Angeles", "Asia/Tokyo"
ZONES = st.lists(st.sampled_from([ROME, NEW_YORK, LOS_ANGELES, TOKYO, "Asia/Kolkata", "Pacific/Auckland"]), max_size=3)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


def utc(hour: int, minute: int = 0, month: int = 1) -> datetime:
    return datetime(2026, month, 15, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(("hour", "quiet"), [(20, False), (21, True), (23, True), (0, True), (7, True), (8, False)])
def test_a_night_goes_over_midnight(hour: int, quiet: bool) -> None:
    assert NIGHT.quiet_at(time(hour)) is quiet


def test_a_window_within_a_day_is_one() -> None:
    siesta = QuietHours(time(13), time(15, 30))
    assert [siesta.quiet_at(time(*at)) for at in ((12, 59), (13, 0), (15, 29), (15, 30))] == [False, True, True, False]


def test_a_window_without_length_is_never_quiet() -> None:
    assert QuietHours(time(0), time(0)).may_call(utc(3), [ROME])


def test_it_is_the_hour_of_who_is_called_that_counts() -> None:
    assert NIGHT.may_call(utc(12), [ROME])
    assert not NIGHT.may_call(utc(12), [LOS_ANGELES])


def test_summer_time_moves_the_window() -> None:
    assert not NIGHT.may_call(utc(6, 30), [ROME])
    assert NIGHT.may_call(utc(6, 30, month=7), [ROME])


def test_every_zone_the_telephone_may_be_in_has_to_be_awake() -> None:
    assert not NIGHT.may_call(utc(14), [NEW_YORK, LOS_ANGELES])
    assert NIGHT.next_call(utc(14), [NEW_YORK, LOS_ANGELES]) == utc(16)


def test_where_somebody_is_always_asleep_there_is_no_next_call() -> None:
    assert NIGHT.next_call(utc(14), [NEW_YORK, TOKYO, "Asia/Kolkata"]) is None


def test_a_number_that_does_not_say_where_it_is_may_be_called() -> None:
    assert NIGHT.next_call(utc(3), []) == utc(3)


@given(MOMENTS, ZONES)
def test_the_next_call_is_the_first_one_that_may_be_placed(moment: datetime, zones: list[str]) -> None:
    found = NIGHT.next_call(moment, zones)
    if found is None:
        assert len(set(zones)) > 1
        return
    assert NIGHT.may_call(found, zones)
    assert moment <= found
    assert found == moment or not NIGHT.may_call(max(moment, found - timedelta(minutes=15)), zones)
