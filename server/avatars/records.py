"""Rows of avatars: functions of a database session, for `server.database.Database.run`."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from server.database.tables import Avatar
from server.owners import Owner

ID: Final = re.compile(r"avatar_[0-9a-f]{16}")
READY: Final = "ready"


@dataclass(frozen=True, slots=True)
class AvatarRecord:
    """A face that is there. `digest` names its pack; `preview` whether it has a film; `expires`: None, it is kept.

    `voice`: the name of the one it speaks in, None for the server's.
    """

    id: str
    owner: Owner
    name: str
    warnings: tuple[str, ...]
    source_hash: str
    digest: str
    preview: bool
    created: datetime
    expires: datetime | None
    voice: str | None = None


def new_avatar_id() -> str:
    """A random id."""
    return f"avatar_{secrets.token_hex(8)}"


def insert_avatar(session: Session, record: AvatarRecord) -> None:
    """Note an avatar whose pack is on disk."""
    session.add(
        Avatar(
            id=record.id,
            account_id=record.owner.account,
            visitor=record.owner.visitor,
            name=record.name,
            status=READY,
            warnings=list(record.warnings),
            source_hash=record.source_hash,
            digest=record.digest,
            preview_key=None,
            voice=record.voice,
            created=record.created,
            expires=record.expires,
        )
    )


def avatar_by_id(session: Session, avatar_id: str) -> AvatarRecord | None:
    """The avatar of this id."""
    row = session.get(Avatar, avatar_id)
    return None if row is None else _record(row)


def avatars_of(session: Session, owner: Owner, limit: int = 100) -> list[AvatarRecord]:
    """What somebody has made, the newest first."""
    rows = session.scalars(select(Avatar).where(_owned(owner)).order_by(Avatar.created.desc(), Avatar.id).limit(limit))
    return [_record(row) for row in rows]


def avatars_page(
    session: Session, owner: Owner, *, limit: int, after: str | None = None
) -> tuple[list[AvatarRecord], bool]:
    """A page of what somebody has made, the newest first, and whether there are more.

    `after` is the last id of the page before. Raises `LookupError` where that is none of the owner's avatars.
    """
    query = select(Avatar).where(_owned(owner))
    if after is not None:
        last = session.scalar(query.where(Avatar.id == after))
        if last is None:
            raise LookupError(after)
        older = and_(Avatar.created == last.created, Avatar.id > last.id)
        query = query.where(or_(Avatar.created < last.created, older))
    rows = list(session.scalars(query.order_by(Avatar.created.desc(), Avatar.id).limit(limit + 1)))
    return [_record(row) for row in rows[:limit]], len(rows) > limit


def visitors_avatars(session: Session) -> int:
    """How many avatars visitors of the page have."""
    return session.scalar(select(func.count()).select_from(Avatar).where(Avatar.visitor.is_not(None))) or 0


def note_preview(session: Session, avatar_id: str, key: str) -> bool:
    """Note that the avatar has a film; returns whether it is still there."""
    result = session.execute(update(Avatar).where(Avatar.id == avatar_id).values(preview_key=key))
    return isinstance(result, CursorResult) and result.rowcount > 0


def remove_avatar(session: Session, avatar_id: str) -> None:
    """Forget an avatar."""
    session.execute(delete(Avatar).where(Avatar.id == avatar_id))


def remove_expired(session: Session, now: datetime) -> list[str]:
    """Forget the avatars whose time is over; returns their ids."""
    ids = list(session.scalars(select(Avatar.id).where(Avatar.expires <= now)))
    session.execute(delete(Avatar).where(Avatar.id.in_(ids)))
    return ids


def known_avatars(session: Session, ids: list[str]) -> set[str]:
    """Those of these ids that there are."""
    return set(session.scalars(select(Avatar.id).where(Avatar.id.in_(ids))))


def _owned(owner: Owner) -> ColumnElement[bool]:
    return Avatar.account_id == owner.account if owner.account else Avatar.visitor == owner.visitor


def _record(row: Avatar) -> AvatarRecord:
    return AvatarRecord(
        id=row.id,
        owner=Owner(row.account_id, row.visitor),
        name=row.name,
        warnings=tuple(str(warning) for warning in row.warnings),
        source_hash=row.source_hash,
        digest=row.digest,
        preview=row.preview_key is not None,
        created=row.created,
        expires=row.expires,
        voice=row.voice,
    )
