"""How many requests of the REST platform one process answers: `python -m tests.bench.platform [--seconds N] [--url …]`.

A server without models in a process of its own, its limits switched off; a lean client here, so many connections at
once. Reads ask for one job, writes order speech that no worker makes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil
import uvloop

from tests.fuzz.service import service

VOICE: Final = {"text": "The office opens at nine and closes at half past five.", "language": "en"}


@dataclass(slots=True)
class Result:
    """What a number of connections saw in some seconds; `processor`: seconds that the server computed for it."""

    name: str
    seconds: float
    processor: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        times = sorted(self.milliseconds)
        share = [times[min(len(times) - 1, int(len(times) * part))] for part in (0.5, 0.95, 0.99)]
        statuses = " ".join(f"{status}×{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.name:28} {len(times) / self.seconds:7.0f} /s   p50 {share[0]:6.1f}  p95 {share[1]:6.1f}  "
            f"p99 {share[2]:6.1f} ms   {1000 * self.processor / len(times):5.2f} ms of processor each   {statuses}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.platform", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    near, far = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=serve, args=(folder, far))
        server.start()
        url, key = near.recv()
        try:
            uvloop.run(measure(url, key, options.seconds, options.connections, psutil.Process(server.pid)))
        finally:
            near.send("stop")
            server.join(30)


def serve(folder: str, pipe: Connection) -> None:
    """The server's process."""
    with service(Path(folder), jobs={"active_per_account": 100_000}, database={"threads": 4}) as made:
        pipe.send((made.url, made.key))
        pipe.recv()


async def measure(url: str, key: str, seconds: float, connections: int, server: psutil.Process) -> None:
    """Reads, then writes."""
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80
    order = json.dumps(VOICE).encode()
    status, body = await send(url, request("POST", "/api/generate/voice", key, order))
    assert status == 202, body
    job = json.loads(body)["data"]["jobId"]
    reads = request("GET", f"/api/jobs?id={job}", key)
    for name, asked in (
        ("GET one job", reads),
        ("GET usage", request("GET", "/api/usage", key)),
        ("refused: no engine (403)", request("POST", "/api/generate/image", key, b'{"prompt": "a city"}')),
        ("POST voice", request("POST", "/api/generate/voice", key, order)),
    ):
        before = server.cpu_times()
        result = await load(name, host, port, [asked], seconds, connections)
        after = server.cpu_times()
        result.processor = after.user + after.system - before.user - before.system
        print(result, flush=True)


class Arrivals:
    """When the next request is due: as they come from people who know nothing of one another (a Poisson process).

    `rate` a second; 0: as soon as a connection is free. What comes late is made up for, but for no more than a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = time.perf_counter()
        self._random = random.Random(1)

    async def next(self) -> float:
        """Wait for it; returns when it was due."""
        now = time.perf_counter()
        if not self._rate:
            return now
        due = self._due = max(self._due + self._random.expovariate(self._rate), now - 1.0)
        await asyncio.sleep(due - now)
        return due


async def load(
    name: str,
    host: str,
    port: int,
    asked: Sequence[bytes],
    seconds: float,
    connections: int,
    *,
    stopped: Callable[[], bool] = lambda: False,
    rate: float = 0,
) -> Result:
    """Send the requests in turn, again and again, over the connections, until the time is up or `stopped`.

    `rate`: requests a second, all connections together; 0: as many as are answered. Times are from when a request was
    due.
    """
    result = Result(name, seconds)
    began = time.perf_counter()
    requests, arrivals = itertools.cycle(asked), Arrivals(rate)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while (due := await arrivals.next()) < began + seconds and not stopped():
            writer.write(next(requests))
            status, _ = await _answer(reader)
            result.milliseconds.append(1000 * (time.perf_counter() - due))
            result.statuses[status] += 1
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result


async def send(url: str, asked: bytes) -> tuple[int, bytes]:
    """Send one request; status and body of the answer."""
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port or 80)
    writer.write(asked)
    answer = await _answer(reader)
    writer.close()
    await writer.wait_closed()
    return answer


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


def request(method: str, target: str, key: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", "host: bench", f"authorization: Bearer {key}"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    main()
