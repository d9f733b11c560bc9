"""Microphones and speakers: chosen, changed while talking, unplugged."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.async_api import Browser, expect

from tests.browser.chromium import opened, view
from tests.browser.serving import PageServer, eventually
from tests.server.browser.fakes import FakeSession

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPENED = """
  window.opened = [];
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (asked) => {
    if (window.unplugged) throw new DOMException("none", "NotFoundError");
    const stream = await real(asked);
    window.opened.push({ asked: asked.audio?.deviceId?.exact ?? "", track: stream.getAudioTracks()[0] });
    return stream;
  };
  window.unplug = () => {
    const { track } = window.opened.at(-1);
    track.stop();
    track.dispatchEvent(new Event("ended"));
  };
"""


def loud(session: FakeSession) -> bool:
    """Whether the caller was audible lately."""
    return any(float(np.abs(frame.samples).max()) > 0.01 for frame in session.frames[-80:])


async def test_devices_are_listed_by_name_and_the_choice_is_kept(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, script=OPENED) as page:
        await page.click("#talk")
        await view(page, "live")
        await page.click("#devices-open")
        microphones = page.get_by_label("Microphone", exact=True)
        await expect(microphones.locator("option").first).to_have_text("The system’s choice")
        names = await microphones.locator("option").all_inner_texts()
        assert any("Fake Audio Input" in name for name in names)
        await expect(page.get_by_label("Speaker")).to_be_enabled()
        chosen = await microphones.locator("option").nth(1).get_attribute("value")
        await microphones.select_option(index=1)
        await expect(page.locator("#notices")).to_contain_text("Microphone:")
        assert await page.evaluate("() => opened.map(({ asked }) => asked)") == ["", chosen]
        await page.reload()
        await page.click("#talk")
        await view(page, "live")
        assert await page.evaluate("() => opened[0].asked") == chosen


async def test_another_microphone_is_heard_without_a_new_call(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, script=OPENED) as page:
        await page.click("#talk")
        session = await server.session()
        await view(page, "live")
        await page.click("#devices-open")
        await page.get_by_label("Microphone", exact=True).select_option(index=2)
        await page.wait_for_function("() => opened.length === 2")
        await page.keyboard.press("Escape")
        assert await page.evaluate("() => opened[0].track.readyState") == "ended"
        session.frames.clear()
        await eventually(lambda: loud(session))
        assert len(server.conversations.made) == 1


async def test_a_muted_microphone_stays_muted_when_it_is_changed(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, script=OPENED) as page:
        await page.click("#talk")
        await view(page, "live")
        await page.click("#mute")
        await page.click("#devices-open")
        await page.get_by_label("Microphone", exact=True).select_option(index=1)
        await page.wait_for_function("() => opened.length === 2")
        await expect(page.locator("#mute-text")).to_have_text("Unmute")
        assert await page.evaluate("() => opened[1].track.enabled") is False


async def test_an_unplugged_microphone_is_replaced_by_another(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, script=OPENED) as page:
        await page.click("#talk")
        session = await server.session()
        await view(page, "live")
        await page.evaluate("() => unplug()")
        await expect(page.locator("#notices")).to_contain_text("The microphone was unplugged. You now speak through")
        session.frames.clear()
        await eventually(lambda: loud(session))


async def test_without_another_one_goes_on_by_typing_until_one_is_plugged_in(
    browser: Browser, server: PageServer
) -> None:
    async with opened(browser, server.url, script=OPENED) as page:
        await page.click("#talk")
        session = await server.session()
        await view(page, "live")
        await page.evaluate("() => { window.unplugged = true; unplug(); }")
        await expect(page.locator("#notices")).to_contain_text("there is no other")
        await page.fill("#typed", "Still here")
        await page.keyboard.press("Enter")
        await eventually(lambda: session.typed == ["Still here"])
        await page.click("#mute")
        await expect(page.locator("#notices")).to_contain_text("No microphone found")
        await page.evaluate("() => { window.unplugged = false; }")
        await page.get_by_role("button", name="Use a microphone").click()
        await expect(page.locator("#mute-text")).to_have_text("Mute")
        session.frames.clear()
        await eventually(lambda: loud(session))


async def test_the_chosen_speaker_plays_and_its_loss_is_said(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, script=OPENED) as page:
        await page.click("#talk")
        await view(page, "live")
        await page.click("#devices-open")
        speakers = page.get_by_label("Speaker")
        chosen = await speakers.locator("option").nth(1).get_attribute("value")
        await speakers.select_option(index=1)
        await page.wait_for_function("(id) => document.getElementById('video').sinkId === id", arg=chosen)
        await page.evaluate(
            """() => {
                 const all = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
                 navigator.mediaDevices.enumerateDevices = async () =>
                   (await all()).filter(({ kind }) => kind !== "audiooutput");
                 navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
               }"""
        )
        await expect(page.locator("#notices")).to_contain_text("The speaker was unplugged")
        assert await page.evaluate("() => document.getElementById('video').sinkId") == ""


async def test_a_browser_that_cannot_choose_speakers_says_where_to(browser: Browser, server: PageServer) -> None:
    script = "delete HTMLMediaElement.prototype.setSinkId;"
    async with opened(browser, server.url, script=script) as page:
        await page.click("#devices-open")
        await expect(page.get_by_label("Speaker")).to_be_hidden()
        await expect(page.locator("#speaker-note")).to_be_visible()
