"""Which models of the manifest the settings ask for."""

from __future__ import annotations

from server.settings import Settings
from server.settings.model import WHISPER_SIZES


def needed_models(settings: Settings) -> tuple[str, ...]:
    """Names of the models that a server with these settings uses, in the order they are fetched.

    The small language model is among them even where an endpoint answers: it judges whether a sentence is whole.
    """
    names = ["silero-vad", "smart-turn", "smollm2-135m", "minilm", "piper-joe"]
    if settings.avatar.enabled:
        names += ["face-landmarker", "speaker-encoder"]
    if settings.asr.model in WHISPER_SIZES:
        names.append(f"whisper-{settings.asr.model}")
    if settings.tts.voice.startswith("kokoro"):
        names.append("kokoro")
    return tuple(names)
