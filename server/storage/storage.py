"""Files of accounts: stored whole or not at all, counted, opened by URLs that expire."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from server.database import Database
from server.settings import Settings
from server.storage import records
from server.storage.errors import KeyInvalid, StorageError, StorageFailed
from server.storage.keys import is_key, location
from server.storage.records import FileInfo
from server.storage.s3 import S3Files
from server.storage.store import LocalStore, Store
from server.storage.urls import SignedUrls

log = structlog.get_logger(__name__)

SCRATCH: Final = "uploading"
"""Folder below the data folder for files that are not yet whole."""

_PAGE: Final = 200


class Storage:
    """All stored files. Its methods block: call them from threads. See `Files` in server/jobs for what jobs use of it.

    A file's row is reserved before the file is written and removed after it is deleted, so that a crash at any moment
    leaves rows without a file (which `sweep` removes), never a file without a row. `now` is for tests.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        urls: SignedUrls,
        *,
        quota: int,
        url_s: int,
        scratch: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.urls = urls
        self.scratch = scratch
        self._database = database
        self._store = store
        self._quota = quota
        self._url_s = url_s
        self._now = now

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Storage:
        """As the settings say: below the data folder, or in a bucket. Raises `OSError`."""
        options = settings.storage
        store: Store = S3Files(options) if options.bucket else LocalStore(settings.data_dir / "files")
        return cls(
            database,
            store,
            SignedUrls.load(settings.data_dir, settings.public_url),
            quota=options.account_bytes,
            url_s=options.url_s,
            scratch=settings.data_dir / SCRATCH,
        )

    def put(
        self,
        key: str,
        source: Path | bytes,
        *,
        media_type: str,
        account_id: str,
        keep: timedelta | None = None,
    ) -> FileInfo:
        """Store a copy of a file: there whole, or not; one of the same key is replaced. `keep`: deleted after so long.

        Raises `QuotaExceeded`, `KeyInvalid`, `StorageFailed`.
        """
        place = location(account_id, key)
        if isinstance(source, bytes):
            with self.scratch_file() as path:
                path.write_bytes(source)
                return self.put(key, path, media_type=media_type, account_id=account_id, keep=keep)
        now = self._now()
        size, etag = _measured(source)
        info = FileInfo(key, account_id, size, media_type, etag, now, now + keep if keep is not None else None)
        self._database.run_here(records.reserve, info, self._quota)
        try:
            self._store.write(place, source, media_type)
        except StorageError:
            with contextlib.suppress(StorageError):  # then the sweep does it
                self.delete(key)
            raise
        self._database.run_here(records.settle, key, etag)
        return info

    def stat(self, key: str, account_id: str | None = None) -> FileInfo | None:
        """What is known of a file; None where there is none, or it is not this account's."""
        return self._database.read_here(records.find, key, account_id) if is_key(key) else None

    def read(self, info: FileInfo, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """A file's bytes from `begin` up to `end`, in pieces. Raises `FileNotFoundError`, `StorageFailed`."""
        return self._store.read(location(info.account_id, info.key), begin, info.size if end is None else end)

    def delete(self, key: str, account_id: str | None = None) -> None:
        """Remove a file and free its bytes; one that is not there (or is not this account's) is no error.

        Raises `StorageFailed`.
        """
        info = self._database.read_here(records.find, key, account_id, ready=False) if is_key(key) else None
        if info is not None:
            self._store.delete(location(info.account_id, key))
            self._database.run_here(records.forget, key)

    def used(self, account_id: str) -> int:
        """Bytes that an account has stored."""
        return self._database.read_here(records.used, account_id)

    def room(self, account_id: str) -> int:
        """Bytes that an account may still store."""
        return max(0, self._quota - self.used(account_id))

    def sign(self, key: str, seconds: int | None = None) -> str:
        """A URL for it that expires, by default after the settings' time. Costs nothing: nobody is asked.

        Raises `KeyInvalid`.
        """
        if not is_key(key):
            raise KeyInvalid("There is no such file")
        return self.urls.sign(key, self._url_s if seconds is None else seconds)

    def elsewhere(self, info: FileInfo, seconds: int) -> str | None:
        """A URL of the store's own for the file, for so long; None where this server has to answer for it itself.

        Raises `StorageFailed`.
        """
        return self._store.signed_url(location(info.account_id, info.key), seconds)

    def sweep(self) -> int:
        """Remove files whose time is over, and what crashes left behind; returns how many files.

        What cannot be removed now is kept for the next time.
        """
        removed, after = 0, ""
        while page := self._database.read_here(records.outlived, self._now(), after, _PAGE):
            after = page[-1]
            for key in page:
                try:
                    self.delete(key)
                except StorageError as error:
                    log.warning("a file cannot be removed", key=key, reason=str(error))
                else:
                    removed += 1
        self._sweep_scratch()
        return removed

    def scratch_file(self) -> _Scratch:
        """A new file for what is not yet whole, gone at the end of the block."""
        return _Scratch(self.scratch)

    def _sweep_scratch(self) -> None:
        oldest = (self._now() - records.ABANDONED).timestamp()
        for path in self.scratch.glob("*") if self.scratch.is_dir() else ():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


class _Scratch:
    """`with storage.scratch_file() as path`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None

    def __enter__(self) -> Path:
        """Make it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder)
        os.close(handle)
        self._path = Path(name)
        return self._path

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _measured(source: Path) -> tuple[int, str]:
    try:
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest
    except OSError as error:
        raise StorageFailed(f"The file cannot be read ({error.strerror})") from error
