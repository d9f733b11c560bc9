"""What client and server tell each other beside the media: JSON objects with a `type`, one a message.

From the client: `text` {text}, `interrupt`, `mute` {muted}, `key` {digit}, `ping` {id}, `end`.
To the client: `ready`, `state`, `caller` {speaking}, `transcript`, `saying` {turn, text} (what the agent begins to
say), `word` {turn, text, start, end} (of that text, as it is heard), `answer`, `discarded`, `latency`, `avatar` {state,
mood, renderer, fallback}, `quality`, `video` {level, frame_rate, scale}, `clear`, `pong`, `error` {code, error}, `bye`
{reason}, and whatever else the session makes known.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

MAX_MESSAGE: Final = 16 * 1024
"""Bytes of a message."""
MAX_TEXT: Final = 4_000
"""Characters of a typed message."""
_KEYS: Final = frozenset("0123456789*#ABCD")


class BadMessage(Exception):
    """A client's message that cannot be used; the text says why and goes back to it."""


@dataclass(frozen=True, slots=True)
class Text:
    """The caller typed this."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The caller wants the agent to stop speaking."""


@dataclass(frozen=True, slots=True)
class Mute:
    """The caller's microphone counts, or does not."""

    muted: bool


@dataclass(frozen=True, slots=True)
class Key:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class Ping:
    """The client measures the way here and back."""

    id: int | str


@dataclass(frozen=True, slots=True)
class End:
    """The caller hangs up."""


ClientEvent: TypeAlias = Text | Interrupt | Mute | Key | Ping | End


def parse(message: str | bytes) -> ClientEvent:
    """A client's message. Raises `BadMessage`."""
    if len(message) > MAX_MESSAGE:
        raise BadMessage(f"a message has at most {MAX_MESSAGE} bytes")
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        raise BadMessage("a message is a JSON object") from None
    if not isinstance(content, dict):
        raise BadMessage("a message is a JSON object")
    return _event(content)


def _event(content: dict[str, Any]) -> ClientEvent:
    match content:
        case {"type": "text", "text": str(text)} if text.strip():
            if len(text) > MAX_TEXT:
                raise BadMessage(f"a text has at most {MAX_TEXT} characters")
            return Text(text.strip())
        case {"type": "text"}:
            raise BadMessage("text: a string that is not empty")
        case {"type": "interrupt"}:
            return Interrupt()
        case {"type": "mute", "muted": bool(muted)}:
            return Mute(muted)
        case {"type": "mute"}:
            raise BadMessage("muted: true or false")
        case {"type": "key", "digit": str(digit)} if digit in _KEYS:
            return Key(digit)
        case {"type": "key"}:
            raise BadMessage("digit: one of 0-9, *, #, A-D")
        case {"type": "ping"}:
            number = content.get("id", 0)
            return Ping(number if isinstance(number, int | str) and len(str(number)) <= 64 else 0)
        case {"type": "end"}:
            return End()
    raise BadMessage("type: one of text, interrupt, mute, key, ping, end")


def encode(event: str, data: dict[str, object]) -> str:
    """A message to the client."""
    return json.dumps({"type": event, **data}, ensure_ascii=False, separators=(",", ":"), default=str)
