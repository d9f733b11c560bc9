"""What can go wrong between speech and text."""

from __future__ import annotations


class RecognitionError(Exception):
    """Base of everything this package raises.

    - `RecogniserFilesError`: the model's folder is incomplete or of a kind that cannot be run.
    - `LanguageNotSupported`: the model does not know the language.
    """


class RecogniserFilesError(RecognitionError):
    """A model's folder is incomplete or of a kind that cannot be run; the text names it."""


class LanguageNotSupported(RecognitionError):
    """The model does not know the language asked for; the text lists those that it knows."""
