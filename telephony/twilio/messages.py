"""Twilio Media Streams: the messages of a two-way stream, without I/O.

Feed every WebSocket message to `MediaStreamProtocol.receive`; it returns what happened, or None where there is
nothing to act on, or raises `ProtocolError` with the code to close with. Messages for Twilio are made by
`media`, `mark` and `clear`.

Source: twilio.com/docs/voice/media-streams/websocket-messages.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from telephony.errors import ProtocolError

MAX_MESSAGE: Final = 96 * 1024
"""Characters of one message: the largest payload in base64 with room for its envelope."""

MAX_PAYLOAD: Final = 64 * 1024
"""Bytes of audio in one message; Twilio sends 160."""

MAX_PARAMETERS: Final = 32
MAX_TEXT: Final = 1024
"""Characters of an identifier, a mark's name or a parameter."""

MAX_MALFORMED: Final = 10
"""Malformed messages a running stream survives; a sender that keeps on is no media stream."""

# RFC 6455, 7.4.1
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
POLICY: Final = 1008
TOO_BIG: Final = 1009

_DIGITS = re.compile(r"[0-9]{1,15}")
_KEYS = frozenset("0123456789*#ABCD")
_FORMAT = ("audio/x-mulaw", 8000, 1)


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message: the protocol the rest follows."""

    protocol: str
    version: str


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins; it is μ-law, 8 kHz, mono. `parameters` are those of the TwiML's `<Parameter>`s."""

    stream_sid: str
    call_sid: str
    account_sid: str
    tracks: tuple[str, ...]
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """Audio of the caller, μ-law at 8 kHz.

    `timestamp` in ms since the stream began. `lost` counts the chunks missing right before this one;
    `repeated` says that this chunk, or a later one, had been received already.
    """

    payload: bytes
    chunk: int
    timestamp: int
    lost: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Playback has passed the mark of this name, or a `clear` dropped what was before it."""

    name: str


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The caller pressed a key: 0-9, *, #, A-D."""

    digit: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream is over: the caller hung up, or the call went on to something else."""


Event: TypeAlias = Connected | Start | Media | Mark | Dtmf | Stop


@dataclass(slots=True)
class StreamCounts:
    """What went wrong without ending the stream.

    `unknown`: events this version does not know, other tracks, messages after the end. `malformed`: messages
    that are none. `gaps` and `repeats`: sequence numbers skipped and seen again. `lost` and `repeated`: the
    same of audio chunks.
    """

    unknown: int = 0
    malformed: int = 0
    gaps: int = 0
    repeats: int = 0
    lost: int = 0
    repeated: int = 0


class _State(Enum):
    OPENED = "opened"
    CONNECTED = "connected"
    STREAMING = "streaming"
    ENDED = "ended"


# Rule 1: everything that may happen, and when. An event that is known but not listed for a state breaks the protocol.
_TRANSITIONS: Final[Mapping[tuple[_State, str], _State]] = {
    (_State.OPENED, "connected"): _State.CONNECTED,
    (_State.CONNECTED, "start"): _State.STREAMING,
    (_State.STREAMING, "media"): _State.STREAMING,
    (_State.STREAMING, "mark"): _State.STREAMING,
    (_State.STREAMING, "dtmf"): _State.STREAMING,
    (_State.CONNECTED, "stop"): _State.ENDED,
    (_State.STREAMING, "stop"): _State.ENDED,
}
_KNOWN: Final = frozenset(event for _, event in _TRANSITIONS)


class _Malformed(Exception):
    """A message that is not one; whether that ends the stream depends on the state."""


@dataclass(slots=True)
class MediaStreamProtocol:
    """One stream's protocol state: `connected`, `start`, then audio, marks and keys until `stop`.

    Twilio may add events and fields: what is unknown is counted and passed over. Anything malformed before
    the stream has started, a message out of order, a binary message and one too big end the connection;
    in a running stream a malformed message is passed over until there are more than `MAX_MALFORMED`.
    """

    stream_sid: str = ""
    counts: StreamCounts = field(default_factory=StreamCounts)
    _state: _State = _State.OPENED
    _sequence: int | None = None
    _chunk: int | None = None

    def receive(self, message: str | bytes) -> Event | None:
        """Take one WebSocket message. Raises `ProtocolError`, after which the stream has ended."""
        if self._state is _State.ENDED:
            self.counts.unknown += 1
            return None
        try:
            return self._receive(message)
        except ProtocolError:
            self._state = _State.ENDED
            raise

    def _receive(self, message: str | bytes) -> Event | None:
        if not isinstance(message, str):
            raise ProtocolError(UNSUPPORTED, "messages are text, not binary")
        if len(message) > MAX_MESSAGE:
            raise ProtocolError(TOO_BIG, f"a message has at most {MAX_MESSAGE} characters")
        try:
            return self._accept(_json_object(message))
        except _Malformed as error:
            self.counts.malformed += 1
            if self._state is not _State.STREAMING:
                raise ProtocolError(POLICY, f"expected a media stream: {error}") from None
            if self.counts.malformed > MAX_MALFORMED:
                raise ProtocolError(POLICY, f"too many malformed messages; the last: {error}") from None
            return None

    def _accept(self, message: dict[str, Any]) -> Event | None:
        name = _text(message, "event")
        if name not in _KNOWN:
            self.counts.unknown += 1
            return None
        after = _TRANSITIONS.get((self._state, name))
        if after is None:
            raise ProtocolError(PROTOCOL_ERROR, f"{name} is out of order: the stream is {self._state.value}")
        if self._state is _State.STREAMING and _text(message, "streamSid") != self.stream_sid:
            raise _Malformed("streamSid is not this stream's")
        sequence = _number(message, "sequenceNumber") if "sequenceNumber" in message else None
        event = self._event(name, message)
        self._state = after
        self._count_sequence(sequence)
        return event

    def _event(self, name: str, message: dict[str, Any]) -> Event | None:
        match name:
            case "connected":
                return Connected(_text(message, "protocol", "Call"), _text(message, "version", ""))
            case "start":
                return self._start(message)
            case "media":
                return self._media(_object(message, "media"))
            case "mark":
                return Mark(_text(_object(message, "mark"), "name"))
            case "dtmf":
                digit = _text(_object(message, "dtmf"), "digit")
                if digit not in _KEYS:
                    raise _Malformed("dtmf.digit is no key of a telephone")
                return Dtmf(digit)
            case _:
                return Stop()

    def _start(self, message: dict[str, Any]) -> Start:
        start = _object(message, "start")
        audio = _object(start, "mediaFormat")
        if (audio.get("encoding"), _number(audio, "sampleRate"), _number(audio, "channels")) != _FORMAT:
            raise ProtocolError(UNSUPPORTED, "mediaFormat must be audio/x-mulaw, 8000 Hz, 1 channel")
        stream_sid = _text(start, "streamSid", "") or _text(message, "streamSid")
        tracks = start.get("tracks", ["inbound"])
        if not isinstance(tracks, list) or len(tracks) > 2 or not all(isinstance(t, str) for t in tracks):
            raise _Malformed("start.tracks is a list of at most two names")
        given = start.get("customParameters") or {}
        if not isinstance(given, dict) or len(given) > MAX_PARAMETERS:
            raise _Malformed(f"start.customParameters has at most {MAX_PARAMETERS} entries")
        parameters = {key: _text(given, key, "") for key in given}
        started = Start(stream_sid, _text(start, "callSid"), _text(start, "accountSid", ""), tuple(tracks), parameters)
        self.stream_sid = stream_sid
        return started

    def _media(self, media: dict[str, Any]) -> Media | None:
        if _text(media, "track", "inbound") != "inbound":
            self.counts.unknown += 1  # our own voice, or a track of a later version
            return None
        payload = _payload(media)
        chunk, timestamp = _number(media, "chunk"), _number(media, "timestamp")
        last, lost = self._chunk, 0
        repeated = last is not None and chunk <= last
        if last is not None and not repeated:
            lost = chunk - last - 1
        if not repeated:
            self._chunk = chunk
        self.counts.lost += lost
        self.counts.repeated += repeated
        return Media(payload, chunk, timestamp, lost, repeated)

    def _count_sequence(self, number: int | None) -> None:
        if number is None:
            return
        if self._sequence is not None:
            self.counts.gaps += number > self._sequence + 1
            self.counts.repeats += number <= self._sequence
        self._sequence = max(number, self._sequence or 0)

    def media(self, payload: bytes) -> str:
        """A message that queues audio for the caller: μ-law, whole 20 ms frames."""
        return self._message("media", {"payload": base64.b64encode(payload).decode("ascii")})

    def mark(self, name: str) -> str:
        """A message that asks for `name` back when playback reaches this point."""
        return self._message("mark", {"name": name})

    def clear(self) -> str:
        """A message that drops all queued audio; the marks in it come back at once."""
        return self._message("clear", None)

    def _message(self, event: str, content: dict[str, str] | None) -> str:
        if not self.stream_sid:
            raise RuntimeError(f"{event}: the stream has not started")
        message: dict[str, Any] = {"event": event, "streamSid": self.stream_sid}
        if content is not None:
            message[event] = content
        return json.dumps(message, separators=(",", ":"))


def _json_object(message: str) -> dict[str, Any]:
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):  # RecursionError: a few kilobytes of brackets
        raise _Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise _Malformed("not a JSON object")
    return value


def _object(message: dict[str, Any], key: str) -> dict[str, Any]:
    value = message.get(key)
    if not isinstance(value, dict):
        raise _Malformed(f"{key} is missing or no object")
    return value


def _text(message: dict[str, Any], key: str, default: str | None = None) -> str:
    """A text of bounded length; without a default it must be there and not be empty."""
    value = message.get(key, default)
    if not isinstance(value, str) or len(value) > MAX_TEXT or (default is None and not value):
        raise _Malformed(f"{key[:40]} is missing or no text of at most {MAX_TEXT} characters")
    return value


def _number(message: dict[str, Any], key: str) -> int:
    """A count: Twilio writes most of them as text."""
    value = message.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**15 else ""
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        raise _Malformed(f"{key} is missing or no count")
    return int(value)


def _payload(media: dict[str, Any]) -> bytes:
    text = media.get("payload")
    if not isinstance(text, str):
        raise _Malformed("media.payload is missing or no text")
    try:
        payload = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _Malformed("media.payload is not base64") from None
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(TOO_BIG, f"media.payload has at most {MAX_PAYLOAD} bytes")
    return payload
