"""Where the bytes are: a folder of this machine, or a bucket."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from server.storage.errors import StorageFailed

PIECE: Final = 1 << 18
"""Bytes that are read at a time."""


_ATTEMPTS = 5


class Store(Protocol):
    """Files by location. All methods block and may be called from any thread; all raise `StorageFailed`."""

    def write(self, location: str, source: Path, media_type: str) -> None:
        """Store a copy of `source`: whole, or not at all; what was there before is replaced in one step."""
        ...

    def read(self, location: str, begin: int, end: int) -> Iterator[bytes]:
        """The bytes from `begin` up to `end`, in pieces. Raises `FileNotFoundError` before the first one."""
        ...

    def delete(self, location: str) -> None:
        """Remove it; one that is not there is no error."""
        ...

    def signed_url(self, location: str, seconds: int) -> str | None:
        """A URL of the store's own that opens the file for so long; None where the store has none."""
        ...


class LocalStore:
    """Files below one folder, readable by this user alone."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, location: str, source: Path, media_type: str) -> None:
        """See `Store`. On disk when it returns, also after a power cut."""
        target = self._root / location
        part = target.with_name(f".{os.urandom(8).hex()}.part")
        try:
            try:
                _copy_into_folder(source, part)
                part.replace(target)
                _sync_folder(target.parent)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFailed(f"The file cannot be stored ({error.strerror})") from error

    def read(self, location: str, begin: int, end: int) -> Iterator[bytes]:
        """See `Store`."""
        handle = os.open(self._root / location, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        return _pieces(handle, begin, end)

    def delete(self, location: str) -> None:
        """See `Store`. Folders that become empty go too."""
        path = self._root / location
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFailed(f"The file cannot be deleted ({error.strerror})") from error
        for folder in path.parents:
            if folder == self._root:
                return
            try:
                folder.rmdir()
            except OSError:  # something else is in it
                return

    def signed_url(self, location: str, seconds: int) -> str | None:
        """The server itself answers for these files."""
        return None


def _copy_into_folder(source: Path, target: Path) -> None:
    for _ in range(_ATTEMPTS):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _copy(source, target)
        except FileNotFoundError:  # the folder was empty, and whoever deleted a file in it has just removed it
            continue
        else:
            return
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        target.chmod(0o600)
        while piece := reader.read(1 << 20):
            writer.write(piece)
        writer.flush()
        os.fsync(writer.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pieces(handle: int, begin: int, end: int) -> Iterator[bytes]:
    with os.fdopen(handle, "rb") as file:
        file.seek(begin)
        while begin < end and (piece := file.read(min(PIECE, end - begin))):
            begin += len(piece)
            yield piece
