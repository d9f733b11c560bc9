"""Reasoning that some models write before their answer must not be spoken."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkingFilter:
    """Drops a leading `<think>…</think>` block from a stream of text, however it is cut into tokens."""

    def __init__(self) -> None:
        self._pending = ""
        self._state = "start"

    def feed(self, text: str) -> str:
        """The part of the text so far that may be spoken and was not returned yet."""
        if self._state == "answer":
            return text
        self._pending += text
        if self._state == "trimming":
            return self._release(self._pending.lstrip())
        if self._state == "start":
            begin = self._pending.lstrip()
            if begin.startswith(_OPEN):
                self._state = "thinking"
            elif not _OPEN.startswith(begin):
                return self._release(self._pending)
        if self._state == "thinking" and _CLOSE in self._pending:
            return self._release(self._pending.partition(_CLOSE)[2].lstrip())
        return ""

    def _release(self, text: str) -> str:
        """Begin the answer with `text`; white space before its first word is dropped with the reasoning."""
        self._state, self._pending = ("answer" if text else "trimming"), ""
        return text
