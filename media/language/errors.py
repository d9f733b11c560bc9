"""What the language models say when they cannot do their work."""

from __future__ import annotations


class LanguageModelError(Exception):
    """Base of the errors of the in-process language models."""


class WeightsUnusable(LanguageModelError):
    """The weights are not what this code can run; the message names the file and what it expected."""


class PromptTooLong(LanguageModelError):
    """The prompt does not fit into the model's context."""


class GenerationFailed(LanguageModelError):
    """The runtime refused the request or broke off."""
