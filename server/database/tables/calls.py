"""Conversations and what was said in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.database.tables.base import Base, UtcDateTime


class Call(Base):
    """One conversation, from the first connection to its end."""

    __tablename__ = "calls"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    agent: Mapped[str] = mapped_column(String(100), index=True)
    channel: Mapped[str] = mapped_column(String(20))
    peer: Mapped[str] = mapped_column(String(200))
    started: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(100))


class Turn(Base):
    """One exchange: what the caller said, what was answered, what of it was heard, and how long each stage took.

    `words`: `{"caller": [[word, begin, end], …], "agent": […]}`, seconds from the beginning of the conversation; the
    agent's are those that were heard. None where they are not kept.
    """

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("call_id", "sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    call_id: Mapped[str] = mapped_column(ForeignKey("calls.id", ondelete="CASCADE"))
    sequence: Mapped[int] = mapped_column()
    began: Mapped[datetime] = mapped_column(UtcDateTime)
    transcript: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    heard: Mapped[str] = mapped_column(Text)
    stages_ms: Mapped[dict[str, Any]] = mapped_column(JSON)
    model: Mapped[str] = mapped_column(String(200))
    prompt_tokens: Mapped[int | None] = mapped_column()
    completion_tokens: Mapped[int | None] = mapped_column()
    interrupted: Mapped[bool] = mapped_column()
    error: Mapped[str | None] = mapped_column(Text)
    words: Mapped[dict[str, Any] | None] = mapped_column(JSON)
