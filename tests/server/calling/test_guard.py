"""Whom agents may call: each guard rail, and that caps hold however many orders come at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time

import pytest

from server.calling import do_not_call
from server.calling.guard import CallNotAllowed
from server.credits import InsufficientCredits, withdraw
from server.database import Database
from server.settings import Settings
from server.settings.phone import TwilioSettings
from telephony.progress import CallState
from tests.server.calling.world import CALLEE, CREDITS, OURS, Calls, settings_of, sid

AMERICAN = "+12125550143"


def callee(number: int) -> str:
    return f"+4474001235{number:02d}"


async def refusal(calls: Calls, number: str = CALLEE) -> tuple[str, str | None]:
    before = (calls.balance(), len(calls.rows()))
    with pytest.raises(CallNotAllowed) as caught:
        await calls.order(number)
    assert (calls.balance(), len(calls.rows())) == before
    if caught.value.field:
        assert caught.value.message.startswith(caught.value.field)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("07400123456", "NOT_E164"),
        ("+44740012345a", "NOT_E164"),
        ("+4474001234567", "NO_SUCH_NUMBER"),
        ("+870773111632", "SATELLITE"),
        ("+449012345678", "COSTLY"),
        ("+4915112345678", "COUNTRY"),
        (OURS, "OWN_NUMBER"),
    ],
)
async def test_a_number_that_is_not_called_is_refused_with_its_own_code(calls: Calls, number: str, code: str) -> None:
    assert await refusal(calls, number) == (code, "phoneNumber")


async def test_a_number_that_reaches_an_agent_is_not_called(calls: Calls) -> None:
    calls.database.run_here(calls.numbers.put, calls.account, CALLEE, "demo", None)
    assert await refusal(calls) == ("OWN_NUMBER", "phoneNumber")


async def test_a_server_that_cannot_dial_says_which_settings_are_missing(
    database: Database, settings: Settings
) -> None:
    calls = Calls(database, settings_of(settings, twilio=TwilioSettings()))
    with pytest.raises(CallNotAllowed, match=r"telephony\.twilio\.account_sid.*telephony\.number") as caught:
        await calls.order(agent_id="agent_unknown")
    assert (caught.value.code, caught.value.field) == ("NOT_CONFIGURED", None)


async def test_who_is_on_the_list_is_not_called(calls: Calls) -> None:
    calls.database.run_here(do_not_call.add, calls.account, CALLEE, "owner")
    assert await refusal(calls) == ("DO_NOT_CALL", "phoneNumber")


@pytest.mark.parametrize(
    ("number", "hour", "awake"),
    [
        (CALLEE, 8, True),  # 9:00 in London
        (CALLEE, 6, False),
        (CALLEE, 20, False),
        (AMERICAN, 20, True),  # 16:00 in New York
        (AMERICAN, 10, False),
    ],
)
async def test_nobody_is_called_at_night_by_the_clock_where_they_are(
    database: Database, settings: Settings, number: str, hour: int, awake: bool
) -> None:
    calls = Calls(database, settings_of(settings, quiet_from=time(21), quiet_until=time(8)))
    calls.clock.now = datetime(2026, 5, 1, hour, 30, tzinfo=UTC)
    if awake:
        assert await calls.order(number)
    else:
        assert await refusal(calls, number) == ("QUIET_HOURS", "phoneNumber")
        later = calls.guard.next_call(number)
        assert later is not None
        calls.clock.now = later
        assert await calls.order(number)


async def test_a_number_that_may_be_anywhere_is_called_when_it_is_day_where_ours_is(
    database: Database, settings: Settings
) -> None:
    toll_free = "+18002255288"
    calls = Calls(database, settings_of(settings, quiet_from=time(21), quiet_until=time(8)))  # ours is in California
    calls.clock.now = datetime(2026, 5, 1, 14, 30, tzinfo=UTC)
    assert await refusal(calls, toll_free) == ("QUIET_HOURS", "phoneNumber")
    calls.clock.now = datetime(2026, 5, 1, 15, 30, tzinfo=UTC)
    assert await calls.order(toll_free)


async def test_a_number_is_called_by_one_call_at_a_time_and_so_often_a_day(
    database: Database, settings: Settings
) -> None:
    calls = Calls(database, settings_of(settings, per_destination_day=2, per_account=10))
    first = await calls.order()
    assert await refusal(calls) == ("BEING_CALLED", "phoneNumber")
    await calls.books.report(first, "no-answer", sid=sid(1))
    second = await calls.order()
    await calls.books.report(second, "no-answer", sid=sid(2))
    assert await refusal(calls) == ("DESTINATION_DAY", "phoneNumber")
    for _ in range(2):  # what was never placed does not count
        call_id = await calls.order(AMERICAN)
        await calls.books.fail(call_id, "Twilio could not be reached")
    await calls.books.report(await calls.order(AMERICAN), "busy", sid=sid(3))
    assert await calls.order(AMERICAN)
    calls.clock.advance(24 * 3600 + 1)
    assert await calls.order()


async def test_an_account_has_so_many_calls_at_once(calls: Calls) -> None:
    first = await calls.order(callee(1))
    await calls.order(callee(2))
    await calls.incoming(7)  # those that come in do not count
    assert await refusal(calls, callee(3)) == ("CONCURRENCY", None)
    await calls.books.report(first, "busy", sid=sid(1))
    assert await calls.order(callee(3))


async def test_an_accounts_calls_cost_so_much_a_day(database: Database, settings: Settings) -> None:
    calls = Calls(database, settings_of(settings, spend_day=35, per_account=10))
    first = await calls.order(callee(1))
    await calls.books.report(first, "completed", sid=sid(1), seconds=61)
    second = await calls.order(callee(2))
    assert await refusal(calls, callee(3)) == ("SPEND_DAY", None)
    await calls.books.report(second, "busy", sid=sid(2))  # what is given back is not spent
    assert await calls.order(callee(3))


async def test_without_credits_nobody_is_called(calls: Calls) -> None:
    calls.database.run_here(withdraw, calls.account, CREDITS - 9, "elsewhere")
    with pytest.raises(InsufficientCredits):
        await calls.order()
    assert (calls.rows(), calls.balance()) == ([], 9)


async def test_the_cap_on_calls_at_once_holds_under_fifty_orders_at_once(
    database: Database, settings: Settings
) -> None:
    calls = Calls(database, settings_of(settings, per_account=7))
    outcomes = await asyncio.gather(*(calls.order(callee(number)) for number in range(50)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, CallNotAllowed)]
    assert len(refused) == 43
    assert {error.code for error in refused} == {"CONCURRENCY"}
    assert [row.state for row in calls.rows()] == [CallState.QUEUED.value] * 7
    assert (calls.balance(), calls.wrong()) == (CREDITS - 70, [])


async def test_of_accounts_that_call_one_number_at_once_one_does(database: Database, settings: Settings) -> None:
    calls = Calls(database, settings_of(settings))
    accounts = [calls.other_account() for _ in range(8)]
    agents = [calls.agent(account, f"agent_of_{account}") for account in accounts]
    orders = (calls.order(account=account, agent_id=agent) for account, agent in zip(accounts, agents, strict=True))
    outcomes = await asyncio.gather(*orders, return_exceptions=True)
    assert sorted(getattr(outcome, "code", "") for outcome in outcomes) == ["", *["BEING_CALLED"] * 7]
    assert len(calls.rows()) == 1
