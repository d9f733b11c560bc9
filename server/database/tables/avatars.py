"""Faces that people made of their pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from server.database.tables.base import Base, UtcDateTime


class Avatar(Base):
    """A face. Its pack lies in the data folder; there is a row only where the pack is whole.

    It belongs to an account or to a visitor of the page. `source_hash`: SHA-256 of what was uploaded; `digest`: of the
    pack. `preview_key`: the film in which it speaks, in the avatar's folder. `voice`: the one it speaks in, None for
    the server's. `expires`: None where it is kept.
    """

    __tablename__ = "avatars"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    visitor: Mapped[str | None] = mapped_column(String(40), index=True)
    name: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(16))
    warnings: Mapped[list[Any]] = mapped_column(JSON)
    source_hash: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    preview_key: Mapped[str | None] = mapped_column(String(200))
    voice: Mapped[str | None] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
