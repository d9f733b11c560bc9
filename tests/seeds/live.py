"""A server with a worker, as `python -m server serve` starts them, and a client that waits where it is told to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench.processes import ROOT, free_port
from tests.seeds.sample import BASE_URL, KEYS, sample

KEY = "sk_live_for_the_samples_of_the_documents"
READY_S = 120
JOB_S = 120
PROGRAMS = {".py": [sys.executable], ".mjs": ["node"], ".sh": ["bash"]}


@dataclass
class Live:
    """A server that runs. `media`: the address of the files that samples name."""

    url: str
    folder: Path
    media: str
    process: subprocess.Popen[bytes]

    def run(self, file: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a sample in a process of its own, with our address and key; `changed`: placeholders of the sample."""
        text = sample(file).replace(BASE_URL, self.url).replace("https://example.com", self.media)
        for placeholder in KEYS:
            text = text.replace(placeholder, KEY)
        for placeholder, value in changed.items():
            assert placeholder in text
            text = text.replace(placeholder, value)
        program = self.folder / file.removesuffix(".txt")
        program.write_text(text, "utf-8")
        command = [*PROGRAMS[program.suffix], str(program)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request with the key; where the limits say so it is made again after the time they name."""
        more.setdefault("headers", {"authorization": f"Bearer {KEY}"})
        while True:
            answer = httpx.request(method, self.url + path, timeout=40, **more)
            if answer.status_code != 429:
                return answer
            time.sleep(float(answer.headers["retry-after"]))

    def wait(self, path: str, states: Mapping[str, bool], field: str = "status") -> dict[str, Any]:
        """Poll until the object at `path` has ended; it has to have ended well."""
        give_up = time.monotonic() + JOB_S
        while time.monotonic() < give_up:
            found = self.ask("GET", path).json()
            found = found.get("data", found)
            if (ended := states.get(found[field])) is not None:
                assert ended, found
                return dict(found)
            time.sleep(0.5)
        raise AssertionError(f"{path} has not ended after {JOB_S} s: {found}\n{self.log()}")

    def credits(self) -> int:
        """What the account has left."""
        return int(self.ask("GET", "/api/usage").json()["data"]["credits"])

    def log(self) -> str:
        """The end of what the server wrote."""
        return (self.folder / "server.log").read_text("utf-8", "replace")[-6000:]


@contextmanager
def live(folder: Path, media: str) -> Iterator[Live]:
    """Serve until the block ends."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    if "VISAVIS_MODELS_DIR" in os.environ:
        environment["VISAVIS_MODELS_DIR"] = os.environ["VISAVIS_MODELS_DIR"]
    environment |= {
        "VISAVIS_PORT": str(port),
        "VISAVIS_DATA_DIR": str(folder / "data"),
        "VISAVIS_BOOTSTRAP_KEY": KEY,
        "VISAVIS_FETCHING__ALLOW_LOCAL": "true",
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    made = Live(f"http://127.0.0.1:{port}", folder, media, process)
    try:
        _until_ready(made)
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def has_node() -> bool:
    """Whether samples for Node.js can be run here."""
    return shutil.which("node") is not None


def _until_ready(made: Live) -> None:
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up and made.process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{made.url}/readyz").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{made.log()}")
