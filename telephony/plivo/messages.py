"""Plivo audio streaming in both directions: its names for what `telephony.media_stream` describes.

Source: plivo.com/docs/voice-agents/audio-streaming/concepts/audio-streaming-reference.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from telephony.errors import ProtocolError
from telephony.media_stream import (
    MAX_PARAMETERS,
    UNSUPPORTED,
    Connected,
    Event,
    Malformed,
    Mark,
    MediaStream,
    Start,
    StreamState,
    Transitions,
    encode,
    read_number,
    read_object,
    read_text,
    read_tracks,
)

_CONTENT_TYPE: Final = "audio/x-mulaw"
_RATE: Final = 8000
_SEPARATOR: Final = re.compile(r"[;,]")


class PlivoStream(MediaStream):
    """A stream as Plivo speaks it: it begins with `start` and ends with the connection.

    A `clear` is acknowledged, and the checkpoints that were not played are forgotten.
    """

    transitions: ClassVar[Transitions] = {
        (StreamState.OPENED, "start"): StreamState.STREAMING,
        (StreamState.STREAMING, "media"): StreamState.STREAMING,
        (StreamState.STREAMING, "dtmf"): StreamState.STREAMING,
        (StreamState.STREAMING, "playedStream"): StreamState.STREAMING,
        (StreamState.STREAMING, "clearedAudio"): StreamState.STREAMING,
    }
    sequence_field = "sequenceNumber"
    stream_field = "streamId"

    def media(self, payload: bytes) -> str:
        """A message that queues audio for the caller."""
        audio = {"contentType": _CONTENT_TYPE, "sampleRate": _RATE, "payload": encode(payload)}
        return self._message("playAudio", {"media": audio})

    def mark(self, name: str) -> str:
        """A message that asks for `name` back when playback reaches this point."""
        return self._message("checkpoint", {"streamId": self.stream_id, "name": name})

    def clear(self) -> str:
        """A message that drops all queued audio."""
        return self._message("clearAudio", {"streamId": self.stream_id})

    def _event(self, name: str, message: dict[str, Any]) -> Event | None:
        if name == "playedStream":
            return Mark(read_text(message, "name"))
        return super()._event(name, message)

    def _connected(self, message: dict[str, Any]) -> Connected:
        raise AssertionError("a stream of Plivo has no such message")

    def _start(self, message: dict[str, Any]) -> Start:
        start = read_object(message, "start")
        audio = read_object(start, "mediaFormat")
        if (audio.get("encoding"), read_number(audio, "sampleRate")) != (_CONTENT_TYPE, _RATE):
            raise ProtocolError(UNSUPPORTED, "mediaFormat must be audio/x-mulaw, 8000 Hz")
        return Start(
            read_text(start, "streamId"),
            read_text(start, "callId"),
            read_text(start, "accountId", ""),
            read_tracks(start),
            _parameters(read_text(message, "extra_headers", "")),
        )


def _parameters(headers: str) -> dict[str, str]:
    """The stream's `extraHeaders`, "a=1;b=2"; Plivo's documents separate them with commas as well."""
    pairs = [pair.partition("=") for pair in _SEPARATOR.split(headers) if pair.strip()]
    if len(pairs) > MAX_PARAMETERS:
        raise Malformed(f"extra_headers has at most {MAX_PARAMETERS} entries")
    return {name.strip(): value.strip() for name, _, value in pairs}
