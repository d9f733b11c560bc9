"""Make an avatar: a photo or a snapshot, a consent, a preview; then talk with it, or discard it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from server.browser.agents import AgentCard
from tests.browser.chromium import opened, view
from tests.browser.serving import CARDS, PageServer, eventually, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "me.png"
    path.write_bytes(picture())
    return path


async def fill(page: Page, photo: Path, name: str) -> None:
    """Everything the form asks for."""
    await page.set_input_files("#file", photo)
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("I am in this photo").check()


async def test_a_photo_becomes_an_avatar_one_can_talk_with(browser: Browser, server: PageServer, photo: Path) -> None:
    async with opened(browser, server.url) as page:
        await page.get_by_role("button", name="Make an avatar").click()
        await fill(page, photo, "Ada")
        await page.get_by_role("button", name="Make the avatar").click()
        await expect(page.get_by_text("Ada is ready.")).to_be_visible()
        assert server.avatars.asked == [("Ada", "yes", photo.stat().st_size)]
        await page.wait_for_function("() => document.getElementById('preview').currentTime > 0.2")
        await expect(page.locator("#made-warnings li")).to_have_count(0)
        await page.get_by_role("button", name="Talk with Ada").click()
        await server.session()
        await view(page, "live")
        assert server.conversations.asked[0][0] == "made"
        await page.click("#end")
        await page.click("#another")
        await expect(page.get_by_role("radio", name="Ada")).to_be_checked()


async def test_nothing_offers_to_be_pressed_before_it_is_where_it_stays(browser: Browser, server: PageServer) -> None:
    answers = asyncio.Event()

    async def late(route: Route) -> None:
        await answers.wait()
        await route.continue_()

    async with opened(browser, server.url) as page:
        await page.route("**/api/sessions/agents", late)
        await page.reload()
        await expect(page.locator(".agent--waiting")).to_be_visible()
        assert await page.locator("main button:enabled:visible").all_inner_texts() == ["Devices"]
        answers.set()
        await expect(page.locator("#avatar-open")).to_be_visible()
        await expect(page.get_by_role("radio")).to_have_count(len(CARDS))


async def test_warnings_come_with_the_preview(browser: Browser, server: PageServer, photo: Path) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        await fill(page, photo, "half")
        await page.click("#avatar-make")
        await expect(page.locator("#made-warnings li")).to_have_text("The face is lit from one side")
        await expect(page.get_by_role("button", name="Talk with half")).to_be_focused()


async def test_an_avatar_can_be_discarded(browser: Browser, server: PageServer, photo: Path) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        await fill(page, photo, "Ada")
        await page.click("#avatar-make")
        await page.get_by_role("button", name="Discard").click()
        await expect(page.locator("#avatar")).to_be_hidden()
        assert server.avatars.discarded == ["avatar_1"]
        await expect(page.get_by_role("radio")).to_have_count(2)
        await expect(page.get_by_role("radio", name="Lucia")).to_be_checked()
        await expect(page.locator("#avatar-open")).to_be_focused()


async def test_ones_own_avatars_can_be_deleted_later_by_pressing_twice(browser: Browser, server: PageServer) -> None:
    server.agents.cards = [*CARDS, AgentCard("made", "Ada", "en", "Hello")]
    server.avatars.own = [{"id": "avatar_7", "agentId": "made"}]
    async with opened(browser, server.url, path="/?agent=made") as page:
        await expect(page.get_by_role("radio", name="Ada")).to_be_checked()
        delete = page.get_by_role("button", name="Delete")
        await expect(delete).to_have_count(1)
        await expect(delete).to_have_accessible_name("Delete Ada")
        await delete.click()
        await expect(delete).to_have_accessible_name("Delete for good?")
        assert server.avatars.discarded == []
        await delete.click()
        await expect(page.get_by_role("radio", name="Ada")).to_have_count(0)
        assert server.avatars.discarded == ["avatar_7"]
        await expect(page.get_by_role("radio", name="Lucia")).to_be_focused()
        await expect(page.get_by_role("radio", name="Lucia")).to_be_checked()


async def test_what_is_missing_is_said_at_its_place(browser: Browser, server: PageServer, photo: Path) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        await page.click("#avatar-make")
        await expect(page.locator("#photo-wrong")).to_contain_text("Choose a photo")
        await expect(page.locator("#name-wrong")).to_contain_text("Give it a name")
        await expect(page.locator("#consent-wrong")).to_contain_text("consent")
        await expect(page.locator("#file-open")).to_be_focused()
        await expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Name").fill("Ada")
        await expect(page.locator("#name-wrong")).to_be_hidden()
        await page.set_input_files("#file", photo)
        await page.click("#avatar-make")
        await expect(page.get_by_label("I am in this photo")).to_be_focused()
        assert server.avatars.asked == []


@pytest.mark.parametrize(
    ("name", "field", "text"),
    [
        ("nobody", "#photo-wrong", "No face found."),
        ("crowd", "#photo-wrong", "There is more than one face."),
        ("busy", "#avatar-wrong", "The machine is busy."),
        ("odd", "#avatar-wrong", "The landmarks do not agree."),
    ],
)
async def test_refusals_stand_beside_what_they_are_about(
    browser: Browser, server: PageServer, photo: Path, name: str, field: str, text: str
) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        await fill(page, photo, name)
        await page.click("#avatar-make")
        await expect(page.locator(field)).to_contain_text(text)
        await expect(page.locator("#photo")).to_be_visible()
        assert await page.get_by_label("Name").input_value() == name


DROP = """
  ([id, size, name, type, bytes]) => {
    const files = new DataTransfer();
    files.items.add(new File([bytes ? new Uint8Array(bytes) : new Uint8Array(size)], name, { type }));
    const event = new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
    return document.getElementById(id).dispatchEvent(event);
  }
