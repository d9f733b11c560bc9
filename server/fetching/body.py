"""Answers' bodies, bounded before and after decompression."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from typing import Final, Protocol

from server.fetching.errors import FetchError, FetchProblem

PIECE: Final = 1 << 18
"""Bytes that decompression gives at a time: of a bomb no more is ever unpacked than is counted."""

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 47}


class _Inflater(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


async def bounded(pieces: AsyncIterable[bytes], encoding: str, max_bytes: int) -> AsyncGenerator[bytes]:
    """The body in pieces, unpacked as `encoding` (a Content-Encoding) says.

    Raises `FetchError`: too_large as soon as more than `max_bytes` have come, packed or unpacked; refused where the
    encoding is unknown or broken.
    """
    encoding = encoding.strip().lower()
    unpack = _unpacked(pieces, encoding, max_bytes) if encoding not in ("", "identity") else pieces
    total = 0
    async for piece in unpack:
        total += len(piece)
        if total > max_bytes:
            raise too_large(max_bytes)
        yield piece


async def _unpacked(pieces: AsyncIterable[bytes], encoding: str, max_bytes: int) -> AsyncGenerator[bytes]:
    if encoding not in _WINDOWS:
        raise FetchError(FetchProblem.REFUSED, "The server packs its answer in a way that is not understood.")
    inflater, packed = zlib.decompressobj(_WINDOWS[encoding]), 0
    async for piece in pieces:
        packed += len(piece)
        if packed > max_bytes:
            raise too_large(max_bytes)
        for out in _inflated(inflater, piece):
            yield out
    if not inflater.eof:
        raise FetchError(FetchProblem.REFUSED, "The server's answer is incomplete.")


def _inflated(inflater: _Inflater, piece: bytes) -> Iterator[bytes]:
    try:
        while out := inflater.decompress(piece, PIECE):
            yield out
            piece = inflater.unconsumed_tail
    except zlib.error:
        raise FetchError(FetchProblem.REFUSED, "The server's answer is damaged.") from None


def too_large(max_bytes: int) -> FetchError:
    """The refusal of anything that is larger than that."""
    return FetchError(
        FetchProblem.TOO_LARGE, f"The file is larger than the {max_bytes / 2**20:g} MiB that are accepted."
    )
