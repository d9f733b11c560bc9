"""The page on a phone, in the dark, in another direction, without motion, and with enough contrast everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import opened, view
from tests.browser.serving import PageServer, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMES = {"transcript": 110, "confirmed": 380, "answer_begun": 120, "first_clause": 240, "first_audio": 470}

WIDE = """
  () => [...document.querySelectorAll("body *")]
    .filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width > 0 && (right > innerWidth + 1 || left < -1) && !element.closest(".unseen, .skip");
    })
    .map((element) => element.outerHTML.slice(0, 90))
"""

CONTRAST = """
  () => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
    const light = (colour) => {
      const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      const [r, g, b] = colour.map((c) => linear(c / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
      const layers = [];
      for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
      return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const poor = [];
    let count = 0;
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const text = walker.currentNode.data.trim();
      const box = element.getBoundingClientRect();
      if (!text || !box.width || !element.checkVisibility({ visibilityProperty: true })) continue;
      if (element.closest(".unseen, .skip, noscript, option, .stage__frame > :not(.problem)")) continue;
      if (element.closest(":disabled")) continue;
      const style = getComputedStyle(element);
      const below = ground(element);
      const above = over(rgba(style.color), below);
      const [a, b] = [light(above), light(below)].sort((x, y) => y - x);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      const contrast = (a + 0.05) / (b + 0.05);
      count += 1;
      if (contrast < (large ? 3 : 4.5)) poor.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    return { count, poor };
  }
"""


async def talk(page: Page, server: PageServer) -> None:
    """A conversation with something of everything in it."""
    number = len(server.conversations.made)
    await page.click("#talk")
    await server.session(number)
    await view(page, "live")
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    server.tell("saying", number, turn=1, text="We close at ten tonight, and the kitchen closes at half past nine.")
    server.tell("word", number, turn=1, text="We", start=0, end=2)
    server.tell("answer", number, turn=1, text="We", interrupted=True)
    server.tell("latency", number, turn=1, **TIMES, first_sound=480)
    server.tell("latency", number, turn=2, **TIMES, first_sound=700)
    server.tell("transcript", number, turn=2, text=f"What does {long} mean?", final=True)
    server.tell("transcript", number, turn=3, text="And is it", final=False)
    server.tell("saying", number, turn=3, text="Let me see.")
    server.tell("word", number, turn=3, text="Let", start=0, end=3)
    await expect(page.locator(".line__now")).to_be_visible()


async def each_view(page: Page, server: PageServer, photo: Path) -> list[str]:
    """Go through the whole page; returns what `check` found, by view."""
    found: list[str] = []

    async def check(name: str, script: str) -> None:
        result = await page.evaluate(script)
        wrong = result["poor"] if isinstance(result, dict) else result
        found.extend(f"{name}: {one}" for one in wrong)

    async def both(name: str) -> None:
        await page.wait_for_timeout(250)
        await check(name, WIDE)
        await check(name, CONTRAST)

    await expect(page.locator("#talk")).to_be_enabled()
    await both("choosing")
    await talk(page, server)
    await both("live")
    await page.click("#quality")
    await both("quality")
    await page.keyboard.press("Escape")
    await page.click("#devices-open")
    await both("devices")
    await page.keyboard.press("Escape")
    await page.click("#help-open")
    await both("help")
    await page.keyboard.press("Escape")
    await page.click("#end")
    await both("ended")
    await page.click("#another")
    server.conversations.taken = 99
    await page.click("#talk")
    await expect(page.locator("#problem")).to_be_visible()
    await both("problem")
    server.conversations.taken = 0
    await page.click("#avatar-open")
    await page.click("#avatar-make")
    await both("avatar form")
    await page.set_input_files("#file", photo)
    await page.get_by_label("Name").fill("half")
    await page.get_by_label("I am in this photo").check()
    await page.click("#avatar-make")
    await expect(page.locator("#made-text")).to_be_visible()
    await both("avatar made")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (360, 640)], ids=["desktop", "phone", "small phone"])
async def test_everything_fits_and_can_be_read(
    browser: Browser, server: PageServer, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    photo = tmp_path / "me.png"
    photo.write_bytes(picture())
    async with opened(browser, server.url, size=size, color_scheme=scheme) as page:
        assert await each_view(page, server, photo) == []


async def test_the_measure_of_contrast_finds_what_cannot_be_read(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await expect(page.locator("#talk")).to_be_enabled()
        await page.wait_for_function("() => document.getAnimations().length === 0")
        before = await page.evaluate(CONTRAST)
        assert before["count"] > 10
        assert before["poor"] == []
        await page.evaluate("document.getElementById('choose-title').style.color = '#ddd'")
        assert len((await page.evaluate(CONTRAST))["poor"]) == 1


async def test_dark_and_light_follow_the_system(browser: Browser, server: PageServer) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        async with opened(browser, server.url, color_scheme=scheme) as page:
            grounds.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(246, 244, 239)", "rgb(15, 20, 18)"]


async def test_who_wants_no_motion_gets_none(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, reduced_motion="reduce") as page:
        await page.route("**/api/sessions", lambda _route: None)
        await page.click("#talk")
        await expect(page.locator("#state-text")).to_have_text("Connecting")
        assert await page.evaluate("document.getAnimations().length") == 0


async def test_the_page_can_be_read_from_right_to_left(browser: Browser, server: PageServer) -> None:
    script = "document.addEventListener('DOMContentLoaded', () => { document.documentElement.dir = 'rtl'; });"
    async with opened(browser, server.url, script=script) as page:
        await talk(page, server)
        assert await page.evaluate(WIDE) == []
        stage, panel = await page.locator(".stage").bounding_box(), await page.locator("#panel").bounding_box()
        assert stage
        assert panel
        assert stage["x"] > panel["x"]


async def test_on_a_phone_face_words_and_buttons_share_the_screen(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, size=(390, 844)) as page:
        await talk(page, server)
        for part in ("#stage", "#captions", "#typed", "#mute", "#end"):
            await expect(page.locator(part)).to_be_in_viewport(ratio=1)


async def test_the_font_is_our_own(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.evaluate("document.fonts.ready")
        assert await page.evaluate("document.fonts.check('16px Figtree')")
