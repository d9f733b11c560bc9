"""Speech synthesis: text in, chunks of speech with word and phoneme times out.

The flow, in the order of its modules: `normalise` (written text to spoken words with their source characters),
`plan` (words to clauses), `g2p` (words to phonemes, in a helper process), `piper` and `kokoro` (phonemes to sound,
behind `model`), `timing` and `timeline` (durations to times, clauses to one utterance), `voice` (all of it, chunk by
chunk through the model's worker), `cache`, and `registry`, which opens voices by name.
"""

from __future__ import annotations

from media.speech.synthesis.errors import (
    LanguageNotSupported,
    PhonemiserError,
    PhonemiserStopped,
    SynthesisError,
    UnknownVoice,
    VoiceFileError,
)
from media.speech.synthesis.registry import DEFAULT_VOICE, VoiceRegistry
from media.speech.synthesis.voice import SynthesisVoice

__all__ = [
    "DEFAULT_VOICE",
    "LanguageNotSupported",
    "PhonemiserError",
    "PhonemiserStopped",
    "SynthesisError",
    "SynthesisVoice",
    "UnknownVoice",
    "VoiceFileError",
    "VoiceRegistry",
]
