"""Avatars on disk and in the database.

An avatar is a folder of its own with `pack` (see `media.avatar.pack`), `source.jpg` (the picture it was made of) and,
where there is one, `preview.mp4`. Files come first and the row last, so a row always has its pack; on deletion the row
goes first. What a crash leaves behind is a folder without a row, which the next sweep removes.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import structlog
from PIL import Image

from media.avatar.landmarks import Picture
from media.avatar.pack import AvatarPack, save_pack
from server.avatars.records import (
    ID,
    AvatarRecord,
    avatar_by_id,
    avatars_of,
    insert_avatar,
    known_avatars,
    new_avatar_id,
    note_preview,
    remove_avatar,
    remove_expired,
    visitors_avatars,
)
from server.database import Database
from server.owners import Owner

PACK: Final = "pack"
SOURCE: Final = "source.jpg"
PREVIEW: Final = "preview.mp4"
NAME_LENGTH: Final = 60
ORPHANED_SECONDS: Final = 600.0
"""A folder without a row that was touched since then may be an avatar that is being made."""

_MAKING = ".making-"

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class AvatarLibrary:
    """Keeps avatars. `folder` is made when the first one comes; `clock` says what time it is, in UTC."""

    def __init__(
        self, database: Database, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._folder = folder
        self._clock = clock
        self._files = ThreadPoolExecutor(1, "avatar-files")
        self._undoing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Finish what is being written."""
        await asyncio.gather(*self._undoing, return_exceptions=True)
        await asyncio.to_thread(self._files.shutdown)

    # Where things are

    def folder(self, avatar_id: str) -> Path:
        """An avatar's folder. Raises `ValueError` for what is no avatar's id."""
        if not ID.fullmatch(avatar_id):
            raise ValueError(f"{avatar_id!r} is not the id of an avatar")
        return self._folder / avatar_id

    def pack(self, avatar_id: str) -> Path:
        """Where its pack lies."""
        return self.folder(avatar_id) / PACK

    def preview(self, avatar_id: str) -> Path:
        """Where its film lies, or will."""
        return self.folder(avatar_id) / PREVIEW

    def source(self, avatar_id: str) -> Path:
        """Where the picture lies that it was made of: JPEG, without metadata."""
        return self.folder(avatar_id) / SOURCE

    # What there is

    async def get(self, avatar_id: str) -> AvatarRecord | None:
        """The avatar of this id."""
        return await self._database.run(avatar_by_id, avatar_id) if ID.fullmatch(avatar_id) else None

    async def of(self, owner: Owner) -> list[AvatarRecord]:
        """What somebody has made, the newest first, at most 100."""
        return await self._database.run(avatars_of, owner)

    async def visitors(self) -> int:
        """How many avatars visitors of the page have."""
        return await self._database.run(visitors_avatars)

    # Changes

    async def add(
        self,
        pack: AvatarPack,
        picture: Picture,
        owner: Owner,
        *,
        source_hash: str,
        expires: datetime | None = None,
        voice: str | None = None,
        avatar_id: str | None = None,
    ) -> AvatarRecord:
        """Keep a pack and the picture it was made of, under a new id or `avatar_id`, which must not be taken.

        Raises `OSError` where the disk refuses; then nothing is left.
        """
        record = AvatarRecord(
            id=avatar_id or new_avatar_id(),
            owner=owner,
            name=pack.name[:NAME_LENGTH],
            warnings=pack.warnings,
            source_hash=source_hash,
            digest=pack.digest,
            preview=False,
            created=self._clock(),
            expires=expires,
            voice=voice,
        )
        adding = asyncio.get_running_loop().create_task(self._add(record, pack, picture))
        try:
            await asyncio.shield(adding)
        except asyncio.CancelledError:
            # Threads cannot be stopped half way: let them finish, then take back what nobody waits for any more.
            undoing = asyncio.get_running_loop().create_task(self._undo(record.id, adding))
            self._undoing.add(undoing)
            undoing.add_done_callback(self._undoing.discard)
            raise
        return record

    async def note_preview(self, avatar_id: str) -> bool:
        """The film is there. Where the avatar was deleted meanwhile, the film goes too; returns whether it stays."""
        kept = await self._database.run(note_preview, avatar_id, PREVIEW)
        if not kept:
            await self._on_disk(self._remove, avatar_id)
        return kept

    async def delete(self, avatar_id: str) -> None:
        """Remove an avatar and all of its files; nothing happens where there is none."""
        if ID.fullmatch(avatar_id):
            await self._database.run(remove_avatar, avatar_id)
            await self._on_disk(self._remove, avatar_id)

    async def sweep(self) -> list[str]:
        """Remove avatars whose time is over and folders that belong to none; returns the ids of the former."""
        expired = await self._database.run(remove_expired, self._clock())
        for avatar_id in expired:
            await self._on_disk(self._remove, avatar_id)
        old = await self._on_disk(self._untouched)
        known = await self._database.run(known_avatars, old) if old else set()
        for name in old:
            if name not in known:
                log.info("removing the remains of an avatar", folder=name)
                await self._on_disk(self._remove, name)
        return expired

    async def _add(self, record: AvatarRecord, pack: AvatarPack, picture: Picture) -> None:
        await self._on_disk(self._write, record.id, pack, picture)
        try:
            await self._database.run(insert_avatar, record)
        except Exception:
            await self._on_disk(self._remove, record.id)
            raise

    async def _undo(self, avatar_id: str, adding: asyncio.Task[None]) -> None:
        await asyncio.gather(adding, return_exceptions=True)
        await self.delete(avatar_id)

    async def _on_disk(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._files, lambda: work(*given, **named))

    # On the files' thread

    def _write(self, avatar_id: str, pack: AvatarPack, picture: Picture) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=self._folder))
        try:
            save_pack(pack, making / PACK)
            Image.fromarray(picture).save(making / SOURCE, "JPEG", quality=90)
            making.chmod(0o755)
            making.rename(self._folder / avatar_id)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise

    def _remove(self, name: str) -> None:
        """Remove a folder of ours; out of the way first, so that it is there whole or not at all."""
        folder = self._folder / name
        going = folder if name.startswith(_MAKING) else self._folder / f"{_MAKING}{name}"
        try:
            if going is not folder:
                folder.rename(going)
            shutil.rmtree(going)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("an avatar's files could not be removed", folder=name, reason=error.strerror)

    def _untouched(self) -> list[str]:
        """Folders of ours that nobody is writing now."""
        if not self._folder.is_dir():
            return []
        before = self._clock().timestamp() - ORPHANED_SECONDS
        ours = [path for path in self._folder.iterdir() if ID.fullmatch(path.name) or path.name.startswith(_MAKING)]
        return [path.name for path in ours if _changed(path) < before]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # just removed: nothing to do here
        return math.inf
