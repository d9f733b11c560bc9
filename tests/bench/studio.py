"""Renders to files, how fast and in how much memory: `python -m tests.bench.studio [--only PART …] [--portrait FILE]`.

Each part runs in a process of its own, so that its memory is its own. `film`: 60 s of speech to the avatar's square.
`whole`: 30 s at 720p, the face in the whole picture, from text: voice and film. `long`: ten minutes at 720p, for its
memory. `chapter`: 10,000 characters to a WAV file. `preview`: a sentence of three seconds, from the call to the file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from media.audio.wav import read_wav, write_wav
from media.avatar.audio_visemes.network import packaged_network
from media.avatar.film import Film, render_film
from media.avatar.landmarks import MODEL, FaceLandmarker
from media.avatar.portrait import decode_picture
from media.avatar.soundtrack import Speech
from media.models import model_dir
from media.speech.synthesis import SynthesisVoice, VoiceRegistry
from media.studio.framing import Framing, Portrait
from media.studio.talking import render_talking
from media.studio.voice import MOST_CHARACTERS, RenderedVoice, render_voice
from media.worker import ModelWorker
from server.avatars.preview import film as film_preview
from server.avatars.preview import speak
from tests.bench.avatar import TEXT

PORTRAIT = Path(__file__).parents[1] / "media" / "avatar" / "portraits" / "grace_hopper.jpg"
WIDE = Framing.of_resolution("720p", aspect=16 / 9)


def portrait_of(path: Path) -> Portrait:
    return Portrait.of_picture(decode_picture(path.read_bytes()), FaceLandmarker(model_dir(MODEL)))


def with_voice(work: Callable[[SynthesisVoice], None]) -> None:
    worker = ModelWorker("voice")
    registry = VoiceRegistry(worker, threads=2, deterministic=True)
    try:
        work(registry.open())
    finally:
        registry.close()
        worker.close()


def spoken(voice: SynthesisVoice, text: str, out: Path) -> RenderedVoice:
    return asyncio.run(render_voice(text, voice, out, rate=48_000))


class Watch:
    """The clock and the processor time of this process, from now on."""

    def __init__(self) -> None:
        self._began, self._busy = time.monotonic(), time.process_time()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def report(self, name: str, seconds: float, *, took: float | None = None) -> None:
        took = self.seconds if took is None else took
        busy = time.process_time() - self._busy
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}: {seconds:.1f} s in {took:.1f} s, {seconds / took:.1f} times real time; {busy:.1f} s of processor "
            f"time, at most {memory:.0f} MB resident"
        )


def film(path: Path, folder: Path) -> None:
    def work(voice: SynthesisVoice) -> None:
        sound = read_wav(spoken(voice, TEXT, folder / "s.wav").path)
        write_wav(folder / "minute.wav", np.resize(sound.samples, 60 * sound.rate), sound.rate)
        pack, network = portrait_of(path).pack, packaged_network()
        watch = Watch()
        made = render_film(pack, folder / "minute.wav", folder / "f.mp4", network)
        watch.report("speech to MP4, the avatar's square, mouth from sound", made.seconds)

    with_voice(work)


def whole(path: Path, folder: Path) -> None:
    def work(voice: SynthesisVoice) -> None:
        portrait = portrait_of(path)
        text = TEXT + " Please come a little earlier, so that we can show you both of the rooms."
        watch = Watch()
        made = spoken(voice, text, folder / "s.wav")
        said = watch.seconds
        render_talking(portrait, Speech(made.path, made.phonemes, made.rate), folder / "f.mp4", framing=WIDE)
        print(f"  of it the voice {said:.1f} s, the film {watch.seconds - said:.1f} s")
        watch.report("text to MP4, 1280×720", made.seconds)

    with_voice(work)


def long(path: Path, folder: Path) -> None:
    rate = 16_000
    sound = np.resize(read_wav(PORTRAIT.parents[3] / "speech" / "vegetarian.wav", rate=rate).samples, 600 * rate)
    write_wav(folder / "s.wav", sound, rate)
    watch = Watch()
    made = render_talking(portrait_of(path), Speech(folder / "s.wav"), folder / "f.mp4", framing=WIDE)
    watch.report("ten minutes to MP4, 1280×720, mouth from sound", made.seconds)


def chapter(path: Path, folder: Path) -> None:
    def work(voice: SynthesisVoice) -> None:
        watch = Watch()
        made = spoken(voice, ((TEXT + "\n\n") * 40)[:MOST_CHARACTERS], folder / "s.wav")
        watch.report(f"{MOST_CHARACTERS} characters to WAV, 48 kHz", made.seconds)

    with_voice(work)


def preview(path: Path, folder: Path) -> None:
    async def shown(voice: SynthesisVoice, portrait: Portrait, out: Path) -> Film:
        speech = await speak(voice, "Hello, nice to meet you! I am your new avatar.", within=1.0)
        return film_preview(portrait.pack, speech, out)

    def work(voice: SynthesisVoice) -> None:
        portrait = portrait_of(path)
        took = []
        for number in range(5):
            watch = Watch()
            made = asyncio.run(shown(voice, portrait, folder / f"{number}.mp4"))
            took.append(watch.seconds)
        print(f"  five of them: {', '.join(f'{one:.2f}' for one in sorted(took))} s")
        watch.report("preview, 512×512", made.seconds, took=float(np.median(took)))

    with_voice(work)


PARTS = {"film": film, "whole": whole, "long": long, "chapter": chapter, "preview": preview}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--portrait", type=Path, default=PORTRAIT)
    parser.add_argument("--here", action="store_true", help="run the one part in this process")
    options = parser.parse_args()
    if options.here:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[options.only[0]](options.portrait, Path(folder))
        return
    print(f"{options.portrait.name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    for part in options.only:
        command = [sys.executable, "-m", "tests.bench.studio", "--here", "--only", part]
        subprocess.run([*command, "--portrait", str(options.portrait)], check=True)


if __name__ == "__main__":
    main()
