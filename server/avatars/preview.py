"""The film in which a new avatar speaks its first sentence."""

from __future__ import annotations

import time
from contextlib import aclosing
from pathlib import Path
from typing import Final

import numpy as np

from media.audio.frames import AudioFrame
from media.avatar.audio_visemes.network import packaged_network
from media.avatar.driver import FaceDriver
from media.avatar.film import Encoding, Film, PuppetPainter, write_film
from media.avatar.pack import AvatarPack
from media.avatar.soundtrack import Speech
from media.speech.protocols import SpokenPhoneme, Voice

_LONGEST: Final = 12.0
"""Seconds after which a greeting is cut."""
_QUIET: Final = 0.35
"""Seconds before and after the words, in which the face is seen at rest."""
# A live conversation needs the other cores more.
_ENCODING: Final = Encoding(preset="superfast", quality=21, threads=1)


async def speak(voice: Voice, text: str, *, within: float, speed: float = 1.0) -> Speech:
    """What the avatar says, due in `within` seconds; the end of a very long text is left out.

    Raises what `media.speech.protocols.Voice.synthesise` raises.
    """
    parts = [np.zeros(int(_QUIET * voice.rate), np.float32)]
    phonemes: list[SpokenPhoneme] = []
    position = lead = len(parts[0])
    async with aclosing(voice.synthesise(text, deadline=time.monotonic() + within, speed=speed)) as chunks:
        async for chunk in chunks:
            parts.append(chunk.samples)
            phonemes += [SpokenPhoneme(p.phoneme, p.start + lead, p.end + lead) for p in chunk.phonemes]
            position += len(chunk.samples)
            if position > _LONGEST * voice.rate:
                break
    parts.append(np.zeros(int(_QUIET * voice.rate), np.float32))
    return Speech(AudioFrame(np.concatenate(parts), voice.rate, 0), tuple(phonemes), voice.rate)


def film(pack: AvatarPack, speech: Speech, out: Path) -> Film:
    """Write the film; blocks for about a third of its length. Raises `OSError`."""
    seed = int(pack.digest[:8], 16)
    return write_film(PuppetPainter(pack), FaceDriver(seed=seed), speech, out, packaged_network(), encoding=_ENCODING)
