"""F2: the engines of voice and avatar generation, which are the live engine's own voice and face."""

from __future__ import annotations

import math
from typing import Final

from server.families.desk import Desk, language_tag
from server.gate.call import ApiCall, ApiResult
from server.platform.engines import Engines, Generation
from server.platform.generation import Queued, QueuedJob, QueuedVoice, QueuedVoiceJob
from server.platform.requests import AvatarRequest, VoiceRequest
from server.renders.kinds import AVATAR, VOICE
from server.renders.orders import AvatarOrder, VoiceOrder
from server.renders.speaking_time import estimate_seconds
from server.renders.voices import KOKORO, base_language

VOICE_ENGINE: Final = "voice"
AVATAR_ENGINE: Final = "avatar"
"""The names of the engines in the settings' `models.engines`."""

_PACE: Final = {True: 1.5, False: 8.0}
"""Seconds of speech made in a second, by whether it is a Kokoro voice; on one core, beside other work."""


class LocalEngines:
    """Orders voices and talking heads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def register(self, engines: Engines) -> None:
        """From now on their models are served."""
        engines.add(VOICE_ENGINE, VOICE, self.voice)
        engines.add(AVATAR_ENGINE, AVATAR, self.avatar)

    async def voice(self, call: ApiCall[VoiceRequest], asked: Generation) -> ApiResult:
        """Speech from a text."""
        request = call.body
        # A voice that is named says by itself which language it speaks, unless both are.
        named = request.voice_id is None or "language" in request.model_fields_set
        language = language_tag(request.language) if named else None
        voice = self._desk.voice(
            language=language, voice=request.voice_id, field="voiceId", kokoro=request.model == "kokoro"
        )
        spoken = base_language(language) if language else self._desk.voices().language_of(voice) or "en"
        order = VoiceOrder(text=request.text, voice=voice, language=spoken, speed=request.speed, model=asked.model)
        seconds = estimate_seconds(request.text, spoken, speed=request.speed)
        minutes = max(1, math.ceil(seconds / _PACE[voice.startswith(KOKORO)] / 60))
        return await self._desk.order(
            call,
            order,
            lambda job: ApiResult(
                QueuedVoice(
                    data=QueuedVoiceJob(job_id=job.id, message="Voice generation job queued", estimated_minutes=minutes)
                )
            ),
            kind=VOICE,
            family="F2",
            item=asked.item,
            price=asked.price,
        )

    async def avatar(self, call: ApiCall[AvatarRequest], asked: Generation) -> ApiResult:
        """A portrait that speaks a recording, or else a text."""
        request = call.body
        voice = self._desk.voice(language=None, voice=request.voice_id, field="voiceId")
        order = AvatarOrder(
            image=request.image,
            resolution=request.resolution,
            model=asked.model,
            audio=request.audio,
            text=None if request.audio is not None else request.text,
            voice=voice,
            language=self._desk.voices().language_of(voice) or "en",
        )
        return await self._desk.order(
            call,
            order,
            lambda job: ApiResult(Queued(data=QueuedJob(job_id=job.id, message="Avatar generation job queued"))),
            kind=AVATAR,
            family="F2",
            item=asked.item,
            price=asked.price,
        )
