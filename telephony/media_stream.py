"""What the carriers' two-way media streams have in common, without I/O.

Feed every WebSocket message to `MediaStream.receive`; it returns what happened, or None where there is nothing to
act on, or raises `ProtocolError` with the code to close with. Messages for the carrier are made by `media`, `mark`
and `clear`. What each carrier calls things stands in `telephony.twilio`, `telephony.telnyx` and `telephony.plivo`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, TypeAlias

from telephony.errors import ProtocolError

MAX_MESSAGE: Final = 96 * 1024
"""Characters of one message: the largest payload in base64 with room for its envelope."""

MAX_PAYLOAD: Final = 64 * 1024
"""Bytes of audio in one message; carriers send 160."""

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


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message: the protocol the rest follows."""

    protocol: str
    version: str


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins; it is μ-law, 8 kHz, mono. `parameters` are those we gave with its URL."""

    stream_id: str
    call_id: str
    account_id: str
    tracks: tuple[str, ...]
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """Audio of the caller, μ-law at 8 kHz.

    `timestamp` in ms, since the stream began or since 1970, as the carrier counts. `lost` counts the chunks
    missing right before this one; `repeated` says that this chunk, or a later one, had been received already.
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


class StreamState(Enum):
    """How far a stream has come."""

    OPENED = "opened"
    CONNECTED = "connected"
    STREAMING = "streaming"
    ENDED = "ended"


Transitions: TypeAlias = Mapping[tuple[StreamState, str], StreamState]

TRANSITIONS: Final[Transitions] = {
    (StreamState.OPENED, "connected"): StreamState.CONNECTED,
    (StreamState.CONNECTED, "start"): StreamState.STREAMING,
    (StreamState.STREAMING, "media"): StreamState.STREAMING,
    (StreamState.STREAMING, "mark"): StreamState.STREAMING,
    (StreamState.STREAMING, "dtmf"): StreamState.STREAMING,
    (StreamState.CONNECTED, "stop"): StreamState.ENDED,
    (StreamState.STREAMING, "stop"): StreamState.ENDED,
}
"""Rule 1: everything that may happen, and when. An event known but not listed for a state breaks the protocol."""


class Malformed(Exception):
    """A message that is not one; whether that ends the stream depends on the state."""


class MediaStream(ABC):
    """One stream's protocol state: `connected`, `start`, then audio, marks and keys until `stop`.

    Carriers may add events and fields: what is unknown is counted and passed over. Anything malformed before
    the stream has started, a message out of order, a binary message and one too big end the connection;
    in a running stream a malformed message is passed over until there are more than `MAX_MALFORMED`.
    """

    transitions: ClassVar[Transitions] = TRANSITIONS
    sequence_field: ClassVar[str]
    """Where a message has its number."""
    stream_field: ClassVar[str]
    """Where a message of a running stream names it."""

    def __init__(self) -> None:
        self.stream_id = ""
        self.counts = StreamCounts()
        self._known = frozenset(event for _, event in self.transitions)
        self._state = StreamState.OPENED
        self._sequence: int | None = None
        self._chunk: int | None = None

    def receive(self, message: str | bytes) -> Event | None:
        """Take one WebSocket message. Raises `ProtocolError`, after which the stream has ended."""
        if self._state is StreamState.ENDED:
            self.counts.unknown += 1
            return None
        try:
            return self._receive(message)
        except ProtocolError:
            self._state = StreamState.ENDED
            raise

    @abstractmethod
    def media(self, payload: bytes) -> str:
        """A message that queues audio for the caller: μ-law, whole 20 ms frames."""

    @abstractmethod
    def mark(self, name: str) -> str:
        """A message that asks for `name` back when playback reaches this point."""

    @abstractmethod
    def clear(self) -> str:
        """A message that drops all queued audio; the carrier may return the marks in it at once."""

    def _event(self, name: str, message: dict[str, Any]) -> Event | None:
        """What a message in its place means. Raises `Malformed` or `ProtocolError`."""
        match name:
            case "connected":
                return self._connected(message)
            case "start":
                return self._start(message)
            case "media":
                return self._audio(read_object(message, "media"))
            case "mark":
                return Mark(read_text(read_object(message, "mark"), "name"))
            case "dtmf":
                return read_key(read_object(message, "dtmf"))
            case _:
                return Stop() if name == "stop" else None

    @abstractmethod
    def _connected(self, message: dict[str, Any]) -> Connected:
        """The protocol that follows, where the carrier names it."""

    @abstractmethod
    def _start(self, message: dict[str, Any]) -> Start:
        """The start of a stream of μ-law, 8 kHz, mono. Raises `Malformed`, or `ProtocolError` for other audio."""

    def _name(self, message: dict[str, Any]) -> str:
        return read_text(message, "event")

    def _receive(self, message: str | bytes) -> Event | None:
        if not isinstance(message, str):
            raise ProtocolError(UNSUPPORTED, "messages are text, not binary")
        if len(message) > MAX_MESSAGE:
            raise ProtocolError(TOO_BIG, f"a message has at most {MAX_MESSAGE} characters")
        try:
            return self._accept(_json_object(message))
        except Malformed as error:
            self.counts.malformed += 1
            if self._state is not StreamState.STREAMING:
                raise ProtocolError(POLICY, f"expected a media stream: {error}") from None
            if self.counts.malformed > MAX_MALFORMED:
                raise ProtocolError(POLICY, f"too many malformed messages; the last: {error}") from None
            return None

    def _accept(self, message: dict[str, Any]) -> Event | None:
        name = self._name(message)
        if name not in self._known:
            self.counts.unknown += 1
            return None
        after = self.transitions.get((self._state, name))
        if after is None:
            raise ProtocolError(PROTOCOL_ERROR, f"{name} is out of order: the stream is {self._state.value}")
        if self._state is StreamState.STREAMING and read_text(message, self.stream_field) != self.stream_id:
            raise Malformed(f"{self.stream_field} is not this stream's")
        sequence = read_number(message, self.sequence_field) if self.sequence_field in message else None
        event = self._event(name, message)
        if isinstance(event, Start):
            self.stream_id = event.stream_id
        self._state = after
        self._count_sequence(sequence)
        return event

    def _audio(self, media: dict[str, Any]) -> Media | None:
        """The caller's audio out of a message's `media`; None for our own voice."""
        if read_text(media, "track", "inbound") != "inbound":
            self.counts.unknown += 1  # our own voice, or a track of a later version
            return None
        payload = _payload(media)
        chunk, timestamp = read_number(media, "chunk"), read_number(media, "timestamp")
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

    def _message(self, event: str, content: Mapping[str, object]) -> str:
        if not self.stream_id:
            raise RuntimeError(f"{event}: the stream has not started")
        return json.dumps({"event": event, **content}, separators=(",", ":"))