"""


@pytest.mark.parametrize(
    ("size", "name", "kind", "text"),
    [
        (6, "me.gif", "image/gif", "Use JPEG, PNG or WebP"),
        (10 * 1024 * 1024 + 1, "me.jpg", "image/jpeg", "larger than 10 MB"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_before_it_is_sent(
    browser: Browser, server: PageServer, size: int, name: str, kind: str, text: str
) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        await page.evaluate(DROP, ["drop", size, name, kind, None])
        await expect(page.locator("#photo-wrong")).to_contain_text(text)
        await expect(page.locator("#photo")).to_be_hidden()


async def test_a_photo_can_be_dropped(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        # Beside the area nothing happens: the browser would open the photo in place of the page.
        assert await page.evaluate(DROP, ["avatar", 3, "me.png", "image/png", None]) is False
        await expect(page.locator("#photo")).to_be_hidden()
        await page.evaluate(DROP, ["drop", 0, "me.png", "image/png", list(picture())])
        await expect(page.locator("#photo")).to_be_visible()


async def test_a_snapshot_is_taken_with_the_camera(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        await page.get_by_role("button", name="Use the camera").click()
        await page.get_by_role("button", name="Take the photo").click()
        await expect(page.locator("#photo")).to_be_visible()
        await expect(page.locator("#camera")).to_be_hidden()
        assert await page.evaluate("() => document.getElementById('camera').srcObject") is None
        await page.get_by_label("Name").fill("Ada")
        await page.get_by_label("I am in this photo").check()
        await page.click("#avatar-make")
        await expect(page.get_by_text("Ada is ready.")).to_be_visible()
        assert server.avatars.asked[0][2] > 5_000


async def test_without_a_camera_a_photo_can_be_chosen(browser: Browser, server: PageServer) -> None:
    script = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotFoundError'); };"
    async with opened(browser, server.url, script=script) as page:
        await page.click("#avatar-open")
        await page.get_by_role("button", name="Use the camera").click()
        await expect(page.locator("#photo-wrong")).to_contain_text("No camera found")
        await expect(page.get_by_role("button", name="Choose a photo")).to_be_visible()


async def test_closing_the_dialog_lets_go_of_camera_and_photo(
    browser: Browser, server: PageServer, photo: Path
) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#avatar-open")
        await page.set_input_files("#file", photo)
        await page.get_by_role("button", name="Use the camera").click()
        await expect(page.locator("#camera-take")).to_be_focused()
        track = await page.evaluate_handle("() => document.getElementById('camera').srcObject.getTracks()[0]")
        await page.keyboard.press("Escape")
        await expect(page.locator("#avatar")).to_be_hidden()
        assert await track.evaluate("(track) => track.readyState") == "ended"
        await page.click("#avatar-open")
        await expect(page.locator("#photo")).to_be_hidden()


async def test_an_upload_can_be_given_up(browser: Browser, server: PageServer, photo: Path) -> None:
    async with opened(browser, server.url) as page:
        await page.route("**/api/page/avatars?*", lambda _route: None)
        await page.click("#avatar-open")
        await fill(page, photo, "Ada")
        await page.click("#avatar-make")
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#avatar-make")).to_be_focused()
        assert await page.get_by_label("Name").input_value() == "Ada"
        await page.unroute("**/api/page/avatars?*")
        await page.click("#avatar-make")
        await eventually(lambda: server.avatars.asked)
