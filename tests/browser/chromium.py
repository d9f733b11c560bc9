"""Debian's Chromium, with a microphone that plays a recording and a camera that shows a test picture."""

from __future__ import annotations

import os
import shutil
import wave
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

CHROMIUM: Final = shutil.which("chromium") or ""
PATIENCE: Final = 20_000
"""Milliseconds until something that was expected counts as missing: machines are busy at times."""
DESKTOP: Final = (1280, 800)
PHONE: Final = (390, 844)
FLAGS: Final = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

expect.set_options(timeout=PATIENCE)


@asynccontextmanager
async def chromium(microphone: Path | None = None, *, flags: Iterable[str] = FLAGS) -> AsyncIterator[Browser]:
    """A browser; `microphone`: a WAV that is heard once, from when the microphone is opened."""
    if not CHROMIUM:
        if os.environ.get("TESTS_MUST_RUN"):
            pytest.fail("chromium is missing: .ci/run installs it (Debian's package chromium)")
        pytest.skip("there is no chromium here (Debian's package chromium)")
    recording = [f"--use-file-for-fake-audio-capture={microphone}%noloop"] if microphone else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*flags, *recording])
        try:
            yield browser
        finally:
            await browser.close()


class Complaints:
    """What the browser had to say against a page: errors of its scripts, and violations of its policy."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        # An answer of 4xx or 5xx is logged as an error by the browser itself; many tests mean to provoke one.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.errors.append(message.text)


@asynccontextmanager
async def opened(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    script: str = "",
    path: str = "/",
    **context: Any,
) -> AsyncIterator[Page]:
    """The page at `url` in a new profile. `script` runs before its own. Fails where the browser complains of it."""
    made: BrowserContext = await browser.new_context(
        **{"viewport": {"width": size[0], "height": size[1]}, "permissions": ["microphone", "camera"], **context}
    )
    made.set_default_timeout(PATIENCE)
    complaints = Complaints()
    try:
        page = await made.new_page()
        complaints.watch(page)
        if script:
            await page.add_init_script(script)
        await page.goto(url + path)
        yield page
        assert complaints.errors == []
    finally:
        await made.close()


def write_wav(path: Path, samples: npt.NDArray[np.int16], rate: int) -> Path:
    """A mono recording for the microphone."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


async def view(page: Page, name: str) -> None:
    """Wait until the page is where it is expected: choosing, starting, live or ended."""
    await page.wait_for_selector(f'body[data-view="{name}"]')
