"""The credit ledger. Every function works in its caller's transaction and becomes true, or not, together with it.

    reserve → settle | refund

A reservation takes its credits at once and is closed once, by whichever of the two comes first; the other one, and any
repetition, changes nothing. The balance is guarded by conditional updates, so it can neither be lost nor go below zero
however many transactions debit it at once; each change writes a line, and lines are never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.database.engine import flushed
from server.database.tables.credits import CreditBalance, CreditEntry, CreditReservation

MAX_AMOUNT: Final = 10**12
"""Of one change, so that no sum can leave 64 bits."""
ENTRIES_PAGE: Final = 100
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class InsufficientCredits(Exception):
    """The account has fewer credits than are needed; nothing was taken."""

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(f"{needed} credits are needed and {available} are left")
        self.needed = needed
        self.available = available


@dataclass(frozen=True, slots=True)
class Usage:
    """An account's credits now, and what it used in a period: finished and running work, by item; nothing refunded."""

    balance: int
    held: int
    spent: int
    counts: dict[str, int]
    spent_by_item: dict[str, int]


@dataclass(frozen=True, slots=True)
class Day:
    """A day (UTC) of the ledger: `granted` came from grants, `spent` is what work took less what it gave back."""

    day: date
    granted: int
    spent: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger. `kind`: grant, withdraw, reserve, settle or refund; `change` is signed."""

    id: int
    kind: str
    change: int
    balance: int
    job_id: str | None
    reason: str
    created: datetime


def grant(session: Session, account_id: str, amount: int, reason: str) -> int:
    """Add credits (1 or more); returns the new balance. Raises SQLAlchemy's `IntegrityError` for an unknown account."""
    _check(amount, least=1)
    left = _change(session, account_id, amount)
    _write(session, account_id, "grant", amount, left, reason=reason)
    return left


def withdraw(session: Session, account_id: str, amount: int, reason: str) -> int:
    """Take credits (1 or more) away, not for a job; returns the new balance. Raises `InsufficientCredits`."""
    _check(amount, least=1)
    left = _take(session, account_id, amount)
    _write(session, account_id, "withdraw", -amount, left, reason=reason)
    return left


def reserve(session: Session, account_id: str, amount: int, *, job_id: str, item: str = "other") -> int:
    """Take credits for a job before it begins; returns the new balance.

    `item` is what the usage counts it as (image, voice, …). Where work is charged piece by piece, as calls are by the
    minute, each piece has a `job_id` of its own. Raises `InsufficientCredits`; a second reservation for a job fails
    with SQLAlchemy's `IntegrityError`.
    """
    _check(amount, least=0)
    left = _take(session, account_id, amount)
    now = datetime.now(UTC)
    reservation = {
        "job_id": job_id,
        "account_id": account_id,
        "item": item,
        "amount": amount,
        "charged": amount,
        "state": "held",
        "created": now,
    }
    flushed(session).execute(_RESERVATION, reservation)
    _write(session, account_id, "reserve", -amount, left, reason=item, job_id=job_id, now=now)
    return left


def settle(session: Session, job_id: str, amount: int | None = None) -> bool:
    """Close a reservation: the job costs `amount` (default: all that was reserved), the rest returns.

    Returns whether this call closed it. Raises `LookupError` for a job without a reservation and `ValueError` for more
    than was reserved.
    """
    reserved = _reserved(session, job_id)
    charged = reserved if amount is None else amount
    if not 0 <= charged <= reserved:
        raise ValueError(f"{charged} is not between 0 and the {reserved} credits that are reserved for {job_id}")
    return _close(session, job_id, "settle", charged)


def refund(session: Session, job_id: str) -> int:
    """Close a reservation and give everything back; returns how much this call gave back (0: it was closed before).

    Raises `LookupError` for a job without a reservation.
    """
    reserved = _reserved(session, job_id)
    return reserved if _close(session, job_id, "refund", 0) else 0


