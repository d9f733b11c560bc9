"""Plivo XML: what Plivo is told to do with a call (plivo.com/docs/voice/xml/overview)."""

from __future__ import annotations

from collections.abc import Mapping

from telephony import markup
from telephony.markup import Document, hang_up

__all__ = ["connect_stream", "dial", "hang_up", "say_and_hang_up"]


def connect_stream(url: str, parameters: Mapping[str, str], then: str = "") -> str:
    """Open a two-way stream of μ-law to `url`, alone: what follows waits until the stream has ended.

    `parameters`: names and values of letters and digits only, at most 512 bytes together. `then` says what follows;
    without one, the call ends.
    """
    document = Document()
    document.add(
        "Stream",
        url,
        bidirectional="true",
        keepCallAlive="true",
        contentType="audio/x-mulaw;rate=8000",
        extraHeaders=",".join(f"{name}={value}" for name, value in parameters.items()),
    )
    if then:
        document.add("Redirect", then, method="POST")
    return str(document)


def say_and_hang_up(text: str, language: str = "en-US") -> str:
    """Speak `text` with Plivo's own voice, then hang up."""
    return markup.say_and_hang_up("Speak", text, language)


def dial(target: str, *, caller: str, then: str, ring_seconds: int) -> str:
    """Connect the call to a number (E.164) or a SIP address; the document at `then` says what follows.

    Plivo tells `then` in `DialStatus` how it went: completed, busy, failed, timeout or no-answer.
    """
    document = Document()
    verb = document.add(
        "Dial", callerId=caller.removeprefix("+"), action=then, method="POST", timeout=str(ring_seconds)
    )
    if target.startswith(("sip:", "sips:")):
        verb.add("User", target)
    else:
        verb.add("Number", target.removeprefix("+"))
    return str(document)
