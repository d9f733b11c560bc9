"""What the face costs and how well it follows the voice, measured on the pictures that come out.

`python -m tests.bench.avatar [--seconds 60] [--portrait FILE]`
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
import wave
from pathlib import Path

import cv2
import numpy as np
import soxr

from media.audio.frames import Samples, to_int16
from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.audio_visemes.network import packaged_network
from media.avatar.driver import FaceDriver, Mood
from media.avatar.enrol import enrol
from media.avatar.film import render_film
from media.avatar.landmarks import MODEL, FaceLandmarker
from media.avatar.pack import AvatarPack
from media.avatar.puppet.renderer import Puppet
from media.avatar.renderer import draw, to_frame
from media.avatar.visemes import MouthTrack, PhonemeTrack
from media.models import model_dir
from media.speech.protocols import SpokenPhoneme
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker
from tests.media.avatar.sync import gaps, measured

TEXT = (
    "Hello, my name is Mira. I would be happy to help you book a table for Friday evening. Do you have any food "
    "allergies, or would you prefer a particular place, perhaps a warm spot by the window? Wonderful. We open at "
    "five, and the kitchen closes at half past ten. Both of the big tables are free, but I must ask how many people "
    "may come. Tomorrow a marching band will pass the market at about four, so please park behind the farm."
)
RATE = 25


async def speech(text: str) -> tuple[Samples, int, list[SpokenPhoneme]]:
    """The default voice without variation."""
    worker = ModelWorker("voice")
    try:
        voice = VoiceRegistry(worker, deterministic=True).open()
        parts: list[Samples] = []
        phonemes: list[SpokenPhoneme] = []
        async for chunk in voice.synthesise(text, deadline=0.0):
            parts.append(chunk.samples)
            phonemes += chunk.phonemes
        return np.concatenate(parts), voice.rate, phonemes
    finally:
        worker.close()


def frame_costs(puppet: Puppet, track: MouthTrack, count: int) -> None:
    driver = FaceDriver(seed=1)
    driver.set_mood(Mood.SPEAKING, 0.0)
    driver.play(track, 0.0)
    wall, processor, yuv = [], [], []
    for k in range(count):
        began, busy = time.perf_counter(), time.thread_time()
        draw(puppet, driver.state((k + 0.5) / RATE))
        wall.append(1000 * (time.perf_counter() - began))
        processor.append(1000 * (time.thread_time() - busy))
        rgba = puppet.draw(driver.state((k + 0.5) / RATE))
        began = time.perf_counter()
        to_frame(rgba)
        yuv.append(1000 * (time.perf_counter() - began))
    for name, values in (("wall clock", wall), ("processor", processor), ("of it YUV", yuv)):
        p50, p95, p99 = np.quantile(values, [0.5, 0.95, 0.99])
        print(f"ms a frame, state to I420, {name}: median {p50:.2f}, p95 {p95:.2f}, p99 {p99:.2f}")


def follows(puppet: Puppet, track: MouthTrack, spoken: list[tuple[str, float, float]], count: int) -> None:
    landmarker = FaceLandmarker(model_dir(MODEL))
    driver = FaceDriver(seed=1)
    driver.set_mood(Mood.SPEAKING, 0.0)
    driver.play(track, 0.0)
    times = (np.arange(count) + 0.5) / RATE
    reference = PhonemeTrack()
    for phoneme in spoken:
        reference.add(*phoneme)
    frames = (np.ascontiguousarray(draw(puppet, driver.state(float(at))).rgb()) for at in times)
    sync = measured(gaps(frames, landmarker), times, reference, spoken)
    openings = np.array(sync.openings)
    print(
        f"  lag {1000 * sync.lag:+.0f} ms, r {sync.correlation:.3f}, closures {100 * sync.closures:.0f} %, "
        f"open vowels: median {np.median(openings):.3f}, upper quartile {np.quantile(openings, 0.75):.3f}, "
        f"most {openings.max():.3f} of the eye distance ({len(openings)})"
    )


def film(pack: AvatarPack, samples: Samples, rate: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sound, out = Path(folder) / "speech.wav", Path(folder) / "film.mp4"
        with wave.open(str(sound), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(to_int16(np.resize(samples, int(seconds * rate))).tobytes())
        network = packaged_network()
        began, busy = time.monotonic(), time.process_time()
        made = render_film(pack, sound, out, network)
        took, busy = time.monotonic() - began, time.process_time() - busy
        print(
            f"speech to MP4: {made.seconds:.0f} s in {took:.1f} s, {made.seconds / took:.1f} times real time "
            f"({busy:.1f} s of processor time), {out.stat().st_size / 1e6:.1f} MB"
        )


def main(portrait: Path, seconds: float) -> None:
    landmarker = FaceLandmarker(model_dir(MODEL))
    began = time.perf_counter()
    pack = enrol(portrait.read_bytes(), landmarker)
    enrolled = time.perf_counter()
    puppet = Puppet(pack)
    print(
        f"{portrait.name}: enrolment {enrolled - began:.2f} s, preparation {time.perf_counter() - enrolled:.2f} s, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, OpenCV {cv2.__version__}"
    )
    samples, rate, phonemes = asyncio.run(speech(TEXT))
    spoken = [(p.phoneme, p.start / rate, p.end / rate) for p in phonemes]
    track = PhonemeTrack()
    track.extend(phonemes, rate)
    count = int(len(samples) / rate * RATE)
    frame_costs(puppet, track, count)
    print(f"from the voice's phonemes, {count} frames:")
    follows(puppet, track, spoken, count)

    print("from the sound alone:")
    heard = soxr.resample(samples, rate, 16_000).astype(np.float32)
    follows(puppet, packaged_network().track(heard), spoken, count)
    film(pack, samples, rate, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--portrait", type=Path, default=DEMO_PORTRAIT)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    main(options.portrait, options.seconds)
