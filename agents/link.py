"""The seam between a session and whatever carries its audio: a phone line, a browser, a recording."""

from __future__ import annotations

from typing import Protocol

from media.audio.frames import AudioFrame
from media.audio.playout import Playout


class AudioLink(Protocol):
    """Carries the agent's speech to one listener. The session calls it from the event loop; nothing blocks.

    The link takes samples from the session's `Playout` at its own pace, tells the session how far the
    listener has heard (`Conversant.heard`), and gives the caller's audio to `Conversant.hear`.
    """

    @property
    def rate(self) -> int:
        """Sample rate in Hz of what the listener hears."""
        ...

    @property
    def kind(self) -> str:
        """phone, browser, socket or recording: for records and metrics."""
        ...

    def start(self, playout: Playout) -> None:
        """The session is ready; its speech will come out of `playout`."""
        ...

    def flush(self) -> int:
        """Silence what was sent and not yet heard; returns the playout position heard up to now."""
        ...

    def hang_up(self, reason: str) -> None:
        """The conversation is over and its last words have been heard: end the connection."""
        ...

    def send_digits(self, digits: str) -> None:
        """Send DTMF digits; a link that cannot ignores them."""
        ...

    def notify(self, event: str, data: dict[str, object]) -> None:
        """A session event (state, transcripts, words, latency) for listeners that can show it; others ignore it."""
        ...


class Conversant(Protocol):
    """What a link may do with its session. All calls are immediate and safe after the session has ended."""

    @property
    def id(self) -> str:
        """The session's id, in every log line and record."""
        ...

    def hear(self, frame: AudioFrame) -> None:
        """Give the caller's next audio: 16 kHz, in order; a gap in `index` is heard as silence."""
        ...

    def heard(self, position: int) -> None:
        """The listener has heard the agent's speech up to this playout position."""
        ...

    def press(self, digit: str) -> None:
        """The caller pressed a key: 0-9, *, #, A-D."""
        ...

    def write(self, text: str) -> None:
        """The caller typed a message."""
        ...

    def interrupt(self) -> None:
        """The caller asked for silence by a button."""
        ...

    def finish(self, text: str, reason: str) -> None:
        """Whatever is going on: say this to its end, which only hanging up interrupts, then hang up for this reason.

        Of several the first counts, and so does an end that is being said already.
        """
        ...

    def caller_left(self, reason: str) -> None:
        """The connection is gone; the session winds up."""
        ...

    async def run(self) -> None:
        """Hold the conversation until it ends, then return. Cancelling it ends the conversation at once."""
        ...
