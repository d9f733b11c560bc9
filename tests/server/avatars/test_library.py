"""Avatars are there whole or not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.avatar.pack import load_pack
from server.avatars import library as library_module
from server.avatars.library import AvatarLibrary
from server.avatars.records import AvatarRecord
from server.database import Database, first_key
from server.owners import Owner
from tests.media.avatar.faces import drawn_pack

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
VISITOR = Owner(visitor="visitor_1")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library(database: Database, tmp_path: Path, clock: Clock) -> AsyncIterator[AvatarLibrary]:
    made = AvatarLibrary(database, tmp_path / "avatars", clock)
    yield made
    await made.close()


async def add(library: AvatarLibrary, owner: Owner = VISITOR, **given: Any) -> AvatarRecord:
    picture = np.full((300, 200, 3), 200, np.uint8)
    return await library.add(drawn_pack(name="Anna"), picture, owner, source_hash="a" * 64, **given)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_an_avatar_has_its_pack_its_picture_and_its_row(library: AvatarLibrary) -> None:
    added = await add(library)
    assert await library.get(added.id) == added
    assert load_pack(library.pack(added.id)).digest == added.digest
    assert library.source(added.id).read_bytes().startswith(b"\xff\xd8\xff")
    assert names(library.folder(added.id).parent) == [added.id]


async def test_everybody_sees_their_own_avatars_the_newest_first(
    library: AvatarLibrary, database: Database, clock: Clock
) -> None:
    key = database.run_here(first_key, None)
    assert key is not None
    first = await add(library)
    clock.now += timedelta(seconds=1)
    second = await add(library)
    account = await add(library, Owner(account=key.info.account_id))
    assert [avatar.id for avatar in await library.of(VISITOR)] == [second.id, first.id]
    assert await library.of(account.owner) == [account]
    assert await library.of(Owner(visitor="visitor_2")) == []
    assert await library.visitors() == 2


async def test_deletion_leaves_neither_row_nor_file(library: AvatarLibrary) -> None:
    added = await add(library)
    await library.delete(added.id)
    assert await library.get(added.id) is None
    assert names(library.folder(added.id).parent) == []
    await library.delete(added.id)


@pytest.mark.parametrize(
    "strange", ["../../etc", "avatar_", "avatar_0123456789abcdeF", "avatar_0123456789abcdef\n", ""]
)
async def test_nothing_but_an_id_leads_to_a_folder(library: AvatarLibrary, strange: str) -> None:
    with pytest.raises(ValueError, match="not the id"):
        library.folder(strange)
    assert await library.get(strange) is None
    await library.delete(strange)


async def test_a_row_that_cannot_be_written_leaves_no_files(library: AvatarLibrary, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"):
        await add(library, Owner(account="acct_unknown"))
    assert names(tmp_path / "avatars") == []


async def test_files_that_cannot_be_written_leave_no_row(
    library: AvatarLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(library_module, "save_pack", full)
    with pytest.raises(OSError, match="No space"):
        await add(library)
    assert await library.of(VISITOR) == []
    assert names(tmp_path / "avatars") == []


@pytest.mark.parametrize("steps", range(8))
async def test_whoever_stops_waiting_leaves_nothing_behind(database: Database, tmp_path: Path, steps: int) -> None:
    library = AvatarLibrary(database, tmp_path / "avatars")
    adding = asyncio.ensure_future(add(library))
    for _ in range(steps):
        await asyncio.sleep(0.002)
    stopped = adding.cancel()
    await asyncio.gather(adding, return_exceptions=True)
    await library.close()
    kept = 0 if stopped and adding.cancelled() else 1
    assert len(await AvatarLibrary(database, tmp_path / "avatars").of(VISITOR)) == kept
    assert len(names(tmp_path / "avatars") if (tmp_path / "avatars").exists() else []) == kept


async def test_what_has_expired_is_swept(library: AvatarLibrary, clock: Clock) -> None:
    short = await add(library, expires=NOON + timedelta(hours=1))
    kept = await add(library)
    assert await library.sweep() == []
    clock.now += timedelta(hours=1)
    assert await library.sweep() == [short.id]
    assert await library.get(short.id) is None
    assert names(library.folder(kept.id).parent) == [kept.id]


async def test_what_a_crash_left_is_swept_and_what_is_being_made_is_not(library: AvatarLibrary, clock: Clock) -> None:
    kept = await add(library)
    root = library.folder(kept.id).parent
    for name in ("avatar_00000000000000aa", ".making-old", ".making-new", "avatar_00000000000000bb", "somebody's"):
        (root / name).mkdir()
        (root / name / "file").write_text("x")
    clock.now = datetime.now(UTC)
    old = clock.now.timestamp() - 3600
    for name in (kept.id, "avatar_00000000000000aa", ".making-old", "somebody's"):
        os.utime(root / name, (old, old))
    await library.sweep()
    assert names(root) == sorted([".making-new", "avatar_00000000000000bb", kept.id, "somebody's"])


async def test_a_film_of_an_avatar_that_is_gone_goes_too(library: AvatarLibrary) -> None:
    there, gone = await add(library), await add(library)
    for avatar in (there, gone):
        library.preview(avatar.id).write_bytes(b"film")
    await library.delete(gone.id)
    library.preview(gone.id).parent.mkdir()
    library.preview(gone.id).write_bytes(b"film")
    assert await library.note_preview(there.id)
    assert not await library.note_preview(gone.id)
    found = await library.get(there.id)
    assert found is not None
    assert found.preview
    assert names(library.folder(there.id).parent) == [there.id]
