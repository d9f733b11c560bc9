"""Telephone calls: what only they have, the numbers that reach agents, and who is not called again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.database.tables.base import Base, UtcDateTime


class PhoneCall(Base):
    """A telephone call; its conversation, where there is one, is the row of `calls` with the same id.

    `direction`: outbound or inbound. `sid`: the carrier's id, None until it is known. `own_number`: ours (E.164).
    `state`: a value of `telephony.progress.CallState`. `asked`: when the carrier was asked to place it, which it is
    once at most. `answered`, `seconds` (billed): None where nobody did, or not yet. `minute_price`, `cost`: credits;
    `minutes`: started ones that are reserved or paid; `next_minute`: when another begins, None where none will;
    `billed`: its minutes are paid. `answered_by`: human, machine or unknown. `outcome`: what came of it, in a few
    words; `error`: why it failed, for its owner. `recording`: a storage key.
    """

    __tablename__ = "phone_calls"
    __table_args__ = (
        Index("ix_phone_calls_account_id_created", "account_id", "created"),
        Index("ix_phone_calls_peer_created", "peer", "created"),
    )

    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    direction: Mapped[str] = mapped_column(String(8))
    carrier: Mapped[str] = mapped_column(String(10))
    sid: Mapped[str | None] = mapped_column(String(100), unique=True)
    own_number: Mapped[str] = mapped_column(String(40))
    peer: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(12), index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    updated: Mapped[datetime] = mapped_column(UtcDateTime)
    asked: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seconds: Mapped[int | None] = mapped_column()
    minute_price: Mapped[int] = mapped_column()
    minutes: Mapped[int] = mapped_column()
    next_minute: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    billed: Mapped[bool] = mapped_column()
    cost: Mapped[int] = mapped_column()
    answered_by: Mapped[str | None] = mapped_column(String(10))
    outcome: Mapped[str | None] = mapped_column(String(40))
    error: Mapped[str | None] = mapped_column(String(500))
    recording: Mapped[str | None] = mapped_column(String(300))
    variables: Mapped[dict[str, Any]] = mapped_column(JSON)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("campaign_contacts.id", ondelete="SET NULL"), index=True)


class PhoneNumber(Base):
    """A number of ours (E.164) and the agent that answers it."""

    __tablename__ = "phone_numbers"

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    agent_id: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class DoNotCall(Base):
    """A number (E.164) that an account does not call, and how that came about: callee or owner."""

    __tablename__ = "do_not_call"
    __table_args__ = (UniqueConstraint("account_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    number: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(10))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