def encode(payload: bytes) -> str:
    """Audio as messages carry it."""
    return base64.b64encode(payload).decode("ascii")


def read_key(dtmf: dict[str, Any]) -> Dtmf:
    """The key of a `dtmf` object."""
    digit = read_text(dtmf, "digit")
    if digit not in _KEYS:
        raise Malformed("dtmf.digit is no key of a telephone")
    return Dtmf(digit)


def read_tracks(start: dict[str, Any]) -> tuple[str, ...]:
    """The names of the tracks of a stream."""
    tracks = start.get("tracks", ["inbound"])
    if not isinstance(tracks, list) or len(tracks) > 2 or not all(isinstance(track, str) for track in tracks):
        raise Malformed("start.tracks is a list of at most two names")
    return tuple(tracks)


def read_parameters(start: dict[str, Any], key: str) -> dict[str, str]:
    """The parameters that were given with the stream's URL."""
    given = start.get(key) or {}
    if not isinstance(given, dict) or len(given) > MAX_PARAMETERS:
        raise Malformed(f"start.{key} has at most {MAX_PARAMETERS} entries")
    return {name: read_text(given, name, "") for name in given}


def _json_object(message: str) -> dict[str, Any]:
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):  # RecursionError: a few kilobytes of brackets
        raise Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def read_object(message: dict[str, Any], key: str) -> dict[str, Any]:
    """An object that must be there."""
    value = message.get(key)
    if not isinstance(value, dict):
        raise Malformed(f"{key} is missing or no object")
    return value


def read_text(message: dict[str, Any], key: str, default: str | None = None) -> str:
    """A text of bounded length; without a default it must be there and not be empty."""
    value = message.get(key, default)
    if not isinstance(value, str) or len(value) > MAX_TEXT or (default is None and not value):
        raise Malformed(f"{key[:40]} is missing or no text of at most {MAX_TEXT} characters")
    return value


def read_number(message: dict[str, Any], key: str) -> int:
    """A count: some carriers write it as text."""
    value = message.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**15 else ""
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        raise Malformed(f"{key} is missing or no count")
    return int(value)


def _payload(media: dict[str, Any]) -> bytes:
    text = media.get("payload")
    if not isinstance(text, str):
        raise Malformed("media.payload is missing or no text")
    try:
        payload = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("media.payload is not base64") from None
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(TOO_BIG, f"media.payload has at most {MAX_PAYLOAD} bytes")
    return payload
