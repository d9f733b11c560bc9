"""Signed URLs of stored files, opened without a way through the network: what was uploaded here can be used here."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from server.storage.storage import Storage


class OwnFiles:
    """See `server.fetching.fetcher.OwnFiles`. Only URLs that `prefix` begins are ours."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def prefix(self) -> str:
        """How they all begin."""
        return self._storage.urls.prefix

    def open(self, url: str) -> Iterator[bytes] | None:
        """What the URL names, in pieces; None where it has expired or the file was deleted. Raises `StorageFailed`."""
        if not url.startswith(self.prefix):
            return None
        query = parse_qs(urlsplit(url).query)
        expires, signature = (query.get(name, [""])[-1] for name in ("expires", "signature"))
        key = url.removeprefix(self.prefix).partition("?")[0]
        if not self._storage.urls.opens(key, expires, signature):
            return None
        info = self._storage.stat(key)
        try:
            return None if info is None else self._storage.read(info)
        except FileNotFoundError:
            return None
