"""A receiver of webhooks that knows nothing of the server: it verifies with the published library and remembers.

The path says how it answers: /ok 204, /created 201, /status/500 that status, /fail/2 twice 500 and then 204,
/slow/3 after three seconds, /moved a redirect to /ok.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True, slots=True)
class Received:
    """One POST. `genuine`: its signature was made with the secret that its path is known by."""

    path: str
    id: str
    body: Any
    headers: dict[str, str]
    genuine: bool
    at: float


@dataclass
class Receiver:
    """What came, and which secret each path expects."""

    port: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def url(self, path: str) -> str:
        """Where to send for this answer."""
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        """What came to a path."""
        return [item for item in self.received if item.path == path]

    def wait(self, count: int, seconds: float = 10.0) -> list[Received]:
        """Wait until so much has come. Raises `TimeoutError`."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.received) >= count, seconds):
                raise TimeoutError(f"{len(self.received)} of {count} messages came")
            return list(self.received)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Verify and remember a POST; returns how many of its id came to this path before."""
        genuine, parsed = True, None
        try:
            parsed = Webhook(self.secrets.get(path, "whsec_bm90aGluZw==")).verify(body, headers)
        except WebhookVerificationError:
            genuine = False
        message = headers.get("webhook-id", "")
        with self._arrived:
            before = sum(item.id == message and item.path == path for item in self.received)
            self.received.append(Received(path, message, parsed, headers, genuine, time.monotonic()))
            self._arrived.notify_all()
        return before


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed: nothing has come
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            before = receiver.take(self.path, headers, body)
            self._answer(self.path.strip("/").split("/"), before)

        def _answer(self, words: list[str], before: int) -> None:
            match words:
                case ["status", code]:
                    status = int(code)
                case ["fail", times]:
                    status = 500 if before < int(times) else 204
                case ["slow", seconds]:
                    time.sleep(float(seconds))
                    status = 204
                case ["moved"]:
                    status = 307
                case ["created"]:
                    status = 201
                case _:
                    status = 204
            self.send_response(status)
            if status == 307:
                self.send_header("location", receiver.url("/ok"))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
