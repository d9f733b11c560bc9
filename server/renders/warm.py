"""What an idle worker does: a small film, so that the first that is ordered finds everything loaded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from media import decoding
from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.soundtrack import Speech
from media.studio.control import Control
from media.studio.framing import Framing, Portrait
from media.studio.talking import render_talking
from media.studio.voice import render_voice
from server.jobs.handlers import Services
from server.renders.ingredients import LONGEST_SIDE
from server.renders.kinds import RENDERS
from server.renders.models import RenderModels

TEXT: Final = "Hello."
_FRAMING: Final = Framing(240)
_PAUSE_S: Final = 0.5


def warm(services: Services, folder: Path, stopped: Callable[[], bool]) -> None:
    """Load what films of a text in the default voice need; `folder` takes the film. Blocks for some seconds.

    Waits while calls need the machine. Raises `RenderCancelled` once `stopped` says so, and what the studio raises.
    """
    for kind in RENDERS.values():
        kind.load()
    asyncio.run(_film(services, folder, Control(lambda _: _yield(services, stopped), stopped)))


async def _film(services: Services, folder: Path, control: Control) -> None:
    models = RenderModels.of(services)
    picture = await decoding.decode_image(DEMO_PORTRAIT, max_side=LONGEST_SIDE)
    async with models.landmarker() as landmarker:
        portrait = await asyncio.to_thread(Portrait.of_picture, picture, landmarker)
    voice = await models.voice(services.settings.tts.voice)
    spoken = await render_voice(TEXT, voice, folder / "voice.wav", control=control)
    speech = Speech(spoken.path, spoken.phonemes, spoken.rate)
    await asyncio.to_thread(
        render_talking,
        portrait,
        speech,
        folder / "film.mp4",
        framing=_FRAMING,
        control=control,
        network=models.visemes(),
    )


def _yield(services: Services, stopped: Callable[[], bool]) -> None:
    while services.calls.pressed() and not stopped():
        time.sleep(_PAUSE_S)
