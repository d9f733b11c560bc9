"""Telnyx media streaming in both directions (`stream_bidirectional_mode: rtp`): its names for what
`telephony.media_stream` describes.

Source: developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from telephony.errors import ProtocolError
from telephony.media_stream import (
    POLICY,
    TRANSITIONS,
    UNSUPPORTED,
    Connected,
    Event,
    Malformed,
    MediaStream,
    Start,
    StreamState,
    Transitions,
    encode,
    read_number,
    read_object,
    read_parameters,
    read_text,
)

_FORMAT: Final = ("PCMU", 8000, 1)


class TelnyxStream(MediaStream):
    """A stream as Telnyx speaks it; a `clear` returns the marks that were not played.

    Audio may come out of order; what is behind its time is taken for repeated. An `error` message ends the stream
    where it comes before the start; later ones tell that a message of ours was refused, and are counted.
    """

    transitions: ClassVar[Transitions] = {
        **TRANSITIONS,
        (StreamState.CONNECTED, "error"): StreamState.ENDED,
        (StreamState.STREAMING, "error"): StreamState.STREAMING,
    }
    sequence_field = "sequence_number"
    stream_field = "stream_id"

    def media(self, payload: bytes) -> str:
        """A message that queues audio for the caller: at least 20 ms."""
        return self._message("media", {"media": {"payload": encode(payload)}})

    def mark(self, name: str) -> str:
        """A message that asks for `name` back when playback reaches this point."""
        return self._message("mark", {"mark": {"name": name}})

    def clear(self) -> str:
        """A message that drops all queued audio."""
        return self._message("clear", {})

    def _event(self, name: str, message: dict[str, Any]) -> Event | None:
        if name == "error":
            raise self._error(message)
        return super()._event(name, message)

    def _connected(self, message: dict[str, Any]) -> Connected:
        return Connected("Telnyx", read_text(message, "version", ""))

    def _start(self, message: dict[str, Any]) -> Start:
        start = read_object(message, "start")
        audio = read_object(start, "media_format")
        if (audio.get("encoding"), read_number(audio, "sample_rate"), read_number(audio, "channels")) != _FORMAT:
            raise ProtocolError(UNSUPPORTED, "media_format must be PCMU, 8000 Hz, 1 channel")
        return Start(
            read_text(message, "stream_id"),
            read_text(start, "call_control_id"),
            read_text(start, "user_id", ""),
            ("inbound",),
            read_parameters(start, "custom_parameters"),
        )

    def _error(self, message: dict[str, Any]) -> Exception:
        if self.stream_id:
            return Malformed("Telnyx refused a message of ours")
        payload = message.get("payload")
        title = payload.get("title") if isinstance(payload, dict) else None
        return ProtocolError(POLICY, f"Telnyx reports {title if isinstance(title, str) else 'an error'}")
