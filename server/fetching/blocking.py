"""The fetcher for programs without an event loop: the workers' handlers run on threads."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from server.fetching.fetcher import Fetched, Fetcher

FETCH_S: Final = 300.0
"""Seconds that a fetch may take unless told otherwise."""


class BlockingFetcher:
    """`Fetcher` on the thread that calls; any number of threads may."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def __call__(
        self,
        url: str,
        target: Path,
        *,
        max_bytes: int,
        max_seconds: float = FETCH_S,
        kinds: Collection[str] = (),
    ) -> Fetched:
        """`Fetcher.fetch` into the file `target`. Raises `FetchError`."""
        return asyncio.run(
            self._fetcher.fetch(url, max_bytes=max_bytes, max_seconds=max_seconds, kinds=kinds, target=target)
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> int:
        """`Fetcher.post`. Raises `FetchError`."""
        return asyncio.run(self._fetcher.post(url, body, headers, timeout_s=timeout_s))
