"""One browser and one event loop for each file of tests; a server for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import chromium
from tests.browser.console import Console, serving_console
from tests.browser.serving import PageServer, serving_page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, its microphone playing the test device's beeps."""
    async with chromium() as launched:
        yield launched


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    """The page, its agents without faces."""
    with serving_page(tmp_path) as serving:
        yield serving


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """The console, its account's key known."""
    with serving_console(tmp_path) as serving:
        yield serving