def balance(session: Session, account_id: str) -> int:
    """What the account has left, without what is reserved."""
    left = flushed(session).execute(_BALANCE, {"account": account_id}).scalar_one_or_none()
    return int(left) if left is not None else 0


def usage(session: Session, account_id: str, *, since: datetime, until: datetime | None = None) -> Usage:
    """The account's balance, and what it used of what was begun in [since, until)."""
    period = {"account": account_id, "since": since, "until": until or _NEVER}
    rows = flushed(session).execute(_USED, period).all()
    return Usage(
        balance=balance(session, account_id),
        held=sum(int(held) for _, _, _, held in rows),
        spent=sum(int(charged) for _, _, charged, _ in rows),
        counts={item: int(count) for item, count, _, _ in rows},
        spent_by_item={item: int(charged) for item, _, charged, _ in rows},
    )


def daily(session: Session, account_id: str, *, first: date, last: date) -> list[Day]:
    """The days from `first` to `last` on which anything changed, in order."""
    row = CreditEntry
    granted = func.sum(case((row.kind.in_(("grant", "withdraw")), row.change), else_=0))
    worked = func.sum(case((row.kind.in_(("grant", "withdraw")), 0), else_=-row.change))
    query = (
        select(row.day, granted, worked)
        .where(row.account_id == account_id, row.day.between(first, last))
        .group_by(row.day)
        .order_by(row.day)
    )
    return [Day(day, int(given), int(spent)) for day, given, spent in session.execute(query)]


def entries(session: Session, account_id: str, *, before: int | None = None, limit: int = ENTRIES_PAGE) -> list[Entry]:
    """Lines of the ledger, the newest first; `before` is the id of the last line of the page before."""
    query = select(CreditEntry).where(CreditEntry.account_id == account_id)
    if before is not None:
        query = query.where(CreditEntry.id < before)
    return [_entry(row) for row in session.scalars(query.order_by(CreditEntry.id.desc()).limit(limit))]


def audit(session: Session) -> list[str]:
    """What is wrong with the books, a sentence for each; empty when they are right."""
    wrong = []
    lines = select(CreditEntry.account_id, func.sum(CreditEntry.change)).group_by(CreditEntry.account_id)
    sums = {account: int(total) for account, total in session.execute(lines)}
    balances = {row.account_id: row.balance for row in session.scalars(select(CreditBalance))}
    for account in sorted(sums.keys() | balances.keys()):
        if balances.get(account, 0) != sums.get(account, 0):
            wrong.append(f"{account}: balance {balances.get(account)}, ledger {sums.get(account, 0)}")
    of_job: dict[str, dict[str, int]] = {}
    for job_id, kind, change in session.execute(
        select(CreditEntry.job_id, CreditEntry.kind, CreditEntry.change).where(CreditEntry.job_id.is_not(None))
    ):
        of_job.setdefault(str(job_id), {})[kind] = change
    expected = {"held": {"reserve"}, "settled": {"reserve", "settle"}, "refunded": {"reserve", "refund"}}
    for row in session.scalars(select(CreditReservation)):
        found = of_job.pop(row.job_id, {})
        if found.keys() != expected[row.state]:
            wrong.append(f"{row.job_id}: {row.state}, ledger has {', '.join(sorted(found)) or 'nothing'}")
        elif -sum(found.values()) != row.charged:
            wrong.append(f"{row.job_id}: charged {row.charged}, ledger {-sum(found.values())}")
    wrong += [f"{job_id}: lines without a reservation" for job_id in of_job]
    return wrong


def _check(amount: int, *, least: int) -> None:
    if not least <= amount <= MAX_AMOUNT:
        raise ValueError(f"{amount} is not a number of credits from {least} to {MAX_AMOUNT}")


