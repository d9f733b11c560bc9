"""A real server of the S3 protocol for the tests: one a test run, a bucket of its own for each test that asks.

It lives in an environment of its own, which `make test` makes: see requirements-s3.in.
"""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from uuid import uuid4

import pytest
from pydantic import SecretStr

from server.settings import StorageSettings

PROGRAM = Path(__file__).resolve().parents[2] / ".venv" / "peers" / "bin" / "python"


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    if not PROGRAM.is_file():
        pytest.skip("The S3 server is not installed: make .venv/.peers")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [PROGRAM, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        cwd=tmp_path_factory.mktemp("s3"),  # nothing of ours on its path
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_for(endpoint, process)
        yield endpoint
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def s3_settings(s3_endpoint: str) -> StorageSettings:
    """Settings of a new bucket."""
    bucket = f"files-{uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/{bucket}", method="PUT"), timeout=20).close()
    return StorageSettings(
        bucket=bucket,
        prefix="some/where",
        endpoint=s3_endpoint,
        access_key_id="tester",
        secret_access_key=SecretStr("secret of the tests"),
    )


def _wait_for(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
        except (URLError, OSError):
            assert process.poll() is None, "the S3 server ended"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.05)
        else:
            return
