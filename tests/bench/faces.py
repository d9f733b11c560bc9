"""What a caller sees of a live face, and what it costs: `python -m tests.bench.faces [--only PART …] [--pictures DIR]`.

Callers on stock aiortc; the server is a process of its own. `sync`, `cpu`, `four` and `interrupt` meet real sessions
whose speech was synthesised before (`tests/bench/face_server.py`), so that processor time is that of session, voice
transport, face and encoder alone. `answers` meets the whole server with all models and a language model of fixed pace.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pickle
import sys
import tempfile
import time
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import soxr
from PIL import Image

from media.audio.frames import Samples
from media.avatar.landmarks import MODEL, FaceLandmarker
from media.models import model_dir
from media.speech.protocols import SpeechChunk
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker
from tests.bench import processes
from tests.bench.avatar import TEXT
from tests.bench.face_server import KEY, Speech
from tests.bench.figures import milliseconds, quantile
from tests.bench.talk import SPEECH, TURNS
from tests.peers.face_reader import Spoken, mouth_shut, rgb, sync_of
from tests.peers.webrtc_caller import FRAME, RATE, WebRtcCaller, calling

PARTS: Final = ("sync", "h264", "four", "interrupt", "answers")
SHORT: Final = (
    "Maybe you would prefer a warm place by the window? My mother may come with both of my brothers on Monday."
)
BUFFER: Final = 0.08
"""Seconds that a listener buffers: what comes later than that after its time is missing when it should be heard."""
VOICED: Final = 0.02
INTERRUPTIONS: Final = 8


async def synthesised() -> Speech:
    """What the agents say, by their ids."""
    worker = ModelWorker("voice")
    try:
        voice = VoiceRegistry(worker, deterministic=True).open()
        texts = {"demo": TEXT, "short": SHORT}
        return {name: [c async for c in voice.synthesise(text, deadline=0.0)] for name, text in texts.items()}
    finally:
        worker.close()


def spoken(chunks: Sequence[SpeechChunk]) -> Spoken:
    """The same with its phonemes in seconds."""
    rate = chunks[0].rate
    phonemes = [(p.phoneme, p.start / rate, p.end / rate) for chunk in chunks for p in chunk.phonemes]
    return Spoken(np.concatenate([chunk.samples for chunk in chunks]), rate, phonemes)


@asynccontextmanager
async def prepared_server(folder: Path, speech: Speech, codec: str = "vp8") -> AsyncIterator[str]:
    """The server without models; yields its URL."""
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    (folder / "speech").write_bytes(pickle.dumps(speech))
    arguments = ("-m", "tests.bench.face_server", str(port), str(folder / "speech"), codec)
    async with processes.process(*arguments, log=folder / "faces.log", ready=f"{url}/cpu"):
        yield url


async def spent(url: str) -> dict[str, float]:
    """Processor seconds of the server by now."""
    async with httpx.AsyncClient(base_url=url) as http:
        seconds: dict[str, float] = (await http.get("/cpu")).json()
        return seconds


async def one_session(url: str, agent: str, chunks: Sequence[SpeechChunk], pictures: Path | None, codec: str) -> None:
    """A whole greeting: how the face follows it, and what that takes."""
    said = spoken(chunks)
    async with calling(url, agent, key=KEY, video=True, codec=codec) as caller:
        await caller.event("state", state="speaking")
        await caller.until_audible()
        before, began = await spent(url), time.monotonic()
        await caller.event("state", state="listening")
        after, took = await spent(url), time.monotonic() - began
        await caller.listen(1.0)
    shares = {kind: 100 * (after[kind] - before[kind]) / took for kind in after}
    rate = sum(at > began for at in caller.pictured_at if at < began + took) / took
    first = caller.pictured_at[0] - caller.heard[0].at
    sync = await asyncio.to_thread(sync_of, caller, said, FaceLandmarker(model_dir(MODEL)))
    print(
        f"{codec}: {said.seconds:.0f} s of speech, {rate:.1f} frames a second, "
        f"first picture {1000 * first:+.0f} ms after the first sound"
    )
    print(
        f"  lag {1000 * sync.lag:+.0f} ms, correlation {sync.correlation:.3f}, "
        f"p b m closed {100 * sync.closures:.0f} %, open vowels {np.median(sync.openings):.3f}"
    )
    print(
        f"  processor while speaking: {shares['process']:.1f} % of a core (event loop {shares['loop']:.1f}, "
        f"drawing {shares['drawing']:.1f}, encoding {shares['encoding']:.1f})"
    )
    if pictures is not None:
        save(caller, pictures / codec)


def save(caller: WebRtcCaller, folder: Path) -> None:
    """Every fifth picture as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (_, _, frame) in enumerate(caller.pictures[::5]):
        Image.fromarray(rgb(frame)).save(folder / f"{number:03}.png")


async def four_sessions(url: str, seconds: float = 15.0) -> None:
    """Four at once, two of them speaking: what arrives at each."""
    before = await spent(url)

    async def one(agent: str) -> tuple[float, int, int]:
        async with calling(url, agent, key=KEY, video=True) as caller:
            caller.keeps_pictures = False
            while len(caller.pictured_at) < 5:
                await caller.news()
            began = time.monotonic()
            await caller.listen(seconds)
            took = time.monotonic() - began
            rate = sum(began < at < began + took for at in caller.pictured_at) / took
            return rate, *gaps(caller, began)

    results = await asyncio.gather(*(one(agent) for agent in ("demo", "silent", "demo", "silent")))
    after = await spent(url)
    rates = ", ".join(f"{rate:.1f}" for rate, _, _ in results)
    lost = sum(missing + late for _, missing, late in results)
    busy = 100 * (after["process"] - before["process"]) / (seconds + 1)
    print(
        f"four sessions, two speaking: {rates} frames a second; {lost} of {4 * int(seconds * 50)} packets of sound "
        f"missing or more than {1000 * BUFFER:.0f} ms late; the server took {busy:.0f} % of a core"
    )


