"""What can go wrong while something is rendered to a file.

StudioError
├── OptionInvalid    an option cannot be used; `field` names it, the text says what can
├── NothingToSpeak   the text holds no word that can be spoken
└── RenderCancelled  the caller asked to stop; nothing was kept
"""

from __future__ import annotations


class StudioError(Exception):
    """Base of everything this package raises itself."""


class OptionInvalid(StudioError):
    """An option that cannot be used. `field` is its name."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field


class NothingToSpeak(StudioError):
    """A text without a word that can be spoken."""


class RenderCancelled(StudioError):
    """The render was stopped because its caller asked for it; nothing of it was kept."""
