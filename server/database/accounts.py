"""Accounts: found, listed, moved to another plan. They are made in `server.database.keys`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.database.tables import Account, ApiKey, CreditBalance
from server.settings.platform import PLANS


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """An account, with what its credits are and how many keys of it are valid."""

    id: str
    name: str
    plan: str
    created: datetime
    credits: int
    keys: int


def list_accounts(session: Session) -> list[AccountInfo]:
    """All accounts, the oldest first."""
    keys = (
        select(ApiKey.account_id, func.count().label("valid"))
        .where(ApiKey.revoked.is_(None))
        .group_by(ApiKey.account_id)
        .subquery()
    )
    rows = session.execute(
        select(Account, func.coalesce(CreditBalance.balance, 0), func.coalesce(keys.c.valid, 0))
        .outerjoin(CreditBalance, CreditBalance.account_id == Account.id)
        .outerjoin(keys, keys.c.account_id == Account.id)
        .order_by(Account.created, Account.id)
    )
    return [
        AccountInfo(account.id, account.name, account.plan, account.created, int(credits_left), int(valid))
        for account, credits_left, valid in rows
    ]


def find_account(session: Session, which: str) -> str:
    """The id of the account with this id or name. Raises `LookupError` where there is none or there are several."""
    found = list(session.scalars(select(Account.id).where((Account.id == which) | (Account.name == which))))
    if len(found) != 1:
        raise LookupError(f"{which} is the id or name of {len(found) or 'no'} accounts")
    return found[0]


def set_plan(session: Session, account_id: str, plan: str) -> None:
    """Move an account to another plan. Raises `ValueError` for a plan that is not there."""
    if plan not in PLANS:
        raise ValueError(f"there is no plan {plan!r}; there are: {', '.join(PLANS)}")
    session.get_one(Account, account_id).plan = plan