def gaps(caller: WebRtcCaller, since: float) -> tuple[int, int]:
    """Packets of sound that never came, and those that came too late to be heard."""
    heard = [part for part in caller.heard if part.at >= since]
    missing = (heard[-1].pts - heard[0].pts) // FRAME + 1 - len(heard)
    delays = np.array([part.at - part.pts / RATE for part in heard])
    return missing, int((delays - delays.min() > BUFFER).sum())


async def interruptions(url: str) -> None:
    """From the press of the button to a shut mouth on the caller's screen, and to silence in its ear."""
    landmarker = FaceLandmarker(model_dir(MODEL))
    mouths, sounds = [], []
    for number in range(INTERRUPTIONS):
        async with calling(url, "demo", key=KEY, video=True) as caller:
            await caller.event("state", state="speaking")
            await caller.until_audible()
            await caller.listen(1.5 + 0.13 * number)
            asked = time.monotonic()
            caller.send("interrupt")
            await caller.listen(0.8)
            shut = mouth_shut(caller, asked, landmarker, until=asked + 0.8)
            mouths.append(float("inf") if shut is None else shut - asked)
            sounds.append(max(0.0, (caller.last_audible() or asked) - asked))
    mouth, sound = (f"p50 {milliseconds(quantile(v, 0.5))}, most {milliseconds(max(v))} ms" for v in (mouths, sounds))
    print(f"interrupted {INTERRUPTIONS} times: mouth shut at the caller after {mouth}; silent after {sound}")


def clip(name: str) -> tuple[Samples, float]:
    """A recording at 48 kHz, and the second in which its voice ends."""
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        samples = soxr.resample(samples, file.getframerate(), RATE)
    return samples, float(np.flatnonzero(np.abs(samples) > VOICED)[-1]) / RATE


async def quiet(caller: WebRtcCaller, seconds: float) -> None:
    """Wait until the agent has been silent for so long."""
    began = time.monotonic()
    while time.monotonic() - max(began, caller.last_audible() or began) < seconds:
        await caller.news()


async def answers(url: str, turns: int, *, video: bool) -> tuple[list[float], list[float]]:
    """Seconds from the end of the caller's voice until the agent's first sound has come, and until it is decoded.

    Between the two lies what a receiver buffers: 80 ms with aiortc, mostly less with browsers.
    """
    came, decoded = [], []
    async with calling(url, "demo", key=KEY, video=video) as caller:
        caller.keeps_pictures = False
        await caller.until_audible()
        await quiet(caller, 1.5)
        for number in range(turns):
            samples, ends = clip(TURNS[number % len(TURNS)])
            packet = len(caller.microphone.sent_at) + int(ends * 50)
            caller.microphone.say(samples)
            while len(caller.microphone.sent_at) <= packet:
                await caller.news()
            ended = caller.microphone.sent_at[packet]
            at = await caller.until_audible(ended)
            first = next(heard for heard in caller.heard if heard.at == at)
            decoded.append(at - ended)
            came.append(caller.wires["audio"].arrived_at(first.pts) - ended)
            await quiet(caller, 1.5)
        rate = len(caller.pictured_at) / (caller.heard[-1].at - caller.heard[0].at)
    each = ", ".join(milliseconds(value) for value in came)
    print(f"  {'with' if video else 'without'} the face: {each} ms; {rate:.1f} frames a second")
    return came, decoded


async def whole_server(folder: Path, turns: int) -> None:
    """How long a caller waits for an answer while it looks at the face."""
    os.environ["VISAVIS_BOOTSTRAP_KEY"] = KEY
    print(
        f"voice to voice in the browser path, all models (load {os.getloadavg()[0]:.1f}), to the first sound's packet:"
    )
    async with processes.language_model(folder) as llm, processes.server(folder, llm) as (url, _):
        for video in (False, True):
            came, decoded = await answers(url, turns, video=video)
            p50, p95 = (milliseconds(quantile(came, share)) for share in (0.5, 0.95))
            buffered = milliseconds(quantile(decoded, 0.5))
            print(f"    p50 {p50}, p95 {p95} ms; after aiortc's buffer of 80 ms p50 {buffered} ms")


async def main(parts: Sequence[str], pictures: Path | None, turns: int) -> None:
    print(f"{processes.machine()}, load {os.getloadavg()[0]:.1f}")
    speech = await synthesised()
    with tempfile.TemporaryDirectory(prefix="visavis-faces-") as temporary:
        folder = Path(temporary)
        async with prepared_server(folder, speech) as url:
            if "sync" in parts:
                await one_session(url, "demo", speech["demo"], pictures, "vp8")
            if "h264" in parts:
                await one_session(url, "short", speech["short"], pictures, "h264")
            if "interrupt" in parts:
                await interruptions(url)
            if "four" in parts:
                await four_sessions(url)
        if "answers" in parts:
            await whole_server(folder, turns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--pictures", type=Path, help="put every fifth picture that was received here")
    parser.add_argument("--turns", type=int, default=6)
    options = parser.parse_args()
    asyncio.run(main(options.only, options.pictures, options.turns))
    sys.exit(0)
