"""What lip-sync networks cost, batched across sessions and one by one: `python -m tests.bench.neural [--sessions N …]`.

Full-size replicas with random weights, through the renderer that live sessions use; each session asks for a frame at a
time, as fast as it gets them. On the GPU where onnxruntime has one, else on the processor.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from media.audio.frames import SPEECH_RATE
from media.avatar.face import FaceState
from media.avatar.neural import LipSyncAdapter, NeuralRenderer
from media.avatar.neural.ultralight import Ultralight
from media.avatar.neural.wav2lip import Wav2Lip
from media.avatar.renderer import Moment
from tests.bench import replicas
from tests.media.avatar.faces import drawn_pack

NETWORKS: dict[str, Callable[[Path], LipSyncAdapter]] = {
    "wav2lip-96": lambda folder: Wav2Lip(replicas.wav2lip(folder / "w96.onnx", 96)),
    "wav2lip-256": lambda folder: Wav2Lip(replicas.wav2lip(folder / "w256.onnx", 256)),
    "ultralight": lambda folder: Ultralight(replicas.ultralight(folder / "udh")),
    "ultralight-mobile": lambda folder: Ultralight(replicas.ultralight(folder / "mobile", (16, 32, 64, 128, 256))),
}
RATE = 25


@dataclass(frozen=True, slots=True)
class Pace:
    """Frames a second of all sessions together, the mean size of a batch, milliseconds of processor time a frame."""

    frames: float
    batch: float
    cost: float


async def pace(adapter: LipSyncAdapter, sessions: int, most: int, seconds: float) -> Pace:
    renderer = NeuralRenderer(adapter, most=most, capacity=4 * sessions, threads=os.cpu_count() or 1)
    try:
        avatars = [await renderer.prepare(drawn_pack(parted=float(k % 8))) for k in range(sessions)]
        count = round((adapter.hears.before + adapter.hears.after) * SPEECH_RATE)
        sound = np.random.default_rng(0).normal(0, 0.1, count).astype(np.float32)
        done, stop = 0, 0.0

        async def session(number: int) -> None:
            nonlocal done
            while (now := time.monotonic()) < stop:
                await renderer.render(avatars[number], Moment(FaceState(yaw=0.02), sound), deadline=now + 1 / RATE)
                done += 1

        stop = time.monotonic() + 1.0
        await asyncio.gather(*(session(k) for k in range(sessions)))  # the first inference of a size is slow
        done, renderer.batches = 0, []
        began, busy = time.monotonic(), time.process_time()
        stop = began + seconds
        await asyncio.gather(*(session(k) for k in range(sessions)))
        if renderer.fallen_back:
            raise RuntimeError(renderer.fallen_back)
        cost = 1000 * (time.process_time() - busy) / max(1, done)
        return Pace(done / (time.monotonic() - began), float(np.mean(renderer.batches)), cost)
    finally:
        renderer.close()


async def main(options: argparse.Namespace) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        for network in options.networks:
            adapter = NETWORKS[network](Path(name))
            print(f"{network}, on {adapter._network.provider}:", flush=True)  # type: ignore[attr-defined]
            for sessions in options.sessions:
                single = await pace(adapter, sessions, 1, options.seconds)
                batched = await pace(adapter, sessions, options.most, options.seconds)
                print(
                    f"  {sessions} sessions: {single.frames:.1f} frames/s one by one ({single.cost:.0f} ms of the "
                    f"processor each), {batched.frames:.1f} batched by {batched.batch:.1f} ({batched.cost:.0f} ms): "
                    f"{batched.frames / RATE:.1f} sessions at {RATE} frames/s",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--sessions", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--most", type=int, default=16, help="frames of a batch")
    parser.add_argument("--seconds", type=float, default=5.0)
    asyncio.run(main(parser.parse_args()))
