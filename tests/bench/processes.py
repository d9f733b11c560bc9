"""The server under test and the language model it talks to, each a process of its own."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import psutil

from tests.bench.paced_llm import MODEL

ROOT: Final = Path(__file__).resolve().parents[2]
READY_TIMEOUT: Final = 180.0


class NotReady(Exception):
    """A process ended or did not answer in time; what it wrote is in the message."""


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(*arguments: str, log: Path, ready: str, env: dict[str, str] | None = None) -> AsyncIterator[int]:
    """A Python process that is up as soon as `ready` (a URL) answers 200; yields its id, ends it after the block."""
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, **(env or {})}
        )
        try:
            await _until_ready(child, ready, log)
            yield child.pid
        finally:
            with suppress(ProcessLookupError):
                child.terminate()
            try:
                async with asyncio.timeout(10):
                    await child.wait()
            except TimeoutError:
                child.kill()
                await child.wait()


async def _until_ready(child: asyncio.subprocess.Process, url: str, log: Path) -> None:
    try:
        async with asyncio.timeout(READY_TIMEOUT), httpx.AsyncClient() as client:
            while child.returncode is None:
                with suppress(httpx.HTTPError):
                    if (await client.get(url)).status_code == 200:
                        return
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    raise NotReady(f"{url} does not answer; the process wrote:\n{log.read_text(errors='replace')[-3000:]}")


@asynccontextmanager
async def language_model(folder: Path) -> AsyncIterator[str]:
    """The paced model; yields its base URL."""
    port = free_port()
    base = f"http://127.0.0.1:{port}/v1"
    async with process("-m", "tests.bench.paced_llm", str(port), log=folder / "llm.log", ready=f"{base}/models"):
        yield base


@asynccontextmanager
async def server(folder: Path, llm_url: str, **environment: str) -> AsyncIterator[tuple[str, int]]:
    """The server with a data directory of its own; yields its URL and process id."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "VISAVIS_PORT": str(port),
        "VISAVIS_DATA_DIR": str(folder / "data"),
        "VISAVIS_LLM__BASE_URL": llm_url,
        "VISAVIS_LLM__MODEL": MODEL,
        "VISAVIS_LLM__API_KEY": "bench",
        "VISAVIS_LOG__FORMAT": "json",
        **environment,
    }
    arguments = ("-m", "server", "serve")
    async with process(*arguments, log=folder / "server.log", ready=f"{url}/readyz", env=env) as pid:
        yield url, pid


class MemoryWatch:
    """The most memory a process and its children held at once: bytes of resident set, added up."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._process = psutil.Process(pid)

    def sample(self) -> int:
        """Look now."""
        held = 0
        for process in [self._process, *self._process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                held += process.memory_info().rss
        self.peak = max(self.peak, held)
        return held

    async def watch(self) -> None:
        """Look twice a second until cancelled."""
        while True:
            with suppress(psutil.NoSuchProcess):
                self.sample()
            await asyncio.sleep(0.5)


def machine() -> str:
    """The processor, how many cores we may use, and the memory."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    return f"{name}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"
