"""The page with a keyboard alone, and as a screen reader meets it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import opened, view
from tests.browser.serving import PageServer, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERABLE = {
    "button", "link", "radio", "checkbox", "textbox", "combobox", "slider", "option", "menuitem", "tab", "switch"
}  # fmt: skip


async def tree(page: Page) -> list[dict[str, Any]]:
    """The accessibility tree of the page: its nodes that are not ignored, with role, name and properties."""
    session = await page.context.new_cdp_session(page)
    found = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", "").strip(),
            **{entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])},
        }
        for node in found["nodes"]
        if not node.get("ignored") and "role" in node
    ]


async def unnamed(page: Page) -> list[dict[str, Any]]:
    """What can be operated or is a region, and has no name."""
    named = OPERABLE | {"dialog", "region", "group", "log", "radiogroup", "image", "Video", "alert"}
    nodes = await tree(page)
    assert len(nodes) > 20
    return [node for node in nodes if node["role"] in named - {"group", "alert"} and not node["name"]]


async def test_everything_that_can_be_operated_has_a_name(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await expect(page.locator("#talk")).to_be_enabled()
        assert await unnamed(page) == []
        await page.click("#talk")
        await view(page, "live")
        server.tell("saying", turn=1, text="We close at ten.")
        server.tell("answer", turn=1, text="We close at ten.", interrupted=False)
        server.tell("latency", turn=1, confirmed=300, first_sound=480)
        await expect(page.locator(".line__time")).to_be_visible()
        assert await unnamed(page) == []
        await page.click("#devices-open")
        assert await unnamed(page) == []
        await page.keyboard.press("Escape")
        await page.click("#end")
        await page.click("#another")
        await page.click("#avatar-open")
        assert await unnamed(page) == []


async def test_landmarks_and_headings_lead_through_the_page(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await expect(page.locator("#talk")).to_be_enabled()
        nodes = await tree(page)
        roles = {node["role"] for node in nodes}
        assert {"banner", "main"} <= roles
        headings = await page.evaluate(
            """() => [...document.querySelectorAll("h1, h2, h3")]
                 .filter((heading) => heading.checkVisibility())
                 .map((heading) => heading.tagName)"""
        )
        assert headings == ["H1", "H2"]
        assert await page.title() == "Visavis – talk face to face"
        assert await page.get_attribute("html", "lang") == "en"


async def test_states_are_told(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#talk")
        await view(page, "live")
        nodes = await tree(page)
        mute = next(node for node in nodes if node["role"] == "button" and node["name"] == "Mute")
        assert mute["pressed"] == "false"
        interrupt = next(node for node in nodes if node["name"] == "Interrupt" and node["role"] == "button")
        assert interrupt["disabled"]
        log = next(node for node in nodes if node["role"] == "log")
        assert log["name"] == "Conversation"
        assert log.get("live", "off") == "off"  # whole lines are read from a place of their own, not word by word
        polite = page.locator("#announcements")
        await expect(polite).to_have_attribute("aria-live", "polite")
        server.tell("saying", turn=1, text="We close at ten.")
        server.tell("word", turn=1, text="We", start=0, end=2)
        await expect(page.locator(".line__now")).to_be_visible()
        await expect(polite).not_to_contain_text("We close")
        server.tell("answer", turn=1, text="We close at ten.", interrupted=False)
        await expect(polite).to_contain_text("Lucia: We close at ten.")


async def test_a_whole_conversation_by_keyboard(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await expect(page.locator("#talk")).to_be_enabled()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the conversation")).to_be_focused()
        await page.locator("#agents input").first.focus()
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_role("radio", name="مريم")).to_be_checked()
        await page.keyboard.press("ArrowUp")
        await reach(page, "#talk", "Shift+Tab")
        await page.keyboard.press("Enter")
        session = await server.session()
        await view(page, "live")
        await expect(page.locator("#mute")).to_be_focused()
        await page.keyboard.press("Space")  # the button's own key
        await expect(page.locator("#mute-text")).to_have_text("Unmute")
        await page.keyboard.press("m")
        await expect(page.locator("#mute-text")).to_have_text("Mute")
        server.tell("state", state="speaking")
        await expect(page.locator("#interrupt")).to_be_enabled()
        await page.keyboard.press("Escape")
        await eventually(lambda: session.interrupted == 1)
        await page.keyboard.press("/")
        await expect(page.locator("#typed")).to_be_focused()
        await page.keyboard.type("m? / d")
        await expect(page.locator("#typed")).to_have_value("m? / d")
        await page.keyboard.press("Enter")
        await eventually(lambda: session.typed == ["m? / d"])
        await expect(page.locator("#mute-text")).to_have_text("Mute")
        await reach(page, "#end", "Shift+Tab")
        await page.keyboard.press("Enter")
        await view(page, "ended")
        await expect(page.locator("#talk")).to_be_focused()


async def reach(page: Page, target: str, key: str) -> None:
    """Move the focus with a key until it is there; each stop can be seen."""
    for _ in range(40):
        await page.keyboard.press(key)
        outline = await page.evaluate(
            """() => {
                 const focused = document.activeElement;
                 const shown = focused.matches(".agent__choice") ? focused.closest(".agent") : focused;
                 return focused === document.body ? "body" : getComputedStyle(shown).outlineStyle;
               }"""
        )
        assert outline in ("solid", "auto", "body")
        if await page.locator(target).evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{target} cannot be reached by {key}")


async def test_shortcuts_can_be_switched_off(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        await page.get_by_label("Use keyboard shortcuts").uncheck()
        await page.keyboard.press("Escape")
        await page.click("#talk")
        await view(page, "live")
        await page.keyboard.press("m")
        await page.keyboard.press("?")
        await expect(page.locator("#mute-text")).to_have_text("Mute")
        await expect(page.locator("#help")).to_be_hidden()
        await page.reload()
        await expect(page.locator("#keys-on")).not_to_be_checked()


async def test_shortcuts_wait_while_a_dialog_is_open(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#talk")
        session = await server.session()
        await view(page, "live")
        server.tell("state", state="speaking")
        await expect(page.locator("#interrupt")).to_be_enabled()
        await page.keyboard.press("d")
        await expect(page.get_by_role("dialog", name="Devices")).to_be_visible()
        await page.keyboard.press("m")
        await page.keyboard.press("Escape")
        await expect(page.locator("#devices")).to_be_hidden()
        assert session.interrupted == 0
        await expect(page.locator("#mute-text")).to_have_text("Mute")


async def test_a_problem_is_read_out_and_takes_the_focus(browser: Browser, server: PageServer) -> None:
    server.conversations.taken = 99
    async with opened(browser, server.url) as page:
        await page.click("#talk")
        await expect(page.get_by_role("alert")).to_contain_text("All lines are busy")
        assert await page.evaluate("() => document.getElementById('problem').contains(document.activeElement)")
