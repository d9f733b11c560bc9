"""The server's own secret, and what it signs: the page's cookie, links to files that expire."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = "server.key"
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret of this server, the same after a restart. Each use has a key of its own, derived from it."""

    secret: bytes = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> SigningKey:
        """The key in this folder, made when there is none. Raises `OSError`."""
        path = folder / FILE
        try:
            secret = path.read_bytes()
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            _create(path)
            secret = path.read_bytes()
        if len(secret) != _LENGTH:
            raise OSError(f"{path} is damaged: remove it, and a new one is made")
        return cls(secret)

    def derive(self, purpose: str) -> bytes:
        """The key of one use."""
        return hmac.new(self.secret, purpose.encode(), hashlib.sha256).digest()


class LinkSigner:
    """Links that open one thing until they expire. `now` is in seconds since 1970."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, what: str, now: float, seconds: float) -> str:
        """The query of a link to `what`."""
        expires = int(now + seconds)
        return f"expires={expires}&signature={self._signature(what, str(expires))}"

    def opens(self, what: str, now: float, expires: str, signature: str) -> bool:
        """Whether a link with these parameters opens `what` now."""
        genuine = hmac.compare_digest(self._signature(what, expires).encode(), signature.encode("utf-8", "replace"))
        return genuine and expires.isdecimal() and now < int(expires)

    def _signature(self, what: str, expires: str) -> str:
        message = f"{what}\n{expires}".encode("utf-8", "replace")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


class Seal:
    """Texts that we recognise as ours when they come back: each is followed by its signature."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def close(self, text: str) -> str:
        """The text with its signature."""
        return f"{text}.{self._signature(text)}"

    def open(self, sealed: str) -> str | None:
        """The text that we sealed; None for anything else."""
        text, _, signature = sealed.rpartition(".")
        if hmac.compare_digest(self._signature(text).encode(), signature.encode("utf-8", "surrogatepass")):
            return text
        return None

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _create(path: Path) -> None:
    """Write a random key, unless another process does so at the same moment: then theirs counts."""
    handle, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=path.parent)  # readable by us alone
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_LENGTH))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(scratch)
        except FileExistsError:
            return
    finally:
        scratch.unlink()
