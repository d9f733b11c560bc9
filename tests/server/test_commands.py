"""`python -m server` as people run it: what it prints and its exit codes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import select

from media.models import default_models, status
from server.database import Database
from server.database.tables import Call
from tests.peers.phone_caller import calling

ROOT = Path(__file__).resolve().parents[2]


def environment(tmp_path: Path, **variables: str) -> dict[str, str]:
    """This process's environment without settings, with data below the test's folder and these variables."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VISAVIS_") or name.endswith("_MODELS_DIR")
    }
    return {**clean, "VISAVIS_DATA_DIR": str(tmp_path / "data"), **variables}


def command(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env=environment(tmp_path, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wrong_settings_end_with_2_and_no_traceback(tmp_path: Path) -> None:
    done = command(tmp_path, "serve", VISAVIS_PORT="eighty", VISAVIS_LOG__LEVEL="loud")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "visavis: 2 settings are wrong:\n"
        "  server.port = 'eighty' (VISAVIS_PORT): must be a whole number from 0 to 65535\n"
        "  log.level = 'loud' (VISAVIS_LOG__LEVEL): must be one of debug, info, warning, error\n"
    )


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command(tmp_path, "serve", VISAVIS_PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"visavis: cannot listen on 127.0.0.1:{port}: Address already in use; choose another port with VISAVIS_PORT\n"
    )


def test_an_address_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    done = command(tmp_path, "serve", VISAVIS_PORT="0", VISAVIS_SERVER__HOST="192.0.2.1")
    assert done.returncode == 1
    assert re.fullmatch(r"visavis: cannot listen on 192\.0\.2\.1:0: .*\n", done.stderr)


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    done = command(tmp_path, "serve", VISAVIS_PORT="0")
    assert done.returncode == 1
    assert done.stderr == (
        f"visavis: data_dir {tmp_path}/data cannot be used: File exists; choose another with VISAVIS_DATA_DIR\n"
    )


def test_models_that_cannot_be_had_are_one_line(tmp_path: Path) -> None:
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}
    done = command(tmp_path, "serve", VISAVIS_PORT="0", VISAVIS_MODELS_DIR=str(tmp_path / "models"), **nowhere)
    assert done.returncode == 1
    *progress, error = done.stderr.splitlines()
    assert [line.split(":")[1] for line in progress] == [" fetching 11.3 MB"]
    assert error.startswith("visavis: silero-vad 6.2.3 could not be downloaded (pip download exited with 1): ")


def test_an_unknown_command_ends_with_2(tmp_path: Path) -> None:
    done = command(tmp_path, "dance")
    assert done.returncode == 2
    assert "invalid choice: 'dance'" in done.stderr


def test_keys_are_created_listed_and_revoked(tmp_path: Path) -> None:
    first = command(tmp_path, "keys", "create", "--name", "one")
    assert re.fullmatch(r"sk_live_[\w-]{40,}\n", first.stdout), first.stderr
    second = command(tmp_path, "keys", "create", "--name", "two")
    listed = command(tmp_path, "keys", "list").stdout
    assert len(listed.splitlines()) == 2
    assert "two" in listed
    assert second.stdout.strip() not in listed
    revoked = command(tmp_path, "keys", "revoke", second.stdout[:16])
    assert re.fullmatch(r"key_[0-9a-f]{16} is revoked\n", revoked.stdout)
    assert "revoked 2" in command(tmp_path, "keys", "list").stdout.splitlines()[1]
    unknown = command(tmp_path, "keys", "revoke", "key_nothing")
    assert unknown.returncode == 1
    assert unknown.stderr == "visavis: key_nothing is the id or prefix of no keys\n"


class Started:
    """A server that runs in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], lines: list[str], reader: threading.Thread) -> None:
        self.process = process
        self.lines = lines
        self._reader = reader

    @property
    def url(self) -> str:
        """The address it printed."""
        return self.lines[0].removeprefix("Visavis is ready at ").strip()

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(10)
        self._reader.join(10)
        return code


@contextmanager
def started(tmp_path: Path, **variables: str) -> Iterator[Started]:
    """Run `serve` on a free port until the block ends; entered once it has told what to do next."""
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "server", "serve"],
            cwd=ROOT,
            env=environment(tmp_path, VISAVIS_PORT="0", **variables),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.lstrip().startswith("stop:"):
                ready.set()
        ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(120)
        assert process.poll() is None, (tmp_path / "log").read_text()
        yield Started(process, lines, reader)
    finally:
        process.kill()
        process.wait(10)
        reader.join(10)
        assert process.stdout is not None
        process.stdout.close()


needs_models = pytest.mark.skipif(bool(status(default_models())), reason="python -m media.models fetch")


@pytest.mark.models
@needs_models
def test_serve_starts_says_where_it_is_and_stops_on_a_signal(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        assert re.fullmatch(r"Visavis is ready at http://127\.0\.0\.1:\d+\n", server.lines[0])
        assert re.fullmatch(r"API key \(shown this once\): sk_live_[\w-]{40,}\n", server.lines[1])
        assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
        assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}
        assert server.end(signal.SIGINT) == 0
        key = server.lines[1].split()[-1]
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert key not in log
    with started(tmp_path) as again:
        assert not any("API key" in line for line in again.lines)
        assert again.end(signal.SIGTERM) == 0


@pytest.mark.models
@needs_models
def test_a_bootstrap_key_is_not_printed(tmp_path: Path) -> None:
    key = "sk_live_chosen_by_the_operator_01"
    with started(tmp_path, VISAVIS_BOOTSTRAP_KEY=key) as server:
        assert not any(key in line for line in server.lines)
        assert server.end() == 0
    listed = command(tmp_path, "keys", "list").stdout
    assert key[:16] in listed
    assert key not in (tmp_path / "log").read_text()


@pytest.mark.models
@needs_models
async def test_a_signal_in_the_middle_of_a_call_ends_the_call_and_then_the_server(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        async with calling(f"{server.url}/telephony/voice") as caller:
            assert await caller.until_audible(0.0, 20.0) is not None
            code = await asyncio.to_thread(server.end)
            await asyncio.wait_for(caller.over.wait(), 5)
        assert code == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "not everything stopped in time" not in log
    database = Database(f"sqlite:///{tmp_path}/data/visavis.db", threads=1)
    assert database.run_here(lambda session: session.scalars(select(Call)).one().end_reason) == "server stopping"
    database.close()


@pytest.mark.models
@needs_models
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_api_is_answered_by_a_process_of_its_own_which_ends_with_the_server(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(tmp_path) as server:
        bearer = {"authorization": f"Bearer {server.lines[1].split()[-1]}"}
        api = _until(lambda: next((each for each in _children(server) if "api" in each.cmdline()), None))
        _until(lambda: "API process ready" in (tmp_path / "log").read_text())
        with httpx.Client(base_url=server.url, headers=bearer) as client:
            calls = client.get("/api/voice-agent/calls")
            assert calls.status_code == 200, calls.text
            assert _connected(api)
            assert client.delete("/api/voice-agent/calls/none").status_code == 404
            assert not _connected(api)
            assert client.get("/api/keys").status_code == 200
            assert _connected(api)
        others = _children(server)
        server.end(number)
        _until(lambda: not any(each.is_running() for each in others))
    assert "Traceback" not in (tmp_path / "log").read_text()


def _children(server: Started) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)


def _connected(process: psutil.Process) -> bool:
    return any(each.status == psutil.CONN_ESTABLISHED for each in process.net_connections("tcp"))


def _until(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.05)
    return found
