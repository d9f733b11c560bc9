"""The models that renders need, loaded once in a worker and shared by its jobs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agents.llm.embedded import EmbeddedChat
from agents.llm.fallback import FallbackChat
from media.avatar.audio_visemes.network import AudioVisemes, packaged_network
from media.avatar.landmarks import MODEL, FaceLandmarker
from media.language.llama import LlamaRuntime, embedded_weights
from media.models import model_dir
from media.speech.synthesis.registry import VoiceRegistry
from media.speech.synthesis.voice import SynthesisVoice
from media.worker import ModelWorker
from server.jobs.handlers import Services, Shared
from server.renders.script import ScriptWriter
from server.settings import Settings

SCRIPT_TOKENS = 3000
"""Of an answer: some ten minutes of speech."""
SCRIPT_S = 90.0
_SCRIPT_CONTEXT = 2048


VOICE_THREADS = 2
"""A render speaks for long: a third less time for a tenth more work. Live sessions share the cores by turns."""


class RenderModels:
    """Loads each model when it is first needed. Its methods may be called from the threads of several jobs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts = Shared()
        self._enrolling = threading.Lock()

    @classmethod
    def of(cls, services: Services) -> RenderModels:
        """Those of the worker whose services these are."""
        settings: Settings = services.settings
        return services.shared.get("renders", lambda: cls(settings))

    @property
    def avatars_dir(self) -> Path:
        """Where the avatar library keeps its folders."""
        return self._settings.data_dir / "avatars"

    @property
    def longest_s(self) -> float:
        """Of a recording that a face speaks."""
        return self._settings.renders.longest_s

    async def voice(self, name: str) -> SynthesisVoice:
        """The voice of this name. Raises as `VoiceRegistry.open` does."""
        return await asyncio.to_thread(lambda: self._parts.get("voices", self._open_voices).open(name))

    def visemes(self) -> AudioVisemes:
        """The network that sees mouths in sound."""
        return self._parts.get("visemes", packaged_network)

    @asynccontextmanager
    async def landmarker(self) -> AsyncIterator[FaceLandmarker]:
        """The network that finds faces, for one job at a time."""
        await asyncio.to_thread(self._enrolling.acquire)
        try:
            yield await asyncio.to_thread(self._parts.get, "landmarker", lambda: FaceLandmarker(model_dir(MODEL)))
        finally:
            self._enrolling.release()

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[ScriptWriter]:
        """Who writes scripts: the configured language model, connected for one job."""
        llm = self._settings.llm
        if not llm.base_url:
            runtime = await asyncio.to_thread(self._parts.get, "llama", self._open_llama)
            yield ScriptWriter(EmbeddedChat(runtime), small=True, limit=SCRIPT_S)
            return
        from agents.llm.openai_compatible import ChatTimeouts, OpenAiCompatibleChat  # noqa: PLC0415 - 20 MB

        # Connections belong to an event loop, and each job has its own.
        chat = FallbackChat(
            [
                OpenAiCompatibleChat(
                    str(llm.base_url),
                    name,
                    api_key=llm.api_key.get_secret_value(),
                    timeouts=ChatTimeouts(first_token=max(llm.first_token_s, SCRIPT_S / 3), total=SCRIPT_S),
                    max_tokens=SCRIPT_TOKENS,
                    temperature=llm.temperature,
                )
                for name in (llm.model, llm.fallback_model)
                if name
            ]
        )
        try:
            yield ScriptWriter(chat, small=False, limit=2 * SCRIPT_S)
        finally:
            await chat.close()

    def _open_voices(self) -> VoiceRegistry:
        threads = max(self._settings.tts.threads, VOICE_THREADS)
        return VoiceRegistry(ModelWorker("speech-synthesis"), threads=threads, cache_samples=0)

    def _open_llama(self) -> LlamaRuntime:
        return LlamaRuntime(
            embedded_weights(), threads=self._settings.llm.threads, context=_SCRIPT_CONTEXT, chats=1, judgements=1
        )
