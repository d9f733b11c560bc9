"""Rows of stored files: what counts against an account's quota, and what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from server.database.tables import Account, StoredFile
from server.storage.errors import KeyInvalid, QuotaExceeded

ABANDONED: Final = timedelta(hours=24)
"""A file that was not whole by then never will be."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A stored file. `size` in bytes; `etag` is the content's SHA-256."""

    key: str
    account_id: str
    size: int
    media_type: str
    etag: str
    created: datetime
    expires: datetime | None


def reserve(session: Session, info: FileInfo, quota: int) -> None:
    """Make room for a file and note it as not ready yet. Raises `QuotaExceeded`, `KeyInvalid`.

    A file of the same key is replaced: its bytes no longer count.
    """
    # two at once must not both find the last room free (SQLite's transactions are one after the other anyway)
    if session.scalar(select(Account.id).where(Account.id == info.account_id).with_for_update(key_share=True)) is None:
        raise KeyInvalid("There is no such account")
    row = session.get(StoredFile, info.key, with_for_update=True)
    if row is not None and row.account_id != info.account_id:
        raise KeyInvalid("The key is taken")
    others = used(session, info.account_id) - (row.size if row is not None else 0)
    if others + info.size > quota:
        raise QuotaExceeded(info.size, quota - others)
    if row is None:
        row = StoredFile(key=info.key, account_id=info.account_id)
        session.add(row)
    row.size, row.media_type, row.etag = info.size, info.media_type, info.etag
    row.ready, row.created, row.expires = False, info.created, info.expires


def settle(session: Session, key: str, etag: str) -> None:
    """The file is whole."""
    row = session.get(StoredFile, key)
    if row is not None and row.etag == etag:  # else it was deleted or written anew meanwhile
        row.ready = True


def used(session: Session, account_id: str) -> int:
    """Bytes that count against an account's quota."""
    total = session.scalar(select(func.sum(StoredFile.size)).where(StoredFile.account_id == account_id))
    return int(total or 0)


def find(session: Session, key: str, account_id: str | None = None, *, ready: bool = True) -> FileInfo | None:
    """The file of a key; with `account_id` only if it is that account's, and by default only if it is whole."""
    row = session.get(StoredFile, key)
    if row is None or (ready and not row.ready) or account_id not in (None, row.account_id):
        return None
    return FileInfo(row.key, row.account_id, row.size, row.media_type, row.etag, row.created, row.expires)


def ready_keys(session: Session, keys: Sequence[str]) -> set[str]:
    """Those of these keys whose files are there."""
    return set(session.scalars(select(StoredFile.key).where(StoredFile.key.in_(keys), StoredFile.ready.is_(True))))


def forget(session: Session, key: str) -> None:
    """Remove the row: its bytes are free."""
    session.execute(delete(StoredFile).where(StoredFile.key == key))


def outlived(session: Session, now: datetime, after: str, most: int) -> list[str]:
    """Keys of files whose time is over or that were never finished, a page of them by key."""
    over = or_(StoredFile.expires <= now, StoredFile.ready.is_(False) & (StoredFile.created <= now - ABANDONED))
    query = select(StoredFile.key).where(over, StoredFile.key > after).order_by(StoredFile.key).limit(most)
    return list(session.scalars(query))
