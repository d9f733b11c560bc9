"""How far a fetch has come: a line per model, and a moving bar where a person watches."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

_BAR = 24


class Progress(Protocol):
    """Follows the fetching of one model after another."""

    def begin(self, model: str, total: int) -> None:
        """A model is begun; about `total` bytes will be downloaded."""
        ...

    def advance(self, done: int) -> None:
        """So many bytes of the current model are here."""
        ...

    def end(self, size: int) -> None:
        """The current model is whole; `size` bytes of weights."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line of its own."""
        ...


class Silent:
    """Says nothing."""

    def begin(self, model: str, total: int) -> None:
        """Say nothing."""

    def advance(self, done: int) -> None:
        """Say nothing."""

    def end(self, size: int) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class Console:
    """Writes to a terminal (with a bar) or to a log (a line at the beginning and one at the end of each model)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._live = self._stream.isatty()
        self._model = ""
        self._total = 0
        self._began = 0.0

    def begin(self, model: str, total: int) -> None:
        """A model is begun; about `total` bytes will be downloaded."""
        self._model, self._total, self._began = model, total, time.monotonic()
        if self._live:
            self.advance(0)
        else:
            self.note(f"{model}: fetching {megabytes(total)}")

    def advance(self, done: int) -> None:
        """So many bytes of the current model are here."""
        if not self._live:
            return
        share = min(1.0, done / self._total) if self._total else 0.0
        filled = round(share * _BAR)
        bar = "#" * filled + "." * (_BAR - filled)
        line = f"\r\x1b[K{self._model:<16} [{bar}] {megabytes(min(done, self._total))} of {megabytes(self._total)}"
        self._stream.write(line)
        self._stream.flush()

    def end(self, size: int) -> None:
        """The current model is whole; `size` bytes of weights."""
        seconds = time.monotonic() - self._began
        clear = "\r\x1b[K" if self._live else ""
        self.note(f"{clear}{self._model}: ready, {megabytes(size)} in {seconds:.1f} s")

    def note(self, text: str) -> None:
        """Something worth a line of its own."""
        self._stream.write(text + "\n")
        self._stream.flush()


def megabytes(count: int) -> str:
    """A number of bytes for people: 151.2 MB."""
    return f"{count / 1e6:.1f} MB"
