import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import media_stream as m
from telephony.errors import ProtocolError
from telephony.media_stream import Dtmf, Mark, Media, Start
from telephony.plivo.messages import PlivoStream

STREAM = "87654321-4321-4321-4321-cba987654321"
CALL = "12345678-1234-1234-1234-123456789abc"


def start(headers: str = "token=t;agent=demo", **audio: object) -> dict[str, Any]:
    return {
        "event": "start",
        "sequenceNumber": 1,
        "start": {
            "callId": CALL,
            "streamId": STREAM,
            "accountId": "MAXXXXXXXXXXXXXXXXXX",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, **audio},
        },
        "extra_headers": headers,
    }


def message(event: str, number: int, **content: object) -> str:
    return json.dumps({"event": event, "sequenceNumber": number, "streamId": STREAM, **content})


def media(chunk: int, **changes: object) -> str:
    return message(
        "media",
        chunk + 1,
        media={"track": "inbound", "chunk": chunk, "timestamp": "1705312200000", "payload": "////", **changes},
        extra_headers="token=t",
    )


def streaming() -> PlivoStream:
    stream = PlivoStream()
    stream.receive(json.dumps(start()))
    return stream


def test_a_call_is_started_heard_and_its_checkpoints_and_keys_come_through() -> None:
    stream = PlivoStream()
    said = [
        json.dumps(start()),
        media(1),
        message("dtmf", 3, dtmf={"track": "inbound", "digit": "*", "timestamp": "5"}),
        message("playedStream", 4, name="t1:800:0"),
        message("clearedAudio", 5),
    ]
    assert [stream.receive(each) for each in said] == [
        Start(STREAM, CALL, "MAXXXXXXXXXXXXXXXXXX", ("inbound",), {"token": "t", "agent": "demo"}),
        Media(b"\xff\xff\xff", 1, 1705312200000),
        Dtmf("*"),
        Mark("t1:800:0"),
        None,
    ]
    assert stream.counts == m.StreamCounts()


@pytest.mark.parametrize(
    ("headers", "parameters"),
    [("", {}), ("a=1,b=2", {"a": "1", "b": "2"}), (" a = 1 ;", {"a": "1"}), ("alone", {"alone": ""})],
)
def test_extra_headers_are_the_parameters(headers: str, parameters: dict[str, str]) -> None:
    started = PlivoStream().receive(json.dumps(start(headers)))
    assert isinstance(started, Start)
    assert started.parameters == parameters


@pytest.mark.parametrize("audio", [{"encoding": "audio/x-l16"}, {"sampleRate": 16000}])
def test_a_codec_that_nobody_asked_for_is_refused(audio: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as caught:
        PlivoStream().receive(json.dumps(start("", **audio)))
    assert caught.value.code == m.UNSUPPORTED


def test_nothing_comes_before_the_start() -> None:
    with pytest.raises(ProtocolError):
        PlivoStream().receive(media(1))


def test_messages_for_plivo_are_as_it_documents_them() -> None:
    stream = streaming()
    assert json.loads(stream.media(b"\xff\xff\xff")) == {
        "event": "playAudio",
        "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "////"},
    }
    assert json.loads(stream.mark("a")) == {"event": "checkpoint", "streamId": STREAM, "name": "a"}
    assert json.loads(stream.clear()) == {"event": "clearAudio", "streamId": STREAM}


@given(st.text() | st.binary() | st.builds(json.dumps, st.dictionaries(st.text(max_size=9), st.integers() | st.text())))
def test_nothing_breaks_it_but_a_protocol_error(sent: str | bytes) -> None:
    for stream in (PlivoStream(), streaming()):
        try:
            stream.receive(sent)
        except ProtocolError:
            assert stream.receive(media(1)) is None
