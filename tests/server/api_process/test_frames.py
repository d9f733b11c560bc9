"""What goes over the socket pair, and whose a request is."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from server.api_process.frames import (
    PACKET_BYTES,
    SEEN_AT_ONCE,
    Count,
    Counted,
    Forget,
    FrameError,
    Message,
    Moved,
    Ready,
    Seen,
    decode,
    encode,
    moved,
)
from server.api_process.lines import LINE_BYTES, NO_REQUEST, RequestLine, is_alone, is_api, request_line
from server.gate.call import ApiCall, ApiResult
from server.gate.families import Family
from server.gate.limits import Verdict
from server.gate.registry import Endpoint, Registry

whole = some.integers(0, 2**40)
text = some.text(max_size=40)
seconds = some.floats(0, 1e9)
verdicts = some.builds(Verdict, some.booleans(), whole, whole, seconds)
messages: some.SearchStrategy[Message] = some.one_of(
    some.builds(Ready),
    some.builds(Forget),
    some.builds(Moved, some.binary(max_size=2000), some.booleans(), some.booleans()),
    some.builds(Count, whole, text, text, text),
    some.builds(Counted, whole, some.none() | verdicts),
    some.builds(Seen, some.lists(some.tuples(text, text, whole, seconds), max_size=SEEN_AT_ONCE).map(tuple)),
)


@given(messages)
def test_what_is_said_is_what_is_heard(message: Message) -> None:
    packet = encode(message)
    assert decode(packet) == message
    assert 0 < len(packet) <= PACKET_BYTES


@given(some.binary(max_size=200))
def test_a_packet_that_is_none_of_ours_is_refused_and_nothing_else_happens(packet: bytes) -> None:
    with contextlib.suppress(FrameError):
        decode(packet)


@given(some.binary(max_size=300_000))
def test_what_was_read_of_a_connection_arrives_whole_in_packets_that_fit(data: bytes) -> None:
    parts = moved(data)
    assert b"".join(part.data for part in parts) == data
    assert [part.begins for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert all(len(encode(part)) <= PACKET_BYTES for part in parts)


async def nothing(_call: ApiCall[Any]) -> ApiResult:
    """Never asked."""
    raise AssertionError


def registry() -> Registry:
    """An endpoint of each side."""
    common: dict[str, Any] = {
        "family": Family.F2,
        "summary": "x",
        "handler": nothing,
        "answers": {200: None},
        "limit": "read",
    }
    return Registry(
        [
            Endpoint(**common, method="GET", path="/api/jobs"),
            Endpoint(**common, method="DELETE", path="/api/keys/{id}"),
            Endpoint(**common, method="POST", path="/api/jobs", live=True),
        ]
    )


@pytest.mark.parametrize(
    ("head", "api"),
    [
        (b"GET /api/jobs HTTP/1.1\r\n", True),
        (b"\r\nGET /api/jobs?id=1%20&x=/y HTTP/1.1\r\nHost: x\r\n", True),
        (b"HEAD /api/jobs HTTP/1.1\r\n", True),
        (b"DELETE /api/keys/one HTTP/1.1\r\n", True),
        (b"POST /api/jobs HTTP/1.1\r\n", False),
        (b"PUT /api/jobs HTTP/1.1\r\n", False),
        (b"DELETE /api/keys/o%6Ee HTTP/1.1\r\n", False),
        (b"GET /api/sessions/one HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET http://x/api/jobs HTTP/1.1\r\n", False),
        (b"GET /api/jobs HTTP/1.0\r\n", False),
        (b"GET /api/jobs\n", False),
        (b"PRI * HTTP/2.0\r\n", False),
        (b"get /api/jobs HTTP/1.1\r\n", False),
        (b"GET /api/jobs HTTP/1.1\n", False),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\n", False),
        (b"GET /" + LINE_BYTES * b"x", False),
    ],
)
def test_a_request_is_the_apis_where_its_line_names_an_endpoint_that_is_not_live(head: bytes, api: bool) -> None:
    line = request_line(head)
    assert line is not None
    assert is_api(registry(), line) is api


@given(some.integers(0, 200))
def test_a_line_is_known_only_when_it_is_whole(length: int) -> None:
    head = b"GET /api/jobs?id=7 HTTP/1.1\r\nHost: x\r\n\r\n"
    known = RequestLine("GET", "/api/jobs") if length >= head.index(b"\r\n") + 2 else None
    assert request_line(head[:length]) == known


@given(some.binary(max_size=2 * LINE_BYTES))
def test_whatever_comes_it_is_decided_in_the_end(data: bytes) -> None:
    line = request_line(data)
    assert line is not None or len(data) < LINE_BYTES
    assert line in (None, NO_REQUEST) or line.path.startswith("/")


def test_a_request_with_another_behind_it_is_not_alone() -> None:
    head = b"GET /api/jobs HTTP/1.1\r\n\r\n"
    line = RequestLine("GET", "/api/jobs")
    assert is_alone(line, head)
    assert is_alone(line, head[:-1])
    assert not is_alone(line, head + b"G")
    assert is_alone(RequestLine("POST", "/api/jobs"), head + b"a body")
