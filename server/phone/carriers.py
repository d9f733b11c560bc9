"""What each carrier does in its own way: how it proves itself, how it tells of a call, how it is told what to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.datastructures import Headers

from server.phone.options import CarrierName
from telephony.media_stream import MediaStream, Start
from telephony.plivo import signature as plivo_signature
from telephony.plivo import xml as plivo_xml
from telephony.plivo.messages import PlivoStream
from telephony.telnyx import signature as telnyx_signature
from telephony.telnyx import texml
from telephony.telnyx.messages import TelnyxStream
from telephony.twilio import signature as twilio_signature
from telephony.twilio import twiml
from telephony.twilio.messages import TwilioStream

_SID = re.compile(r"[A-Za-z0-9]{2,64}")
_TELNYX_SID = re.compile(r"[A-Za-z0-9:._=-]{2,100}")
_UUID = re.compile(r"[A-Za-z0-9-]{2,64}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_LONGEST_NUMBER: Final = 40
_LONGEST_PEER: Final = 200
_PLIVO_STATUS: Final = {
    "ring": "ringing",
    "cancel": "canceled",
    "cancelled": "canceled",
    "timeout": "no-answer",
    "rejected": "busy",
}


class BadCall(ValueError):
    """A request tells of no call; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class CarrierRequest:
    """What a carrier tells of a call.

    `sid`: its own id. `caller`, `called`: numbers (E.164) or addresses, "" where unknown. `status`: for
    `telephony.progress`. `seconds`: how long it lasted, told at its end. `dialled`: how it went with a person whom it
    was connected to: completed, busy, no-answer, failed or canceled; "" where it was not.
    """

    sid: str
    caller: str
    called: str
    status: str
    inbound: bool
    seconds: int | None = None
    dialled: str = ""


class CarrierDialect(Protocol):
    """One carrier. `signs_streams`: whether the handshake of a media stream is signed as webhooks are."""

    name: CarrierName
    signs_streams: bool
    stream: Callable[[], MediaStream]

    def is_signed(self, secret: str, headers: Headers, url: str, form: Sequence[tuple[str, str]], body: bytes) -> bool:
        """Whether the carrier signed this request to `url`."""
        ...

    def read(self, fields: Mapping[str, str]) -> CarrierRequest:
        """What the form of a webhook tells. Raises `BadCall`."""
        ...

    def parameters(self, start: Start, query: Mapping[str, str]) -> Mapping[str, str]:
        """The parameters that were given with a stream; `query` is that of its handshake's URL."""
        ...

    def call_of(self, start: Start, parameters: Mapping[str, str]) -> str:
        """Which call a stream belongs to, by the id that webhooks have."""
        ...

    def connect_stream(self, url: str, sid: str, token: str, then: str) -> str:
        """The document that connects a call to a media stream; `then` is asked when we end it, "" for nobody."""
        ...

    def say_and_hang_up(self, text: str) -> str:
        """The document that says a sentence and ends the call."""
        ...

    def hang_up(self) -> str:
        """The document that ends the call."""
        ...

    def dial(self, target: str, *, caller: str, then: str, ring_seconds: int) -> str:
        """The document that connects the call to a number (E.164) or a SIP address; `then` is asked afterwards."""
        ...


class Twilio:
    """See `telephony.twilio`."""

    name: CarrierName = "twilio"
    signs_streams = True
    stream: Callable[[], MediaStream] = TwilioStream

    def is_signed(self, secret: str, headers: Headers, url: str, form: Sequence[tuple[str, str]], body: bytes) -> bool:
        """HMAC over the URL and the form, with the auth token."""
        given = headers.getlist(twilio_signature.HEADER)
        return len(given) == 1 and twilio_signature.is_valid(secret, url, given[0], form)

    def read(self, fields: Mapping[str, str]) -> CarrierRequest:
        """TwiML's request parameters."""
        return _read(fields, _SID)

    def parameters(self, start: Start, query: Mapping[str, str]) -> Mapping[str, str]:
        """They come with the start."""
        return start.parameters

    def call_of(self, start: Start, parameters: Mapping[str, str]) -> str:
        """Streams and webhooks have the same id."""
        return start.call_id

    def connect_stream(self, url: str, sid: str, token: str, then: str) -> str:
        """`<Connect><Stream>`."""
        return twiml.connect_stream(url, {"token": token}, then)

    def say_and_hang_up(self, text: str) -> str:
        """`<Say>`."""
        return twiml.say_and_hang_up(text)

    def hang_up(self) -> str:
        """`<Hangup>`."""
        return twiml.hang_up()

    def dial(self, target: str, *, caller: str, then: str, ring_seconds: int) -> str:
        """`<Dial>`."""
        return twiml.dial(target, caller=caller, then=then, ring_seconds=ring_seconds)


