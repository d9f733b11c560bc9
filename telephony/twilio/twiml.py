"""TwiML: what Twilio is told to do with a call (twilio.com/docs/voice/twiml)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telephony import markup
from telephony.markup import CONTENT_TYPE, Document, hang_up

__all__ = [
    "CONTENT_TYPE",
    "connect_stream",
    "dial",
    "hang_up",
    "hold",
    "join",
    "say_and_hang_up",
]

LONGEST_ROOM: Final = 4
"""Hours that two people may talk after a transfer: Twilio's own bound of a call is 24."""


def connect_stream(url: str, parameters: Mapping[str, str], then: str = "", **attributes: str) -> str:
    """Open a two-way media stream to `url` (ws or wss, no query) with these custom parameters.

    When the server ends the stream, the document at `then` says what follows; without one, the call ends.
    `attributes`: more of `<Stream>`.
    """
    document = Document()
    connect = document.add("Connect", action=then, method="POST" if then else "")
    stream = connect.add("Stream", url=url, **attributes)
    for name, value in parameters.items():
        stream.add("Parameter", name=name, value=value)
    return str(document)


def say_and_hang_up(text: str, language: str = "en-US") -> str:
    """Speak `text` with Twilio's own voice (it takes at most 4096 characters), then hang up."""
    return markup.say_and_hang_up("Say", text, language)


def dial(target: str, *, caller: str, then: str, ring_seconds: int) -> str:
    """Connect the call to a number (E.164) or a SIP address; the document at `then` says what follows.

    Twilio tells `then` in `DialCallStatus` how it went: completed, busy, no-answer, failed or canceled.
    """
    document = Document()
    verb = document.add("Dial", callerId=caller, action=then, method="POST", timeout=str(ring_seconds))
    verb.add("Sip" if target.startswith(("sip:", "sips:")) else "Number", target)
    return str(document)


def hold(music: str, then: str) -> str:
    """Play a recording once; then the document at `then` says what follows."""
    document = Document()
    document.add("Play", music)
    document.add("Redirect", then, method="POST")
    return str(document)


def join(room: str, then: str = "", *, music: str) -> str:
    """Bring the call into a conference, which ends when one of its two leaves; `then`, if given, says what follows.

    `music`: what the first of them hears until the other comes.
    """
    document = Document()
    verb = document.add("Dial", action=then, method="POST" if then else "", timeLimit=str(LONGEST_ROOM * 3600))
    verb.add(
        "Conference",
        room,
        beep="false",
        startConferenceOnEnter="true",
        endConferenceOnExit="true",
        waitUrl=music,
        waitMethod="GET",
    )
    return str(document)
