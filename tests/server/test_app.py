"""The application over a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from media.worker import WorkerStats
from server.database import Database
from server.metrics import Metrics
from server.middleware import Requests, SecurityHeaders
from server.settings import Settings
from tests.server.running import QuietEngine, Running, running

Serve = Callable[..., AbstractContextManager[Running]]


async def echo(request: Request) -> Response:
    """Answer with what came."""
    body = await request.body()
    return JSONResponse({"size": len(body), "client": request.client and request.client.host, "url": str(request.url)})


async def fail(request: Request) -> Response:
    """Have a fault."""
    raise RuntimeError("a secret detail")


async def talk(websocket: WebSocket) -> None:
    """Send back what is received."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


ROUTES = [
    Route("/echo/{name}", echo, methods=["GET", "POST"]),
    Route("/fail", fail),
    WebSocketRoute("/talk", talk),
]


@pytest.fixture
def serve(settings: Settings, database: Database) -> Serve:
    """Starts a server with extra routes; keywords override settings of the server section."""

    def start(engine: QuietEngine | None = None, before_close: Any = None, **server: object) -> Any:
        changed = settings.model_copy(update={"server": settings.server.model_copy(update=server)})
        extra = {} if before_close is None else {"before_close": before_close}
        return running(changed, database, engine=engine, routes=ROUTES, **extra)

    return start


@pytest.fixture
def server(serve: Serve) -> Iterator[Running]:
    """A server with the defaults."""
    with serve() as made:
        yield made


def test_healthz_answers_with_careful_headers(server: Running) -> None:
    response = httpx.get(f"{server.url}/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in response.headers


def test_readyz_names_what_is_not_ready(serve: Serve) -> None:
    engine = QuietEngine()
    with serve(engine) as server:
        assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}
        engine.problems["whisper-base"] = "model whisper-base is damaged"
        response = httpx.get(f"{server.url}/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready",
        "problems": {"whisper-base": "model whisper-base is damaged"},
    }


def test_readyz_names_a_database_that_does_not_answer(server: Running, database: Database) -> None:
    database.close()
    response = httpx.get(f"{server.url}/readyz")
    assert response.status_code == 503
    assert "database" in response.json()["problems"]


def test_metrics_show_requests_sessions_and_workers(serve: Serve) -> None:
    engine = QuietEngine(stats={"asr": WorkerStats(done=3, dropped=1, waited=0.5, worked=1.25)}, active_sessions=2)
    with serve(engine) as server:
        httpx.get(f"{server.url}/echo/one")
        httpx.get(f"{server.url}/echo/two")
        httpx.get(f"{server.url}/nothing/here")
        response = httpx.get(f"{server.url}/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert samples["visavis_worker_jobs_total", ("worker", "asr")] == 3
    assert samples["visavis_worker_dropped_total", ("worker", "asr")] == 1
    assert samples["visavis_worker_wait_seconds_total", ("worker", "asr")] == 0.5
    assert samples["visavis_worker_busy_seconds_total", ("worker", "asr")] == 1.25
    assert samples["visavis_sessions",] == 2
    requests = "visavis_http_requests_total", ("method", "GET")
    assert samples[*requests, ("route", "/echo/{name}"), ("status", "200")] == 2
    assert samples[*requests, ("route", "other"), ("status", "404")] == 1
    assert ("process_resident_memory_bytes",) in samples


def test_metrics_can_be_turned_off(settings: Settings, database: Database) -> None:
    off = settings.model_copy(update={"metrics": settings.metrics.model_copy(update={"enabled": False})})
    with running(off, database) as server:
        assert httpx.get(f"{server.url}/metrics").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "answer"),
    [
        ("GET", "/nothing", 404, {"error": "Not Found", "code": "NOT_FOUND"}),
        ("GET", "/healthz/", 404, {"error": "Not Found", "code": "NOT_FOUND"}),
        ("DELETE", "/healthz", 405, {"error": "Method Not Allowed", "code": "METHOD_NOT_ALLOWED"}),
        ("GET", "/fail", 500, {"error": "Internal error", "code": "INTERNAL_ERROR"}),
    ],
)
def test_errors_are_json_without_internal_details(
    server: Running, method: str, path: str, status: int, answer: dict[str, str]
) -> None:
    response = httpx.request(method, server.url + path)
    assert response.status_code == status
    assert response.json() == answer
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"]


