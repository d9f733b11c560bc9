"""The handler of `voice` jobs: a text in one of our voices, as a WAV file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from media.speech.protocols import SpeechChunk
from media.speech.synthesis.voice import SynthesisVoice
from media.studio.voice import RenderedVoice, render_voice
from server.jobs.handlers import JobContext, JobResult
from server.renders.ingredients import control, explained, store
from server.renders.models import RenderModels
from server.renders.orders import VoiceOrder, read
from server.renders.outputs import SOUND, output_key, voice_metadata


async def run(context: JobContext, payload: Mapping[str, Any]) -> JobResult:
    """Speak `VoiceOrder.text`."""
    order = read(VoiceOrder, payload)
    context.phase("preparing")
    spoken = await speak(context, RenderModels.of(context.services), order.text, order.voice, speed=order.speed)
    context.phase("storing")
    stored = store(context, output_key(context.job_id, "voice", SOUND), spoken.path, SOUND)
    metadata = voice_metadata(model=order.model, engine=order.voice, seconds=spoken.seconds, language=order.language)
    return JobResult((stored,), metadata)


async def speak(
    context: JobContext,
    models: RenderModels,
    text: str,
    voice: str,
    *,
    speed: float = 1.0,
    on_chunk: Callable[[SpeechChunk], object] | None = None,
) -> RenderedVoice:
    """The text as a WAV file in the job's folder. Raises `JobFailed` where it cannot be spoken.

    `on_chunk` gets the speech as it is made.
    """
    with explained("text"):
        speaker: SynthesisVoice = await models.voice(voice)
        out = context.work_dir / "voice.wav"
        telling = control(context, "speaking")
        return await render_voice(text, speaker, out, speed=speed, control=telling, on_chunk=on_chunk)
