"""What the commands share: settings from the environment, and errors as one line."""

from __future__ import annotations

import os
import sys

from server.settings import Settings, SettingsError, load_settings


class CommandError(Exception):
    """The command cannot go on; the text is for people. `code` is the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def settings_from_environment() -> Settings:
    """The settings of this process. Raises `CommandError` (2) that names everything that is wrong with them."""
    try:
        return load_settings(os.environ)
    except SettingsError as error:
        raise CommandError(str(error), 2) from None


def complain(message: str) -> None:
    """Tell the person at the terminal what is wrong."""
    print(f"visavis: {message}", file=sys.stderr)