class Telnyx(Twilio):
    """See `telephony.telnyx`: TeXML is TwiML, but webhooks are signed otherwise, and streams are not at all."""

    name: CarrierName = "telnyx"
    signs_streams = False
    stream: Callable[[], MediaStream] = TelnyxStream

    def is_signed(self, secret: str, headers: Headers, url: str, form: Sequence[tuple[str, str]], body: bytes) -> bool:
        """Ed25519 over the time and the body, with the public key."""
        given, at = headers.getlist(telnyx_signature.SIGNATURE), headers.getlist(telnyx_signature.TIMESTAMP)
        if len(given) != 1 or len(at) != 1:
            return False
        return telnyx_signature.is_valid(secret, at[0], given[0], body, time.time())

    def read(self, fields: Mapping[str, str]) -> CarrierRequest:
        """TeXML's request parameters, which are TwiML's; the ids have more characters."""
        return _read(fields, _TELNYX_SID)

    def parameters(self, start: Start, query: Mapping[str, str]) -> Mapping[str, str]:
        """They come with the start, or in the URL."""
        return {**{name: query[name] for name in ("token", "call") if name in query}, **start.parameters}

    def call_of(self, start: Start, parameters: Mapping[str, str]) -> str:
        """A stream's `call_control_id` is not promised to be the webhook's id: that comes as a parameter."""
        return parameters.get("call", start.call_id)

    def connect_stream(self, url: str, sid: str, token: str, then: str) -> str:
        """`<Connect><Stream>`, both ways as μ-law."""
        return texml.connect_stream(url, {"token": token, "call": sid}, then)


class Plivo:
    """See `telephony.plivo`."""

    name: CarrierName = "plivo"
    signs_streams = False
    stream: Callable[[], MediaStream] = PlivoStream

    def is_signed(self, secret: str, headers: Headers, url: str, form: Sequence[tuple[str, str]], body: bytes) -> bool:
        """HMAC over the URL, the form and a nonce, with the auth token."""
        given, nonce = headers.getlist(plivo_signature.SIGNATURE), headers.getlist(plivo_signature.NONCE)
        if len(given) != 1 or len(nonce) != 1:
            return False
        return plivo_signature.is_valid(secret, url, nonce[0], given[0], form)

    def read(self, fields: Mapping[str, str]) -> CarrierRequest:
        """Plivo's request parameters; its numbers have no plus, and some states have names of their own."""
        status, dialled = fields.get("CallStatus", ""), fields.get("DialStatus", "")
        return CarrierRequest(
            sid=_sid(fields, "CallUUID", _UUID),
            caller=_number(fields.get("From", ""))[:_LONGEST_PEER],
            called=_number(fields.get("To", ""))[:_LONGEST_NUMBER],
            status=_PLIVO_STATUS.get(status, status),
            inbound=fields.get("Direction", "inbound") == "inbound",
            seconds=_seconds(fields.get("BillDuration") or fields.get("Duration")),
            dialled=_PLIVO_STATUS.get(dialled, dialled),
        )

    def parameters(self, start: Start, query: Mapping[str, str]) -> Mapping[str, str]:
        """They come with the start."""
        return start.parameters

    def call_of(self, start: Start, parameters: Mapping[str, str]) -> str:
        """Streams and webhooks have the same id."""
        return start.call_id

    def connect_stream(self, url: str, sid: str, token: str, then: str) -> str:
        """`<Stream>`."""
        return plivo_xml.connect_stream(url, {"token": token}, then)

    def say_and_hang_up(self, text: str) -> str:
        """`<Speak>`."""
        return plivo_xml.say_and_hang_up(text)

    def hang_up(self) -> str:
        """`<Hangup>`."""
        return plivo_xml.hang_up()

    def dial(self, target: str, *, caller: str, then: str, ring_seconds: int) -> str:
        """`<Dial>`."""
        return plivo_xml.dial(target, caller=caller, then=then, ring_seconds=ring_seconds)


def dialect_of(name: CarrierName) -> CarrierDialect:
    """The dialect of a carrier."""
    dialects: dict[CarrierName, type[CarrierDialect]] = {"twilio": Twilio, "telnyx": Telnyx, "plivo": Plivo}
    return dialects[name]()


def _read(fields: Mapping[str, str], sid: re.Pattern[str]) -> CarrierRequest:
    return CarrierRequest(
        sid=_sid(fields, "CallSid", sid),
        caller=fields.get("From", "")[:_LONGEST_PEER],
        called=fields.get("To", "")[:_LONGEST_NUMBER],
        status=fields.get("CallStatus", ""),
        inbound=fields.get("Direction", "inbound") == "inbound",
        seconds=_seconds(fields.get("CallDuration")),
        dialled=fields.get("DialCallStatus", ""),
    )


def _sid(fields: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    sid = fields.get(name, "")
    if not pattern.fullmatch(sid):
        raise BadCall(f"{name} is missing or malformed")
    return sid


def _seconds(text: str | None) -> int | None:
    return int(text) if text and _DIGITS.fullmatch(text) else None


def _number(text: str) -> str:
    return f"+{text}" if text.isascii() and text.isdigit() else text
