"""Jobs, the processes that run them, and what is told about them to webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.database.tables.base import Base, UtcDateTime


class Job(Base):
    """One thing to make, from its order to what came of it.

    `unit` names the durable unit that may run it next; `attempt` counts claims and fences: whoever writes with an older
    one has lost the job. `strikes` counts the claims that did not end in order. `expires` is when the row and its files
    go.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_account_id_created", "account_id", "created"),
        Index("ix_jobs_account_id_status", "account_id", "status"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    family: Mapped[str] = mapped_column(String(4))
    kind: Mapped[str] = mapped_column(String(40))
    queue: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(12), index=True)
    phase: Mapped[str] = mapped_column(String(40))
    progress: Mapped[float] = mapped_column()
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    checkpoints: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(String(500))
    error_code: Mapped[str | None] = mapped_column(String(40))
    price: Mapped[int] = mapped_column()
    webhook_url: Mapped[str | None] = mapped_column(String(2048))
    unit: Mapped[str] = mapped_column(String(100))
    attempt: Mapped[int] = mapped_column()
    strikes: Mapped[int] = mapped_column()
    worker: Mapped[str | None] = mapped_column(String(120), index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    started: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated: Mapped[datetime] = mapped_column(UtcDateTime)
    finished: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class Worker(Base):
    """A process that runs jobs. `beats` grows while it lives: whoever watches needs no common clock."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(120), primary_key=True)
    process: Mapped[int] = mapped_column()
    queues: Mapped[str] = mapped_column(String(100))
    beats: Mapped[int] = mapped_column()
    started: Mapped[datetime] = mapped_column(UtcDateTime)


class WebhookEndpoint(Base):
    """A URL that wants to hear of an account's F1 videos. (The URL of the account itself stands with the account.)"""

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    events: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(String(100))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebhookDelivery(Base):
    """One message to one URL, with every attempt to bring it there. Its id is the message's, whatever the attempt.

    `target` is the id of an endpoint, `account` for the account's URL, `request` for one that came with the request;
    each hears of an event once. `unit` names the durable unit that makes the next attempt. `log` has an entry for each
    attempt: when, the status or what went wrong, and how long it took.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("job_id", "event", "target"),
        Index("ix_webhook_deliveries_account_id_created", "account_id", "created"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    target: Mapped[str] = mapped_column(String(40))
    event: Mapped[str] = mapped_column(String(40))
    url: Mapped[str] = mapped_column(String(2048))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(12), index=True)
    unit: Mapped[str] = mapped_column(String(100))
    round: Mapped[int] = mapped_column()
    attempts: Mapped[int] = mapped_column()
    last_status: Mapped[int | None] = mapped_column()
    log: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    next_attempt: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
