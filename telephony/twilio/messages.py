"""Twilio Media Streams: its names for what `telephony.media_stream` describes.

Source: twilio.com/docs/voice/media-streams/websocket-messages.
"""

from __future__ import annotations

from typing import Any, Final

from telephony.errors import ProtocolError
from telephony.media_stream import (
    UNSUPPORTED,
    Connected,
    MediaStream,
    Start,
    encode,
    read_number,
    read_object,
    read_parameters,
    read_text,
    read_tracks,
)

_FORMAT: Final = ("audio/x-mulaw", 8000, 1)


class TwilioStream(MediaStream):
    """A stream as Twilio speaks it; a `clear` returns the marks that were not played."""

    sequence_field = "sequenceNumber"
    stream_field = "streamSid"

    def media(self, payload: bytes) -> str:
        """A message that queues audio for the caller."""
        return self._message("media", {"streamSid": self.stream_id, "media": {"payload": encode(payload)}})

    def mark(self, name: str) -> str:
        """A message that asks for `name` back when playback reaches this point."""
        return self._message("mark", {"streamSid": self.stream_id, "mark": {"name": name}})

    def clear(self) -> str:
        """A message that drops all queued audio."""
        return self._message("clear", {"streamSid": self.stream_id})

    def _connected(self, message: dict[str, Any]) -> Connected:
        return Connected(read_text(message, "protocol", "Call"), read_text(message, "version", ""))

    def _start(self, message: dict[str, Any]) -> Start:
        start = read_object(message, "start")
        audio = read_object(start, "mediaFormat")
        if (audio.get("encoding"), read_number(audio, "sampleRate"), read_number(audio, "channels")) != _FORMAT:
            raise ProtocolError(UNSUPPORTED, "mediaFormat must be audio/x-mulaw, 8000 Hz, 1 channel")
        return Start(
            read_text(start, "streamSid", "") or read_text(message, "streamSid"),
            read_text(start, "callSid"),
            read_text(start, "accountSid", ""),
            read_tracks(start),
            read_parameters(start, "customParameters"),
        )
