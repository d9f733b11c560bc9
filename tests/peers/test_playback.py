import base64
from typing import Any

import pytest

from tests.peers.playback import Playback


def media(payload: bytes) -> dict[str, Any]:
    return {"event": "media", "media": {"payload": base64.b64encode(payload).decode()}}


def mark(name: str) -> dict[str, Any]:
    return {"event": "mark", "mark": {"name": name}}


def test_audio_plays_in_whole_frames_and_marks_come_back_when_reached() -> None:
    playback = Playback()
    for message in (media(b"a" * 200), mark("one"), media(b"b" * 120), mark("two")):
        playback.receive(message)
    assert playback.queued_frames == 2
    assert playback.tick() == ([], b"a" * 160)
    assert playback.tick() == (["one"], b"a" * 40 + b"b" * 120)
    assert playback.tick() == (["two"], None)
    assert playback.tick() == ([], None)


def test_a_clear_drops_the_audio_and_returns_the_marks_at_once() -> None:
    playback = Playback()
    for message in (media(b"a" * 400), mark("one"), {"event": "clear"}, media(b"b" * 160), mark("two")):
        playback.receive(message)
    assert playback.tick() == (["one"], b"b" * 160)
    assert playback.tick() == (["two"], None)


def test_what_twilio_would_not_take_is_an_error() -> None:
    with pytest.raises(ValueError, match="stop"):
        Playback().receive({"event": "stop"})
