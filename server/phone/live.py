"""The telephone calls whose media streams end in this process."""

from __future__ import annotations

from typing import Protocol


class LiveCall(Protocol):
    """A call as others may act on it. `server.phone.call.PhoneCall` implements it."""

    def finish(self, text: str, reason: str) -> None:
        """Say this to its end, whatever is going on, then hang up. Immediate, and safe after the end."""
        ...


class LiveCalls:
    """Calls by the ids of their rows in `calls`; a call that is with a person, after a transfer, is not among them."""

    def __init__(self) -> None:
        self._calls: dict[str, LiveCall] = {}

    def add(self, call_id: str, call: LiveCall) -> None:
        """A call's stream has started; it takes the place of one that is ending."""
        self._calls[call_id] = call

    def remove(self, call_id: str, call: LiveCall) -> None:
        """This stream of a call has ended."""
        if self._calls.get(call_id) is call:
            del self._calls[call_id]

    def ids(self) -> set[str]:
        """The calls whose streams are here."""
        return set(self._calls)

    def finish(self, call_id: str, text: str, reason: str) -> bool:
        """Have a call's agent say this text to its end and hang up; False: its stream is not in this process."""
        call = self._calls.get(call_id)
        if call is None:
            return False
        call.finish(text, reason)
        return True
