"""`python -m media.speech.speaker.measure_voices`: speak with every packaged voice and note how it sounds.

Writes `voices.safetensors`: for each voice 256 numbers in half precision, its embedding. Takes seven minutes on two
cores; voices already in the file are kept unless `--again` is given.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from media.audio.frames import SPEECH_RATE, Samples
from media.audio.resample import resample
from media.models import prepare
from media.speech.speaker.encoder import MODEL, SpeakerEncoder
from media.speech.speaker.nearest import VOICES, Embedding, voice_embeddings
from media.speech.synthesis import SynthesisVoice, VoiceRegistry
from media.worker import ModelWorker

TEXTS = {
    "en": "The rainbow is a division of white light into many beautiful colours. These take the shape of a long round "
    "arch, with its path high above, and its two ends apparently beyond the horizon.",
    "es": "El viento del norte y el sol discutían por saber quién era el más fuerte de los dos, cuando pasó un viajero "
    "envuelto en una ancha capa.",
    "fr": "La bise et le soleil se disputaient, chacun assurant qu'il était le plus fort, quand ils ont vu un voyageur "
    "qui s'avançait, enveloppé dans son manteau.",
    "hi": "उत्तरी हवा और सूरज इस बात पर झगड़ रहे थे कि हम दोनों में ज़्यादा बलवान कौन है। "
    "इतने में गरम चोगा पहने एक मुसाफ़िर उधर आ निकला।",
    "it": "Si bisticciavano un giorno il vento di tramontana e il sole, l'uno pretendendo d'essere più forte "
    "dell'altro, quando videro un viaggiatore, che veniva innanzi avvolto nel mantello.",
    "ja": "あるとき、きたかぜと たいようが、ちからくらべを しました。"
    "たびびとの がいとうを ぬがせた ほうが、かちと きめました。",
    "pt": "O vento norte e o sol discutiam qual dos dois era o mais forte, "
    "quando passou um viajante envolto numa capa.",
    "cmn": "有一回，北风跟太阳在那儿争论谁的本事大。说着说着，来了一个过路的，身上穿了一件厚袍子。",
}
"""About eight seconds of each language: the Rainbow Passage, and the beginning of Aesop's fable of wind and sun."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m media.speech.speaker.measure_voices", description=__doc__)
    parser.add_argument("--again", action="store_true", help="measure those that are in the file, too")
    parser.add_argument("-o", "--out", type=Path, default=VOICES)
    options = parser.parse_args(arguments)
    prepare([MODEL])
    measured: dict[str, Embedding] = {} if options.again or not VOICES.is_file() else voice_embeddings()
    worker = ModelWorker("voices")
    registry = VoiceRegistry(worker, threads=2, deterministic=True, cache_samples=0)
    encoder = SpeakerEncoder(threads=2)
    try:
        for name in registry.names():
            if name not in measured:
                began = time.monotonic()
                speech = asyncio.run(_spoken(registry.open(name)))
                measured[name] = encoder.embed(speech)
                _write(measured, options.out)
                print(f"{name}: {len(speech) / SPEECH_RATE:.1f} s in {time.monotonic() - began:.1f} s", flush=True)  # noqa: T201
    finally:
        registry.close()
        worker.close()
    return 0


async def _spoken(voice: SynthesisVoice) -> Samples:
    text = TEXTS.get(voice.language, TEXTS.get(voice.language.partition("-")[0], TEXTS["en"]))
    parts = [chunk.samples async for chunk in voice.synthesise(text, deadline=time.monotonic())]
    return resample(np.concatenate(parts), voice.rate, SPEECH_RATE)


def _write(measured: dict[str, Embedding], path: Path) -> None:
    about = {"encoder": MODEL, "made_by": "python -m media.speech.speaker.measure_voices"}
    path.write_bytes(save({name: measured[name].astype(np.float16) for name in sorted(measured)}, about))


if __name__ == "__main__":
    sys.exit(main())
