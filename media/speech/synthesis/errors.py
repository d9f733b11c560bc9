"""What can go wrong between text and speech."""

from __future__ import annotations


class SynthesisError(Exception):
    """Base of everything this package raises.

    - `UnknownVoice`: no voice has the name that was asked for.
    - `VoiceFileError`: a voice's files are missing, damaged, or of a kind that cannot be run.
    - `PhonemiserError`: words could not be turned into phonemes.
        - `LanguageNotSupported`: the phonemiser does not know the language.
        - `PhonemiserStopped`: its helper process is gone and could not be brought back, or was closed.
    """


class UnknownVoice(SynthesisError):
    """No voice has this name; the text lists those that do."""


class VoiceFileError(SynthesisError):
    """A voice's files are missing, damaged, or of a kind that cannot be run; the text names the file."""


class PhonemiserError(SynthesisError):
    """Words could not be turned into phonemes."""


class LanguageNotSupported(PhonemiserError):
    """The phonemiser does not know the language asked for."""


class PhonemiserStopped(PhonemiserError):
    """The phonemiser's helper process is gone and could not be brought back, or it was closed."""
