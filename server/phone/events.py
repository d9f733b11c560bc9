"""What a session notifies, as far as its telephone call minds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from server.phone.transfer import TransferWish

REMEMBERED: Final = 40
"""Lines of a conversation that are told to whoever goes on with it."""
_LONGEST_LINE: Final = 400

OnCaller = Callable[[str], None]


class CallEvents:
    """Listens to one session after the other; `lines` are what was said, the newest last.

    `on_opt_out`: the other one does not want to be called again. `on_caller`: what they have said, each turn.
    """

    def __init__(self, on_opt_out: Callable[[], None] | None = None, on_caller: OnCaller | None = None) -> None:
        self.wish: TransferWish | None = None
        self._lines: deque[str] = deque(maxlen=REMEMBERED)
        self._on_opt_out = on_opt_out
        self._on_caller = on_caller

    def __call__(self, event: str, data: dict[str, object]) -> None:
        """A session notifies something (see `agents.link.AudioLink.notify`)."""
        text = str(data.get("text", "")).strip()[:_LONGEST_LINE]
        match event:
            case "transcript" if data.get("final") and text:
                self._lines.append(f"Caller: {text}")
                if self._on_caller is not None:
                    self._on_caller(text)
            case "answer" if text:
                self._lines.append(f"You: {text}")
            case "transfer":
                self.wish = TransferWish(
                    str(data.get("target", "")),
                    str(data.get("name", "")),
                    bool(data.get("warm")),
                    str(data.get("summary", "")),
                )
            case "opt_out" if self._on_opt_out is not None:
                self._on_opt_out()

    def history(self) -> str:
        """For the model: what was said, "" for nothing."""
        return "What was said before:\n" + "\n".join(self._lines) if self._lines else ""
