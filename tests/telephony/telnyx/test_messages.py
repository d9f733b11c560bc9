import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import media_stream as m
from telephony.errors import ProtocolError
from telephony.media_stream import Connected, Dtmf, Mark, Media, Start, Stop
from telephony.telnyx.messages import TelnyxStream

STREAM = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"
CALL = "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ"
CONNECTED = {"event": "connected", "version": "1.0.0"}


def start(**audio: object) -> dict[str, Any]:
    return {
        "event": "start",
        "sequence_number": "1",
        "stream_id": STREAM,
        "start": {
            "user_id": "3E6F995F-85F7-4705-9741-53B116D28237",
            "call_control_id": CALL,
            "client_state": "aGF2ZSBhIG5pY2UgZGF5ID1d",
            "custom_parameters": {"token": "t"},
            "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1, **audio},
        },
    }


def message(event: str, number: int, **content: object) -> str:
    return json.dumps({"event": event, "sequence_number": str(number), "stream_id": STREAM, **content})


def media(chunk: int, **changes: object) -> str:
    return message(
        "media",
        chunk + 1,
        media={"track": "inbound", "chunk": str(chunk), "timestamp": "5", "payload": "////", **changes},
    )


def streaming() -> TelnyxStream:
    stream = TelnyxStream()
    stream.receive(json.dumps(CONNECTED))
    stream.receive(json.dumps(start()))
    return stream


def test_a_call_is_connected_started_heard_marked_and_stopped() -> None:
    stream = TelnyxStream()
    said = [
        json.dumps(CONNECTED),
        json.dumps(start()),
        media(1),
        message("mark", 3, mark={"name": "t1:800:0"}),
        message("dtmf", 4, dtmf={"digit": "5"}),
        message("stop", 5, stop={"call_control_id": CALL}),
    ]
    assert [stream.receive(each) for each in said] == [
        Connected("Telnyx", "1.0.0"),
        Start(STREAM, CALL, "3E6F995F-85F7-4705-9741-53B116D28237", ("inbound",), {"token": "t"}),
        Media(b"\xff\xff\xff", 1, 5),
        Mark("t1:800:0"),
        Dtmf("5"),
        Stop(),
    ]
    assert stream.counts == m.StreamCounts()


@pytest.mark.parametrize("audio", [{"encoding": "OPUS"}, {"sample_rate": 16000}, {"channels": 2}])
def test_a_codec_that_nobody_asked_for_is_refused(audio: dict[str, object]) -> None:
    stream = TelnyxStream()
    stream.receive(json.dumps(CONNECTED))
    with pytest.raises(ProtocolError) as caught:
        stream.receive(json.dumps(start(**audio)))
    assert caught.value.code == m.UNSUPPORTED


def test_audio_that_comes_late_is_told_from_audio_that_was_lost() -> None:
    stream = streaming()
    found = [stream.receive(media(chunk)) for chunk in (1, 3, 2, 4)]
    assert [(e.chunk, e.lost, e.repeated) for e in found if isinstance(e, Media)] == [
        (1, 0, False),
        (3, 1, False),
        (2, 0, True),
        (4, 0, False),
    ]


def test_our_own_voice_is_not_heard() -> None:
    assert streaming().receive(media(1, track="outbound")) is None


def test_messages_for_telnyx_are_as_it_documents_them() -> None:
    stream = streaming()
    assert json.loads(stream.media(b"\xff\xff\xff")) == {"event": "media", "media": {"payload": "////"}}
    assert json.loads(stream.mark("a")) == {"event": "mark", "mark": {"name": "a"}}
    assert json.loads(stream.clear()) == {"event": "clear"}


def test_an_error_before_the_start_ends_the_stream_and_says_which() -> None:
    stream = TelnyxStream()
    stream.receive(json.dumps(CONNECTED))
    with pytest.raises(ProtocolError, match="Telnyx reports invalid_media"):
        stream.receive(json.dumps({"event": "error", "payload": {"code": 100002, "title": "invalid_media"}}))


def test_a_refused_message_of_ours_is_counted() -> None:
    stream = streaming()
    assert stream.receive(message("error", 3, payload={"code": 100003, "title": "malformed_frame"})) is None
    assert stream.counts.malformed == 1


@given(st.text() | st.binary() | st.builds(json.dumps, st.dictionaries(st.text(max_size=9), st.integers() | st.text())))
def test_nothing_breaks_it_but_a_protocol_error(sent: str | bytes) -> None:
    for stream in (TelnyxStream(), streaming()):
        try:
            stream.receive(sent)
        except ProtocolError:
            assert stream.receive(media(1)) is None