def test_a_request_keeps_its_id_if_it_is_sane_and_else_gets_one(server: Running) -> None:
    assert httpx.get(f"{server.url}/healthz", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    for odd in ("a b", "x" * 65, 'a"b'):
        given = httpx.get(f"{server.url}/healthz", headers={"x-request-id": odd}).headers["x-request-id"]
        assert given != odd
        assert len(given) == 16


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(serve: Serve) -> None:
    with serve(max_body_bytes=2000) as server:
        url = f"{server.url}/echo/x"
        assert httpx.post(url, content=b"x" * 2000).json()["size"] == 2000
        declared = httpx.post(url, content=b"x" * 2001)
        streamed = httpx.post(url, content=iter([b"x" * 1500, b"x" * 1500]))
    for response in (declared, streamed):
        assert response.status_code == 413
        assert response.json() == {"error": "The body is larger than 2000 bytes", "code": "PAYLOAD_TOO_LARGE"}


def ask(port: int, data: bytes) -> bytes:
    """Send these bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(data)
        answer = b""
        while block := client.recv(65536):
            answer += block
        return answer


def test_a_body_that_does_not_come_is_not_waited_for(serve: Serve) -> None:
    with serve(receive_timeout_s=0.2) as server:
        answer = ask(server.port, b"POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"REQUEST_TIMEOUT"' in answer


@pytest.mark.parametrize("head", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(serve: Serve, head: bytes) -> None:
    with serve(receive_timeout_s=0.2) as server:
        assert ask(server.port, head) == b""


def test_the_second_head_on_a_connection_is_not_waited_for_either(serve: Serve) -> None:
    with serve(receive_timeout_s=0.2, keep_alive_s=60) as server:
        whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(whole)
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += client.recv(65536)
            client.sendall(whole[:-2])
            assert client.recv(65536) == b""


def test_an_endless_head_is_refused(server: Running) -> None:
    endless = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(12_000))
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(endless[:70_000])
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_too_many_connections_are_answered_503_in_the_shape_of_errors(serve: Serve) -> None:
    with serve(limit_concurrency=2) as server:
        held = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        with held:
            held.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert held.recv(65536).startswith(b"HTTP/1.1 200 ")
            answer = httpx.get(f"{server.url}/healthz")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json() == {
                "error": "The server is busy: try again in a second",
                "code": "SERVICE_UNAVAILABLE",
            }
            assert answer.headers["connection"] == "close"


def test_forwarded_headers_count_only_from_trusted_proxies(settings: Settings, database: Database) -> None:
    headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "voice.example.com"}
    with running(settings, database, routes=ROUTES) as server:
        assert httpx.get(f"{server.url}/echo/x", headers=headers).json()["client"] == "127.0.0.1"
    trusting = Settings.model_validate({"data_dir": settings.data_dir, "server": {"trusted_proxies": ["127.0.0.0/8"]}})
    with running(trusting, database, routes=ROUTES) as server:
        answer = httpx.get(f"{server.url}/echo/x", headers=headers).json()
    assert answer["client"] == "203.0.113.9"
    assert answer["url"] == "https://voice.example.com/echo/x"


async def test_web_sockets_carry_text_and_refuse_large_messages(server: Running) -> None:
    async with connect(f"ws://127.0.0.1:{server.port}/talk") as client:
        await client.send("hello")
        assert await client.recv() == "hello"
        await client.send("x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_stopping_ends_conversations_first_and_then_their_connections(serve: Serve) -> None:
    order: list[str] = []

    async def say_goodbye() -> None:
        order.append("conversations")

    with serve(before_close=say_goodbye) as server:
        async with connect(f"ws://127.0.0.1:{server.port}/talk") as client:
            await client.send("hello")
            await client.recv()
            await asyncio.to_thread(server.stop)
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            order.append("connections")
    assert order == ["conversations", "connections"]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


async def test_what_a_response_says_itself_is_said_once_and_the_rest_is_added() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        named = [(b"Cache-Control", b"max-age=60"), (b"X-Request-ID", b"of somebody else")]
        await send({"type": "http.response.start", "status": 200, "headers": named})
        await send({"type": "http.response.body", "body": b""})

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-request-id", b"abc-1")]}
    await Requests(SecurityHeaders(app), Metrics().request)(scope, receive, send)
    names = [name.lower() for name, _ in sent[0]["headers"]]
    assert len(names) == len(set(names))
    told = {name.lower(): value for name, value in sent[0]["headers"]}
    assert told[b"cache-control"] == b"max-age=60"
    assert told[b"x-request-id"] == b"abc-1"
    assert told[b"x-frame-options"] == b"DENY"
