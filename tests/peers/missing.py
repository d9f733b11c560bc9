"""What a test needs of the system and does not find."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, saying what is missing; fail it where every test has to run (TESTS_MUST_RUN)."""
    if os.environ.get("TESTS_MUST_RUN"):
        pytest.fail(what)
    pytest.skip(what)
