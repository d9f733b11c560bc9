"""A photo becomes a face one talks with: the page in Chromium against the whole server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chromium import opened, view
from tests.media.avatar.faces import PORTRAITS
from tests.server.whole import Whole, whole

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.models]

MOVES = """async () => {
  const video = [...document.querySelectorAll("video")].find((each) => each.videoWidth >= 256 && each.srcObject);
  const canvas = new OffscreenCanvas(64, 64);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const look = () => {
    context.drawImage(video, 0, 0, 64, 64);
    return context.getImageData(0, 0, 64, 64).data;
  };
  const first = look();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return look().reduce((sum, value, index) => sum + Math.abs(value - first[index]), 0) / first.length;
}"""
"""How much the picture on the page changes in a second and a half, per byte."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("data")) as server:
        yield server


async def test_a_photo_becomes_a_face_one_talks_with(browser: Browser, running: Whole) -> None:
    portrait: Path = PORTRAITS / "grace_hopper.jpg"
    async with opened(browser, running.url) as page:
        page.set_default_timeout(40_000)
        await page.click("#avatar-open")
        await page.set_input_files("#file", portrait)
        await page.get_by_label("Name").fill("Grace")
        await page.get_by_label("I am in this photo").check()
        await page.click("#avatar-make")
        await expect(page.get_by_text("Grace is ready.")).to_be_visible(timeout=40_000)
        await page.wait_for_function("() => document.getElementById('preview').currentTime > 0.5")
        await page.get_by_role("button", name="Talk with Grace").click()
        await view(page, "live")
        await expect(page.locator(".line--agent, .line").first).to_contain_text("This is Grace", timeout=40_000)
        await page.wait_for_function("() => [...document.querySelectorAll('video')].some((v) => v.videoWidth >= 256)")
        assert await page.evaluate(MOVES) > 0.3
