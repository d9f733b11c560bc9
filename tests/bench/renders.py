"""Renders over REST, end to end: `python -m tests.bench.renders [--only PART …]`.

Starts the server with a worker and orders as a customer does, media on a file server beside it. `video`: a talking head
of 30 s at 720p from a photo and a text, from POST to completed, several times; the worker's memory. `poller`: from POST
to the first change of status that somebody sees who asks every 20 ms. `hostile`: an hour of sound and a picture of 200
megapixels sent to /api/generate/avatar.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from PIL import Image

from media.avatar.assets import DEMO_PORTRAIT
from tests.bench.processes import MemoryWatch, language_model, machine, server
from tests.peers.files import serving

KEY: Final = "sk_live_for_the_benchmark_of_renders_only"
TEXT: Final = (
    "Every morning, millions of people reach for the same thing before they even open their eyes. We wanted to know "
    "why, so we asked. The answer surprised us: it is not habit, it is comfort. That is what we build into every cup "
    "we make. The beans come from four farms, and we know the families who run them. They are roasted in small "
    "batches, a day before they leave our house, and never earlier. You will find us on the corner of the old market, "
    "or at your own door before seven in the morning. Try it once, and tell us what you think of it."
)
POLL_S: Final = 0.02
REST_S: Final = 5
"""Longer than a worker waits before it warms up."""


class Bench:
    """A client of the server and what it watches."""

    def __init__(self, client: httpx.AsyncClient, media: str, pid: int) -> None:
        self.client = client
        self.media = media
        self.server = psutil.Process(pid)

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        return [each for each in self.server.children(recursive=True) if "worker" in " ".join(each.cmdline())]

    async def rest(self) -> None:
        """Wait until the worker has started, is warm, and has had nothing to do for a while."""
        (worker,) = self.workers()
        quiet, was = 0, -1.0
        while quiet < REST_S:
            await asyncio.sleep(1.0)
            now = sum(worker.cpu_times()[:2])
            quiet, was = (quiet + 1 if now < was + 0.1 else 0), now

    async def order(self, path: str, body: dict[str, Any]) -> str:
        """Order a job; its id."""
        answer = await self.client.post(path, json=body)
        answer.raise_for_status()
        return str(answer.json()["data"]["jobId"])

    async def job(self, job_id: str) -> dict[str, Any]:
        """A job now."""
        answer = await self.client.get("/api/jobs", params={"id": job_id})
        answer.raise_for_status()
        return dict(answer.json()["data"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        """A job when it has ended."""
        while (job := await self.job(job_id))["status"] in ("queued", "running"):
            await asyncio.sleep(0.1)
        return job

    def avatar(self, **changed: str) -> dict[str, Any]:
        """The body of an order for a talking head."""
        body = {"image": f"{self.media}/photo.jpg", "resolution": "720p", "model": "veed-fabric", "text": TEXT}
        return {**body, **changed}


async def video(bench: Bench) -> None:
    """Three videos one after the other; the first has the models to load, unless `renders.warm` is set."""
    await bench.rest()
    for number in range(3):
        (worker,) = bench.workers()
        watch = MemoryWatch(worker.pid)
        watching = asyncio.create_task(watch.watch())
        began, busy = time.monotonic(), sum(worker.cpu_times()[:2])
        job = await bench.ended(await bench.order("/api/generate/avatar", bench.avatar()))
        took = time.monotonic() - began
        busy = sum(worker.cpu_times()[:2]) - busy
        watching.cancel()
        seconds = job["metadata"]["durationSeconds"]
        helpers = sum(child.memory_info().rss for child in worker.children(recursive=True))
        print(
            f"video {number + 1}: {seconds:.1f} s at 720p in {took:.1f} s from POST to completed, "
            f"{seconds / took:.2f} × real time, {busy:.1f} s of processor time; worker and its helpers at most "
            f"{watch.peak / 2**20:.0f} MB resident (helpers {helpers / 2**20:.0f} MB at the end)",
            flush=True,
        )


async def poller(bench: Bench) -> None:
    """Twenty short voices, each alone."""
    waits = []
    for _ in range(20):
        began = time.monotonic()
        job_id = await bench.order("/api/generate/voice", {"text": "Good morning.", "model": "fish-audio-s1"})
        posted = time.monotonic() - began
        while (await bench.job(job_id))["status"] == "queued":
            await asyncio.sleep(POLL_S)
        waits.append(1000 * (time.monotonic() - began))
        await bench.ended(job_id)
    waits.sort()
    print(
        f"poller: first change of status {statistics.median(waits):.0f} ms after POST (median), "
        f"{waits[-2]:.0f} ms (95 %), {waits[-1]:.0f} ms (most); the last POST took {1000 * posted:.0f} ms",
        flush=True,
    )


async def hostile(bench: Bench) -> None:
    """What must not take the machine down."""
    for name, changed in (
        ("an hour of sound", {"audio": f"{bench.media}/hour.wav"}),
        ("200 megapixels, grey", {"image": f"{bench.media}/huge.png"}),
        ("200 megapixels, JPEG", {"image": f"{bench.media}/huge.jpg"}),
    ):
        (worker,) = bench.workers()
        watch = MemoryWatch(worker.pid)
        before = watch.sample()
        watching = asyncio.create_task(watch.watch())
        began = time.monotonic()
        job = await bench.ended(await bench.order("/api/generate/avatar", bench.avatar(**changed)))
        watching.cancel()
        print(
            f"hostile: {name}: {job['status']} ({job['error']}) after {time.monotonic() - began:.1f} s, worker and "
            f"helpers grew by {(watch.peak - before) / 2**20:.0f} MB",
            flush=True,
        )


PARTS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {"video": video, "poller": poller, "hostile": hostile}


def write_media(folder: Path, parts: list[str]) -> None:
    """The files that the orders name."""
    with Image.open(DEMO_PORTRAIT) as portrait:
        portrait.convert("RGB").save(folder / "photo.jpg")
    if "hostile" not in parts:
        return
    Image.new("L", (20_000, 10_000), 128).save(folder / "huge.png")
    Image.new("L", (20_000, 10_000), 128).save(folder / "huge.jpg")
    with wave.open(str(folder / "hour.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        for _ in range(60):
            file.writeframes(os.urandom(2 * 16_000 * 60))


async def bench(parts: list[str]) -> None:
    """Run the parts against one server."""
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (media := folder / "media").mkdir()
        await asyncio.to_thread(write_media, media, parts)
        options = {
            "VISAVIS_BOOTSTRAP_KEY": KEY,
            "VISAVIS_FETCHING__ALLOW_LOCAL": "true",
            "VISAVIS_LIMITS__ENABLED": "false",
        }
        async with language_model(folder) as llm, server(folder, llm, **options) as (url, pid):
            headers = {"authorization": f"Bearer {KEY}"}
            with serving(media) as address:
                async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
                    for part in parts:
                        await PARTS[part](Bench(client, address, pid))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.renders", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    asyncio.run(bench(parser.parse_args().only))


if __name__ == "__main__":
    main()
