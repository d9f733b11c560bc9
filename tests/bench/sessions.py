"""What sessions leave behind: `python -m tests.bench.sessions [--sessions 50]`.

A browser's session with a face is opened, its agent is heard and seen, and it is closed, one after another, on a server
with the real models. Memory, threads, descriptors and tasks of the server, before and after; the first few sessions,
which fill caches, come before.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.bench import processes
from tests.peers.webrtc_caller import calling

WARM: int = 15
SETTLE: float = 3.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    megabytes: float
    threads: int
    descriptors: int
    tasks: int

    def __str__(self) -> str:
        return f"{self.megabytes:.0f} MB, {self.threads} threads, {self.descriptors} descriptors, {self.tasks} tasks"


async def held(url: str, pid: int) -> Held:
    """What the server holds when it has come to rest."""
    await asyncio.sleep(SETTLE)
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"{url}/metrics")).text
    found = re.search(r"^visavis_tasks (\S+)", metrics, re.MULTILINE)
    server = psutil.Process(pid)
    tasks = int(float(found[1])) if found else -1
    return Held(server.memory_info().rss / 1e6, server.num_threads(), server.num_fds(), tasks)


async def visit(url: str, key: str) -> None:
    """One session: joined, seen, heard, left."""
    async with calling(url, key=key, video=True) as caller:
        await caller.until_audible(time.monotonic() - 5.0)
        while not caller.pictures:
            await caller.news()


async def measure(count: int) -> tuple[Held, Held]:
    """Before and after so many sessions."""
    key = "sk_live_" + "b" * 40
    with tempfile.TemporaryDirectory(prefix="visavis-bench-") as temporary:
        folder = Path(temporary)
        async with (
            processes.language_model(folder) as llm,
            processes.server(folder, llm, VISAVIS_BOOTSTRAP_KEY=key, VISAVIS_LIMITS__ENABLED="false") as (url, pid),
        ):
            for _ in range(WARM):
                await visit(url, key)
            before = await held(url, pid)
            for _ in range(count):
                await visit(url, key)
            return before, await held(url, pid)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sessions", description=__doc__)
    parser.add_argument("--sessions", type=int, default=50)
    options = parser.parse_args()
    before, after = asyncio.run(measure(options.sessions))
    print(f"after {WARM} sessions:  {before}")
    print(f"after {options.sessions} more:  {after}")


if __name__ == "__main__":
    main()