def _reserved(session: Session, job_id: str) -> int:
    amount = session.scalar(select(CreditReservation.amount).where(CreditReservation.job_id == job_id))
    if amount is None:
        raise LookupError(f"nothing is reserved for {job_id}")
    return amount


def _close(session: Session, job_id: str, kind: str, charged: int) -> bool:
    """The step that decides: of all transactions that close a reservation, the update of one finds it held."""
    session.flush()
    closed = session.execute(
        update(CreditReservation)
        .where(CreditReservation.job_id == job_id, CreditReservation.state == "held")
        .values(state="settled" if kind == "settle" else "refunded", charged=charged)
        .returning(CreditReservation.account_id, CreditReservation.amount, CreditReservation.item)
    ).one_or_none()
    if closed is None:
        return False
    account_id, reserved, item = closed
    left = _change(session, account_id, reserved - charged)
    _write(session, account_id, kind, reserved - charged, left, reason=item, job_id=job_id)
    return True


def _take(session: Session, account_id: str, amount: int) -> int:
    left = flushed(session).execute(_DEBIT, {"account": account_id, "amount": amount}).scalar_one_or_none()
    if left is not None:
        return int(left)
    available = balance(session, account_id)
    if amount == 0:  # an account that was never granted anything has no row
        return available
    raise InsufficientCredits(amount, available)


def _change(session: Session, account_id: str, amount: int) -> int:
    """Add to the balance, making its row where there is none."""
    connection = flushed(session)
    upsert = _CREDIT[connection.dialect.name]
    return int(connection.execute(upsert, {"account_id": account_id, "balance": amount}).scalar_one())


def _write(
    session: Session,
    account_id: str,
    kind: str,
    change: int,
    left: int,
    *,
    reason: str,
    job_id: str | None = None,
    now: datetime | None = None,
) -> None:
    now = now or datetime.now(UTC)
    line = {
        "account_id": account_id,
        "job_id": job_id,
        "kind": kind,
        "change": change,
        "balance": left,
        "reason": reason,
        "created": now,
        "day": now.date(),
    }
    flushed(session).execute(_LINE, line)


def _upsert(make: Any) -> Any:
    made = make(_BALANCES)
    return made.on_conflict_do_update(
        index_elements=[_BALANCES.c.account_id], set_={"balance": _BALANCES.c.balance + made.excluded.balance}
    ).returning(_BALANCES.c.balance)


_BALANCES: Final = cast(Table, CreditBalance.__table__)
_LINE: Final = insert(cast(Table, CreditEntry.__table__))
_RESERVATIONS: Final = cast(Table, CreditReservation.__table__)
_RESERVATION: Final = insert(_RESERVATIONS)
_DEBIT: Final = (
    update(_BALANCES)
    .where(_BALANCES.c.account_id == bindparam("account"), _BALANCES.c.balance >= bindparam("amount"))
    .values(balance=_BALANCES.c.balance - bindparam("amount"))
    .returning(_BALANCES.c.balance)
)
_BALANCE: Final = select(_BALANCES.c.balance).where(_BALANCES.c.account_id == bindparam("account"))
_HELD = _RESERVATIONS.c.state == "held"
_USED: Final = (
    select(
        _RESERVATIONS.c.item,
        func.count(),
        func.sum(_RESERVATIONS.c.charged),
        func.sum(case((_HELD, _RESERVATIONS.c.amount), else_=0)),
    )
    .where(
        _RESERVATIONS.c.account_id == bindparam("account"),
        _RESERVATIONS.c.created >= bindparam("since"),
        _RESERVATIONS.c.created < bindparam("until"),
        _RESERVATIONS.c.state != "refunded",
    )
    .group_by(_RESERVATIONS.c.item)
)
_CREDIT: Final = {"postgresql": _upsert(postgresql.insert), "sqlite": _upsert(sqlite.insert)}


def _entry(row: CreditEntry) -> Entry:
    return Entry(row.id, row.kind, row.change, row.balance, row.job_id, row.reason, row.created)
