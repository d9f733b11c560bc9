import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import media_stream as m
from telephony.errors import ProtocolError
from telephony.media_stream import Connected, Dtmf, Mark, Media, Start, Stop
from telephony.twilio.messages import TwilioStream
from tests.telephony import messages as twilio
from tests.telephony.messages import text


def streaming() -> TwilioStream:
    protocol = TwilioStream()
    protocol.receive(text(twilio.connected()))
    protocol.receive(text(twilio.start()))
    return protocol


def refused(protocol: TwilioStream, message: str | bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        protocol.receive(message)
    assert protocol.receive(text(twilio.media(1))) is None, "a refused stream has ended"
    return caught.value


def test_a_call_is_connected_started_heard_marked_and_stopped() -> None:
    protocol = TwilioStream()
    said = [
        twilio.connected(),
        twilio.start({"token": "t", "empty": ""}),
        twilio.media(1, b"\x00" * 160),
        twilio.mark("t1:800"),
        twilio.dtmf("#"),
        twilio.stop(),
    ]
    assert [protocol.receive(text(message)) for message in said] == [
        Connected("Call", "1.0.0"),
        Start(twilio.STREAM, twilio.CALL, twilio.ACCOUNT, ("inbound",), {"token": "t", "empty": ""}),
        Media(b"\x00" * 160, 1, 0),
        Mark("t1:800"),
        Dtmf("#"),
        Stop(),
    ]
    assert protocol.counts == m.StreamCounts()


@pytest.mark.parametrize("first", [twilio.start(), twilio.media(1), twilio.mark("m"), twilio.dtmf("1"), twilio.stop()])
def test_nothing_comes_before_connected(first: dict[str, Any]) -> None:
    assert refused(TwilioStream(), text(first)).code == m.PROTOCOL_ERROR


@pytest.mark.parametrize("second", [twilio.connected(), twilio.media(1), twilio.mark("m"), twilio.dtmf("1")])
def test_nothing_but_start_follows_connected(second: dict[str, Any]) -> None:
    protocol = TwilioStream()
    protocol.receive(text(twilio.connected()))
    assert refused(protocol, text(second)).code == m.PROTOCOL_ERROR


def test_a_stream_that_stops_before_it_starts_is_over() -> None:
    protocol = TwilioStream()
    protocol.receive(text(twilio.connected()))
    assert protocol.receive(text(twilio.stop())) == Stop()


@pytest.mark.parametrize("again", [twilio.connected(), twilio.start()])
def test_a_stream_starts_once(again: dict[str, Any]) -> None:
    again["streamSid"] = twilio.STREAM
    assert refused(streaming(), text(again)).code == m.PROTOCOL_ERROR


def test_what_follows_stop_is_counted_and_passed_over() -> None:
    protocol = streaming()
    protocol.receive(text(twilio.stop()))
    assert protocol.receive(text(twilio.media(1))) is None
    assert protocol.receive(b"\x00") is None
    assert protocol.counts.unknown == 2


def test_unknown_events_and_fields_are_passed_over_at_any_time() -> None:
    protocol = TwilioStream()
    news = text({"event": "weather", "streamSid": "MZother", "weather": [1]})
    assert protocol.receive(news) is None
    protocol.receive(text({**twilio.connected(), "region": "us1"}))
    assert protocol.receive(news) is None
    assert isinstance(protocol.receive(text(twilio.start(mood="good"))), Start)
    assert protocol.receive(news) is None
    assert protocol.counts.unknown == 3


def test_audio_of_another_track_is_not_the_callers() -> None:
    protocol = streaming()
    assert protocol.receive(text(twilio.media(1, track="outbound"))) is None
    assert protocol.receive(text(twilio.media(1))) == Media(b"\xff" * 160, 1, 0)
    assert protocol.counts.unknown == 1


def test_lost_and_repeated_chunks_are_reported_with_the_audio() -> None:
    protocol = streaming()
    got = [protocol.receive(text(twilio.media(chunk))) for chunk in (1, 2, 5, 4, 5, 6)]
    assert [(e.chunk, e.lost, e.repeated) for e in got if isinstance(e, Media)] == [
        (1, 0, False), (2, 0, False), (5, 2, False), (4, 0, True), (5, 0, True), (6, 0, False)
    ]  # fmt: skip
    assert (protocol.counts.lost, protocol.counts.repeated) == (2, 2)


def test_gaps_and_repeats_of_sequence_numbers_are_counted() -> None:
    protocol = streaming()
    for sequence, chunk in ((2, 1), (2, 2), (7, 3), (3, 4)):
        protocol.receive(text({**twilio.media(chunk), "sequenceNumber": str(sequence)}))
    assert (protocol.counts.gaps, protocol.counts.repeats) == (1, 2)


def test_numbers_may_be_numbers() -> None:
    assert streaming().receive(text(twilio.media(1, chunk=1, timestamp=0))) == Media(b"\xff" * 160, 1, 0)


MALFORMED = [
    "",
    "hello",
    "[]",
    "null",
    '"media"',
    "[" * 5000,
    "{}",
    '{"event": 1}',
    '{"event": ""}',
    text({**twilio.media(1), "streamSid": "MZother"}),
    text({**twilio.media(1), "streamSid": None}),
    text({**twilio.media(1), "media": "audio"}),
    text(twilio.media(1, payload=None)),
    text(twilio.media(1, payload="not base64!")),
    text(twilio.media(1, payload="AAA")),
    text(twilio.media(1, chunk="one")),
    text(twilio.media(1, chunk="-1")),
    text(twilio.media(1, chunk="9" * 5000)),
    text(twilio.media(1, chunk=10**400)),
    text(twilio.media(1, chunk=True)),
    text(twilio.media(1, timestamp=None)),
    text({**twilio.media(1), "sequenceNumber": "x"}),
    text(twilio.mark("")),
    text(twilio.mark("m" * 2000)),
    text(twilio.dtmf("7 7")),
    text(twilio.dtmf("E")),
]


@pytest.mark.parametrize("message", MALFORMED)
def test_a_running_stream_survives_a_malformed_message(message: str) -> None:
    protocol = streaming()
    assert protocol.receive(message) is None
    assert protocol.counts.malformed == 1
    assert isinstance(protocol.receive(text(twilio.media(1))), Media)


@pytest.mark.parametrize("message", MALFORMED[:9])
def test_a_malformed_message_before_the_start_ends_the_connection(message: str) -> None:
    assert refused(TwilioStream(), message).code == m.POLICY


@pytest.mark.parametrize(
    "changes",
    [
        {"callSid": None},
        {"callSid": ""},
        {"streamSid": 7},
        {"tracks": "inbound"},
        {"tracks": [1]},
        {"customParameters": [1]},
        {"customParameters": {"token": 1}},
        {"customParameters": {f"p{i}": "" for i in range(100)}},
        {"customParameters": {"ü" * 100: 1}},
    ],
)
def test_a_start_without_what_it_needs_is_refused(changes: dict[str, Any]) -> None:
    protocol = TwilioStream()
    protocol.receive(text(twilio.connected()))
    error = refused(protocol, text(twilio.start(**changes)))
    assert error.code == m.POLICY
    assert len(error.reason.encode()) <= 123


def test_a_start_with_a_broken_sequence_number_is_refused() -> None:
    protocol = TwilioStream()
    protocol.receive(text(twilio.connected()))
    assert refused(protocol, text({**twilio.start(), "sequenceNumber": "one"})).code == m.POLICY


@pytest.mark.parametrize(
    "audio",
    [
        {"encoding": "audio/opus", "sampleRate": 8000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2},
    ],
)
def test_only_mono_mulaw_at_8_khz_is_supported(audio: dict[str, Any]) -> None:
    protocol = TwilioStream()
    protocol.receive(text(twilio.connected()))
    assert refused(protocol, text(twilio.start(mediaFormat=audio))).code == m.UNSUPPORTED


def test_too_many_malformed_messages_end_the_stream() -> None:
    protocol = streaming()
    for _ in range(m.MAX_MALFORMED):
        assert protocol.receive("{") is None
    assert refused(protocol, "{").code == m.POLICY


def test_a_binary_message_ends_the_stream() -> None:
    assert refused(streaming(), b"{}").code == m.UNSUPPORTED


def test_the_largest_payload_is_taken_and_a_larger_one_is_not() -> None:
    event = streaming().receive(text(twilio.media(1, b"\x00" * m.MAX_PAYLOAD)))
    assert isinstance(event, Media)
    assert len(event.payload) == m.MAX_PAYLOAD
    assert refused(streaming(), text(twilio.media(1, b"\x00" * (m.MAX_PAYLOAD + 1)))).code == m.TOO_BIG
    assert refused(streaming(), " " * (m.MAX_MESSAGE + 1)).code == m.TOO_BIG


def test_messages_for_twilio_have_its_form() -> None:
    protocol = streaming()
    assert json.loads(protocol.media(b"\xff" * 160)) == {
        "event": "media",
        "streamSid": twilio.STREAM,
        "media": {"payload": base64.b64encode(b"\xff" * 160).decode()},
    }
    assert json.loads(protocol.mark("t1:800")) == {
        "event": "mark",
        "streamSid": twilio.STREAM,
        "mark": {"name": "t1:800"},
    }
    assert json.loads(protocol.clear()) == {"event": "clear", "streamSid": twilio.STREAM}


def test_nothing_can_be_sent_before_the_stream_has_started() -> None:
    with pytest.raises(RuntimeError):
        TwilioStream().clear()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
legal = st.sampled_from(
    [twilio.connected(), twilio.start(), twilio.media(1), twilio.mark("m"), twilio.dtmf("1"), twilio.stop()]
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A legal message with one of its values, at any depth, replaced."""
    message: dict[str, Any] = json.loads(text(draw(legal)))
    place = message
    while True:
        key = draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or draw(st.booleans()):
            place[key] = draw(json_values)
            return message
        place = place[key]


any_message = st.one_of(
    st.text(),
    st.binary(),
    json_values.map(json.dumps),
    legal.map(json.dumps),
    damaged().map(json.dumps),
)


@given(st.lists(any_message, max_size=20), st.booleans())
def test_no_message_raises_anything_but_a_protocol_error(said: list[str | bytes], started: bool) -> None:
    protocol = streaming() if started else TwilioStream()
    for message in said:
        try:
            event = protocol.receive(message)
        except ProtocolError as error:
            assert 1000 <= error.code < 5000
            assert len(error.reason.encode()) <= 123
        else:
            assert event is None or isinstance(event, m.Event)
