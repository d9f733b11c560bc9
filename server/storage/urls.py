"""URLs of stored files that expire, signed with the server's secret."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from server.signing import FILE, LinkSigner, SigningKey

PATH: Final = "/files"
PREVIOUS: Final = f"{FILE}.previous"
"""To rotate the secret: rename `server.key` to this and start anew. URLs signed before stay good until they expire."""


class SignedUrls:
    """Makes and checks them. The first signer signs, all of them are believed. `clock`: seconds since 1970."""

    def __init__(self, signers: list[LinkSigner], public_url: str, clock: Callable[[], float] = time.time) -> None:
        if not signers:
            raise ValueError("at least one signer")
        self._signers = signers
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    @classmethod
    def load(cls, data_dir: Path, public_url: str, clock: Callable[[], float] = time.time) -> SignedUrls:
        """With the secret of a data folder, and the one before it if it is still there. Raises `OSError`."""
        keys = [SigningKey.load(data_dir)]
        previous = data_dir / PREVIOUS
        if previous.is_file():
            keys.append(SigningKey(previous.read_bytes()))
        return cls([LinkSigner(key.derive("files")) for key in keys], public_url, clock)

    @property
    def prefix(self) -> str:
        """How they all begin."""
        return f"{self._public_url}{PATH}/"

    def sign(self, key: str, seconds: float) -> str:
        """A URL that opens this file for so long."""
        path = f"{PATH}/{key}"
        return f"{self._public_url}{path}?{self._signers[0].sign(path, self._clock(), seconds)}"

    def opens(self, key: str, expires: str, signature: str) -> bool:
        """Whether a URL with these parameters opens the file now."""
        path, now = f"{PATH}/{key}", self._clock()
        return any(signer.opens(path, now, expires, signature) for signer in self._signers)

    def left(self, expires: str) -> int:
        """Seconds until such a URL expires."""
        return max(0, int(expires) - int(self._clock()))
