"""Stored files: whose they are, how large, and until when they are kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from server.database.tables.base import Base, UtcDateTime


class StoredFile(Base):
    """A file in storage. Its row is there before it and goes after it, so none is ever forgotten.

    `size` counts against the account's quota from the moment the row is there. `ready`: the file is whole.
    `etag`: SHA-256 of the content. `expires`: deleted after this; None: kept until somebody deletes it.
    """

    __tablename__ = "files"

    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(100))
    etag: Mapped[str] = mapped_column(String(64))
    ready: Mapped[bool] = mapped_column()
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
