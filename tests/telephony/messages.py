"""Messages as Twilio sends them, for tests."""

from __future__ import annotations

import base64
import json
from typing import Any

STREAM = "MZ" + "1" * 32
CALL = "CA" + "2" * 32
ACCOUNT = "AC" + "0" * 32


def connected() -> dict[str, Any]:
    return {"event": "connected", "protocol": "Call", "version": "1.0.0"}


def start(parameters: dict[str, str] | None = None, call_sid: str = CALL, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "streamSid": STREAM,
        "accountSid": ACCOUNT,
        "callSid": call_sid,
        "tracks": ["inbound"],
        "customParameters": parameters or {},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    }
    content.update(changes)
    return {"event": "start", "sequenceNumber": "1", "streamSid": STREAM, "start": content}


def media(chunk: int, payload: bytes = b"\xff" * 160, /, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "track": "inbound",
        "chunk": str(chunk),
        "timestamp": str(20 * (chunk - 1)),
        "payload": base64.b64encode(payload).decode(),
    }
    content.update(changes)
    return {"event": "media", "sequenceNumber": str(chunk + 1), "streamSid": STREAM, "media": content}


def mark(name: str) -> dict[str, Any]:
    return {"event": "mark", "streamSid": STREAM, "mark": {"name": name}}


def dtmf(digit: str) -> dict[str, Any]:
    return {"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": digit}}


def stop() -> dict[str, Any]:
    return {"event": "stop", "streamSid": STREAM, "stop": {"accountSid": ACCOUNT, "callSid": CALL}}


def text(message: dict[str, Any]) -> str:
    return json.dumps(message)
