"""Connections between the server and its API process, on real sockets."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from server.api_process.lines import RequestLine
from tests.server.api_process.world import READS, World, until, world


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with its API process, for the tests that leave it as it was."""
    with world(tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture
def client(here: World) -> Iterator[httpx.Client]:
    """A client with the key and one connection."""
    limits = httpx.Limits(max_connections=1)
    with httpx.Client(base_url=here.url, headers=here.bearer, limits=limits, timeout=10) as made:
        yield made


def ask(client: httpx.Client, path: str) -> tuple[int, int]:
    """Which process has answered, and which port of ours it saw."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["pid"], answer.json()["port"]


def test_an_endpoint_is_answered_by_the_api_process_and_a_live_one_by_the_server(
    here: World, client: httpx.Client
) -> None:
    assert ask(client, "/api/where")[0] == here.api.pid
    assert ask(client, "/api/live")[0] == os.getpid()


def test_one_connection_goes_back_and_forth_and_stays_the_peers(here: World, client: httpx.Client) -> None:
    answered = [ask(client, path) for path in ("/api/where", "/api/where", "/api/live", "/api/live", "/api/where")]
    assert [pid for pid, _ in answered] == [here.api.pid, here.api.pid, os.getpid(), os.getpid(), here.api.pid]
    assert len({port for _, port in answered}) == 1


@pytest.mark.parametrize("path", ["/page", "/healthz", "/metrics", "/api/nothing", "/api/sessions", "/nowhere"])
def test_whatever_is_no_endpoint_of_its_own_comes_back_from_the_api_process(
    here: World, client: httpx.Client, path: str
) -> None:
    _, port = ask(client, "/api/where")
    assert client.get(path).status_code == (404 if "no" in path or "sessions" in path else 200)
    assert ask(client, "/api/where") == (here.api.pid, port)


@pytest.mark.parametrize("path", ["/api/where", "/api/live"])
@pytest.mark.parametrize("length", [1, 20_000, 200_000, 900_000])
def test_a_body_that_comes_with_its_head_arrives_whole_on_either_side(
    here: World, client: httpx.Client, path: str, length: int
) -> None:
    for first in ("/api/where", "/api/live"):
        ask(client, first)
        answer = client.post(path, json={"text": "x" * length})
        assert answer.json()["length"] == length
        assert answer.json()["pid"] == (here.api.pid if path == "/api/where" else os.getpid())


def raw(here: World, path: str, more: bytes = b"", method: str = "GET") -> bytes:
    """A request as it goes over the wire."""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {here.key}\r\n".encode() + more + b"\r\n"


def answers(connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """The next answers: status and body."""
    connection.settimeout(10)
    stream = connection.makefile("rb")
    found = []
    for _ in range(count):
        status = int(stream.readline().split()[1])
        headers: dict[bytes, bytes] = {}
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        found.append((status, stream.read(int(headers.get(b"content-length", b"0")))))
    return found


def test_a_head_that_comes_byte_by_byte_is_answered_where_it_belongs(here: World) -> None:
    for path, pid in (("/api/where", here.api.pid), ("/api/live", os.getpid())):
        with socket.create_connection(("127.0.0.1", here.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in raw(here, path):
                connection.sendall(bytes((byte,)))
            [(status, body)] = answers(connection, 1)
            assert status == 200 and f'"pid":{pid}'.encode() in body.replace(b" ", b"")


@pytest.mark.parametrize("together", [True, False])
def test_requests_that_are_sent_ahead_are_all_answered_in_order(here: World, together: bool) -> None:
    paths = ["/api/slow", "/api/live", "/page", "/api/where", "/api/live"]
    with socket.create_connection(("127.0.0.1", here.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if together:
            connection.sendall(b"".join(raw(here, path) for path in paths))
        else:
            for path in paths:
                connection.sendall(raw(here, path))
        found = answers(connection, len(paths))
    assert [status for status, _ in found] == [200] * len(paths)
    assert found[2][1] == b"page"
    assert f":{os.getpid()}".encode() in found[1][1].replace(b" ", b"")


def test_a_live_request_in_one_piece_with_a_body_of_the_api_is_refused_never_answered_there(here: World) -> None:
    body = b'{"text":"x"}'
    more = b"content-type: application/json\r\ncontent-length: 12\r\n"
    with socket.create_connection(("127.0.0.1", here.port)) as connection:
        connection.sendall(raw(here, "/api/where", more, "POST") + body + raw(here, "/api/live"))
        assert [status for status, _ in answers(connection, 2)] == [200, 421]


def test_a_web_socket_opens_on_a_connection_that_was_in_the_api_process(here: World) -> None:
    with socket.create_connection(("127.0.0.1", here.port)) as connection:
        connection.sendall(raw(here, "/api/where"))
        assert answers(connection, 1)[0][0] == 200
        with connect(f"ws://127.0.0.1:{here.port}/telephony/echo", sock=connection) as web_socket:
            web_socket.send("hello")
            assert web_socket.recv(5) == "hello"


def test_a_client_that_goes_while_its_connection_moves_harms_nobody(here: World, client: httpx.Client) -> None:
    for path in ("/api/where", "/api/live", "/api/slow") * 20:
        with socket.create_connection(("127.0.0.1", here.port)) as connection:
            connection.sendall(raw(here, path))
    assert ask(client, "/api/where")[0] == here.api.pid


def test_requests_of_the_api_process_are_in_the_servers_metrics(here: World, client: httpx.Client) -> None:
    def count() -> float:
        found = here.metrics.registry.get_sample_value(
            "visavis_http_requests_total", {"method": "POST", "route": "/api/where", "status": "200"}
        )
        return found or 0.0

    before = count()
    client.post("/api/where", json={"text": ""})
    until(lambda: count() > before)


def test_limits_are_exact_over_both_processes(tmp_path: Path) -> None:
    with world(tmp_path, limited=True) as here:

        def several(number: int) -> list[httpx.Response]:
            paths = ("/api/where", "/api/live", "/api/where") if number % 2 else ("/api/live", "/api/where", "/page")
            with httpx.Client(base_url=here.url, headers=here.bearer, timeout=30) as client:
                return [client.get(path) for path in paths * 4]

        with ThreadPoolExecutor(10) as clients:
            found = [each for answered in clients.map(several, range(10)) for each in answered]
    counted = [each for each in found if "x-ratelimit-limit" in each.headers]
    assert len(counted) == 100
    assert Counter(each.status_code for each in counted) == {200: READS, 429: 100 - READS}
    left = [int(each.headers["x-ratelimit-remaining"]) for each in counted if each.status_code == 200]
    assert sorted(left) == list(range(READS))


@pytest.mark.parametrize("path", ["/api/revoke", "/api/revoke-live"])
def test_a_key_that_one_process_revokes_is_refused_by_both_at_once(here: World, path: str) -> None:
    for _ in range(10):
        bearer = here.new_key()
        client = httpx.Client(base_url=here.url, headers=bearer)
        other = httpx.Client(base_url=here.url, headers=bearer)
        with client, other:
            assert client.get("/api/live").status_code == 200
            assert other.get("/api/where").status_code == 200
            assert httpx.post(here.url + path, headers=bearer).status_code == 200
            assert other.get("/api/where").status_code == 401
            assert client.get("/api/live").status_code == 401


def test_the_server_answers_while_the_api_process_is_gone_and_it_comes_back(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        first = here.api.pid
        assert first is not None
        with httpx.Client(base_url=here.url, headers=here.bearer) as client:
            assert ask(client, "/api/where")[0] == first
        os.kill(first, signal.SIGKILL)
        seen: list[Any] = []
        until(lambda: here.api.pid != first)
        with httpx.Client(base_url=here.url, headers=here.bearer) as client:
            while here.api.pid is None:
                seen.append(ask(client, "/api/where")[0])
            assert seen[0] == os.getpid()
            assert set(seen) <= {os.getpid(), here.api.pid}
            until(lambda: ask(client, "/api/where")[0] == here.api.pid)


def test_the_server_answers_while_the_api_process_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.api_process.parent.SILENT_S", 0.5)
    with world(tmp_path) as here:
        pid = here.api.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with httpx.Client(base_url=here.url, headers=here.bearer) as client:
            until(lambda: not here.api.takes(RequestLine("GET", "/api/where"), b""))
            assert ask(client, "/api/where")[0] == os.getpid()
            os.kill(pid, signal.SIGCONT)
            until(lambda: ask(client, "/api/where")[0] == pid)


def test_the_server_answers_all_where_the_api_process_cannot_run(tmp_path: Path) -> None:
    with (
        world(tmp_path, command=("false",), wait=False) as here,
        httpx.Client(base_url=here.url, headers=here.bearer) as client,
    ):
        assert {ask(client, path)[0] for path in ("/api/where", "/api/live")} == {os.getpid()}


def test_the_api_process_ends_with_the_server(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        pid = here.api.pid
        assert pid is not None
        client = httpx.Client(base_url=here.url, headers=here.bearer)
        ask(client, "/api/where")  # and stays open
    until(lambda: not _runs(pid), 5)
    client.close()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
