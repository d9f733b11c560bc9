"""A real Redis for the tests: one server a test run, emptied for each test that asks.

def test_something(redis_url: str) -> None: ...
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.peers.missing import missing


class RedisServer:
    """redis-server on a loopback port, keeping nothing on disk; can be stopped and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, unless it runs; returns when it answers."""
        if self._process is not None:
            return
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [self._program, *arguments], cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        with redis.Redis(port=self.port) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, "redis-server does not answer"
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """Stop it; what it held is lost."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def empty(self) -> None:
        """Forget everything."""
        with redis.Redis(port=self.port) as client:
            client.flushall()


@pytest.fixture(scope="session")
def _redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if program is None:
        missing("Redis is not installed: apt-get install redis-server")
    server = RedisServer(program, tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis_process: RedisServer) -> RedisServer:
    """A server that runs and is empty."""
    _redis_process.start()
    _redis_process.empty()
    return _redis_process


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Its address."""
    return redis_server.url
