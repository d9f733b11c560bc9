"""Kokoro's voices come from npm; where there is none, its tests say so instead of failing."""

from __future__ import annotations

import pytest

from media.models import status


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = status(["kokoro"])
    if missing:
        marker = pytest.mark.skip(reason=missing["kokoro"])
        for item in items:
            if "tests/models/" in item.nodeid and "kokoro" in item.nodeid.lower():
                item.add_marker(marker)
