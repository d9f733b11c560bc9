"""Credits: what an account has, what is reserved for a job, the ledger of every change; and idempotent answers."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.database.tables.base import Base, UtcDateTime

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the column is an INTEGER."""


class CreditBalance(Base):
    """What an account has left. Always the sum of its ledger's entries, changed in the same transaction."""

    __tablename__ = "credit_balances"
    __table_args__ = (CheckConstraint("balance >= 0", name="ck_credit_balances_balance"),)

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    balance: Mapped[int] = mapped_column(BigInteger)


class CreditReservation(Base):
    """Credits taken for a job. `state` leaves `held` once, for `settled` or `refunded`; `charged` is what it cost."""

    __tablename__ = "credit_reservations"
    __table_args__ = (Index("ix_credit_reservations_account_id_created", "account_id", "created"),)

    job_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    item: Mapped[str] = mapped_column(String(40))
    amount: Mapped[int] = mapped_column(BigInteger)
    charged: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(10))
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class CreditEntry(Base):
    """A line of the ledger, never changed and never deleted. `change` is signed, `day` the day of `created` in UTC."""

    __tablename__ = "credit_entries"
    __table_args__ = (
        UniqueConstraint("job_id", "kind"),
        Index("ix_credit_entries_account_id_day", "account_id", "day"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(10))
    change: Mapped[int] = mapped_column(BigInteger)
    balance: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    day: Mapped[date] = mapped_column()


class IdempotentAnswer(Base):
    """The answer to a paid request that named an Idempotency-Key; `request` is a hash of what was asked."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (Index("ix_idempotent_answers_account_id_expires", "account_id", "expires"),)

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column()
    body: Mapped[str] = mapped_column(Text)
    expires: Mapped[datetime] = mapped_column(UtcDateTime)
