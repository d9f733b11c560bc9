"""The ledger on real databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.credits import (
    Day,
    InsufficientCredits,
    audit,
    balance,
    daily,
    entries,
    grant,
    refund,
    reserve,
    settle,
    usage,
    withdraw,
)
from server.database import Database, create_account
from server.database.tables import CreditEntry

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_a_job_takes_its_credits_at_once_and_settling_returns_the_rest(database: Database, account: str) -> None:
    assert database.run_here(grant, account, 1000, "welcome") == 1000
    assert database.run_here(reserve, account, 300, job_id="j1", item="video") == 700
    assert database.run_here(settle, "j1", 120) is True
    assert database.run_here(balance, account) == 880
    lines = database.run_here(entries, account)
    assert [(line.kind, line.change, line.balance, line.job_id) for line in lines] == [
        ("settle", 180, 880, "j1"),
        ("reserve", -300, 700, "j1"),
        ("grant", 1000, 1000, None),
    ]
    assert database.run_here(audit) == []


def test_whichever_closes_a_reservation_first_closes_it(database: Database, account: str) -> None:
    database.run_here(grant, account, 100, "welcome")
    database.run_here(reserve, account, 40, job_id="refunded")
    database.run_here(reserve, account, 40, job_id="settled")
    assert database.run_here(refund, "refunded") == 40
    assert database.run_here(refund, "refunded") == 0
    assert database.run_here(settle, "refunded") is False
    assert database.run_here(settle, "settled") is True
    assert database.run_here(settle, "settled") is False
    assert database.run_here(refund, "settled") == 0
    assert database.run_here(balance, account) == 60
    assert database.run_here(audit) == []


def test_too_little_says_how_much_and_takes_nothing(database: Database, account: str) -> None:
    database.run_here(grant, account, 10, "welcome")
    for take in (lambda session: reserve(session, account, 11, job_id="j"), lambda s: withdraw(s, account, 11, "x")):
        with pytest.raises(InsufficientCredits, match="11 credits are needed and 10 are left") as raised:
            database.run_here(take)
        assert (raised.value.needed, raised.value.available) == (11, 10)
    with pytest.raises(InsufficientCredits):
        database.run_here(reserve, "acct_nobody", 1, job_id="j")
    assert len(database.run_here(entries, account)) == 1


def test_what_costs_nothing_needs_no_credits(database: Database, account: str) -> None:
    assert database.run_here(reserve, account, 0, job_id="free") == 0
    assert database.run_here(settle, "free") is True
    assert database.run_here(audit) == []


def test_a_job_is_paid_for_once(database: Database, account: str) -> None:
    database.run_here(grant, account, 100, "welcome")
    database.run_here(reserve, account, 40, job_id="j")
    with pytest.raises(IntegrityError):
        database.run_here(reserve, account, 40, job_id="j")
    assert database.run_here(balance, account) == 60


def test_what_the_caller_undoes_never_was(database: Database, account: str) -> None:
    database.run_here(grant, account, 100, "welcome")

    def fail(session: Session) -> None:
        reserve(session, account, 40, job_id="j")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.run_here(fail)
    assert database.run_here(balance, account) == 100
    with pytest.raises(LookupError, match="nothing is reserved for j"):
        database.run_here(refund, "j")


@pytest.mark.parametrize("amount", [-1, 10**12 + 1])
def test_amounts_are_numbers_of_credits(database: Database, account: str, amount: int) -> None:
    database.run_here(grant, account, 5, "welcome")
    database.run_here(reserve, account, 5, job_id="j")
    with pytest.raises(ValueError, match="not a number of credits"):
        database.run_here(grant, account, amount, "x")
    with pytest.raises(ValueError, match="not a number of credits"):
        database.run_here(reserve, account, amount, job_id="k")
    with pytest.raises(ValueError, match="between 0 and the 5 credits"):
        database.run_here(settle, "j", amount)


async def test_two_hundred_debits_at_once_never_go_below_zero(database: Database, account: str) -> None:
    await database.run(grant, account, 1000, "welcome")

    async def debit(number: int) -> bool:
        try:
            await database.run(reserve, account, 7, job_id=f"j{number}")
        except InsufficientCredits:
            return False
        return True

    took = await asyncio.gather(*(debit(number) for number in range(200)))
    assert sum(took) == 1000 // 7
    assert await database.run(balance, account) == 1000 % 7
    assert await database.run(audit) == []


async def test_settling_and_refunding_at_once_close_a_job_once(database: Database, account: str) -> None:
    await database.run(grant, account, 1000, "welcome")
    await database.run(reserve, account, 1000, job_id="j")
    attempts = [database.run(refund, "j") if number % 2 else database.run(settle, "j", 400) for number in range(40)]
    closed = [result for result in await asyncio.gather(*attempts) if result]
    assert len(closed) == 1
    assert await database.run(balance, account) == (600 if closed[0] is True else 1000)
    assert await database.run(lambda session: session.scalar(select(func.count()).select_from(CreditEntry))) == 3
    assert await database.run(audit) == []


def test_usage_counts_what_was_not_refunded(database: Database, account: str) -> None:
    other = database.run_here(create_account, "two", plan="free", credits=50)
    database.run_here(grant, account, 1000, "welcome")
    for job, item, amount in (("a", "image", 10), ("b", "image", 10), ("c", "voice", 80), ("d", "video", 250)):
        database.run_here(reserve, account, amount, job_id=job, item=item)
    database.run_here(settle, "a", 4)
    database.run_here(refund, "d")
    database.run_here(reserve, other, 5, job_id="e", item="clip")
    used = database.run_here(usage, account, since=LONG_AGO)
    assert used.counts == {"image": 2, "voice": 1}
    assert used.spent_by_item == {"image": 14, "voice": 80}
    assert (used.balance, used.held, used.spent) == (906, 90, 94)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert database.run_here(usage, account, since=soon).counts == {}
    assert database.run_here(usage, account, since=LONG_AGO, until=LONG_AGO).counts == {}


def test_days_add_up_grants_and_work(database: Database, account: str) -> None:
    database.run_here(grant, account, 1000, "welcome")
    database.run_here(withdraw, account, 100, "mistake")
    database.run_here(reserve, account, 300, job_id="a")
    database.run_here(settle, "a", 120)
    today = datetime.now(UTC).date()
    [day] = database.run_here(daily, account, first=today - timedelta(days=1), last=today)
    assert day == Day(day.day, 900, 120)
    assert database.run_here(daily, account, first=today + timedelta(days=2), last=today + timedelta(days=9)) == []


def test_the_ledger_is_read_a_page_at_a_time(database: Database, account: str) -> None:
    for number in range(5):
        database.run_here(grant, account, number + 1, "step")
    first = database.run_here(entries, account, limit=3)
    second = database.run_here(entries, account, limit=3, before=first[-1].id)
    assert [line.change for line in first + second] == [5, 4, 3, 2, 1]


def test_the_audit_sees_a_balance_that_was_tampered_with(database: Database, account: str) -> None:
    database.run_here(grant, account, 10, "welcome")

    def tamper(session: Session) -> None:
        session.add(
            CreditEntry(
                account_id=account,
                job_id="ghost",
                kind="reserve",
                change=-3,
                balance=7,
                reason="",
                created=LONG_AGO,
                day=LONG_AGO.date(),
            )
        )

    database.run_here(tamper)
    assert database.run_here(audit) == [f"{account}: balance 10, ledger 7", "ghost: lines without a reservation"]
