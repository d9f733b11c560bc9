import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.browser.events import BadMessage, End, Interrupt, Key, Mute, Ping, Text, encode, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["type", "text", "muted"]), inner),
)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ('{"type": "text", "text": " hello "}', Text("hello")),
        ('{"type": "interrupt"}', Interrupt()),
        ('{"type": "mute", "muted": true}', Mute(True)),
        ('{"type": "key", "digit": "#"}', Key("#")),
        ('{"type": "ping", "id": 3}', Ping(3)),
        ('{"type": "ping", "id": [1]}', Ping(0)),
        (b'{"type": "end", "more": 1}', End()),
    ],
)
def test_messages_are_understood(message: str | bytes, event: object) -> None:
    assert parse(message) == event


@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "text": " "},
        {"type": "text", "text": "x" * 4001},
        {"type": "key", "digit": "55"},
        {"type": "mute"},
        {"type": ["text"]},
        {},
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(content: dict[str, object]) -> None:
    with pytest.raises(BadMessage, match=r"\w{4}"):
        parse(json.dumps(content))


@given(st.binary(max_size=300) | st.text(max_size=300) | JSON.map(json.dumps))
def test_any_message_is_understood_or_refused(message: str | bytes) -> None:
    try:
        event = parse(message)
    except BadMessage:
        return
    assert isinstance(event, Text | Interrupt | Mute | Key | Ping | End)


def test_an_event_to_the_client_is_one_json_object() -> None:
    assert json.loads(encode("word", {"text": "naïve"})) == {"type": "word", "text": "naïve"}
