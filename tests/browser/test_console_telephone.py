"""What the console knows of the telephone, in Chromium: calls, campaigns, numbers, who is not called."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from sqlalchemy.orm import Session

from server.calling import do_not_call
from server.database.tables import Campaign, PhoneCall
from server.settings import StorageSettings
from tests.browser import telephone
from tests.browser.chromium import DESKTOP, opened
from tests.browser.console import Console, go, serving_console, sign_in
from tests.browser.test_accessibility import unnamed

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLEE = "+447400123456"
NARROW = (360, 740)


async def opened_row(page: Page, text: str) -> Locator:
    """The row with this text, opened."""
    line = page.locator("details", has_text=text)
    await line.locator("summary").click()
    return line


def state_of(console: Console, call_id: str) -> str:
    return console.database.run_here(lambda session: session.get_one(PhoneCall, call_id).state)


async def test_a_call_shows_what_was_said_and_plays_its_recording(browser: Browser, console: Console) -> None:
    telephone.add_agent(console)
    call = telephone.add_call(
        console, CALLEE, "in-progress", "completed", seconds=41, answered_by="human", outcome="appointment moved"
    )
    telephone.say(console, call)
    telephone.record(console, call)
    async with opened(browser, console.url, path="/console#calls") as page:
        await sign_in(page, console.key)
        line = await opened_row(page, CALLEE)
        await expect(line.locator("summary")).to_contain_text("Anna")
        for fact in (call, "a person", "appointment moved", "10 credits", "41 s"):
            await expect(line.locator(".facts")).to_contain_text(fact)
        await expect(line.locator(".said__line--them")).to_have_count(3)
        await expect(line.locator(".said__line--agent")).to_have_count(4)
        cut = line.locator("li", has_text="interrupted")
        await expect(cut).to_have_count(1)
        await expect(cut.locator("s")).to_have_text("eleven, or in the afternoon at two.")
        player = line.get_by_label("The recording")
        await expect(player).to_have_js_property("duration", 3)
        await line.get_by_role("button", name="Delete the recording").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete the recording").click()
        await expect(player).to_have_count(0)
        assert console.parts.files.used(console.account) == 0


async def test_a_recording_in_a_bucket_is_played_too(
    browser: Browser, s3_settings: StorageSettings, tmp_path: Path
) -> None:
    with serving_console(tmp_path, storage=s3_settings) as console:
        telephone.add_agent(console)
        telephone.record(console, telephone.add_call(console, CALLEE, "in-progress", "completed", seconds=41))
        async with opened(browser, console.url, path="/console#calls") as page:
            await sign_in(page, console.key)
            player = (await opened_row(page, CALLEE)).get_by_label("The recording")
            await expect(player).to_have_js_property("duration", 3)


async def test_a_live_call_moves_while_one_reads_it(browser: Browser, console: Console) -> None:
    telephone.add_agent(console)
    call = telephone.add_call(console, CALLEE, "ringing")
    async with opened(browser, console.url, path="/console#calls") as page:
        await sign_in(page, console.key)
        line = await opened_row(page, CALLEE)
        await expect(line.locator(".chip").first).to_have_text("ringing")
        telephone.report(console, call, "in-progress")
        telephone.say(console, call, 2)
        await expect(line.locator(".chip").first).to_have_text("in progress")
        await expect(line.locator("li")).to_have_count(3)
        telephone.say(console, call, 3, first=2)
        await expect(line.locator("li")).to_have_count(5)
        telephone.report(console, call, "completed", seconds=70)
        await expect(line.locator(".chip").first).to_have_text("completed")
        await expect(line.locator(".facts")).to_contain_text("20 credits")
        await expect(line.get_by_role("button", name="Hang up")).to_have_count(0)
        telephone.record(console, call)
        await expect(line.locator("audio")).to_have_count(1)


async def test_hanging_up_is_asked_about_and_ends_the_call(browser: Browser, console: Console) -> None:
    telephone.add_agent(console)
    call = telephone.add_call(console, CALLEE)
    async with opened(browser, console.url, path="/console#calls") as page:
        await sign_in(page, console.key)
        line = await opened_row(page, CALLEE)
        await line.get_by_role("button", name="Hang up").click()
        await page.get_by_role("button", name="Let it go on").click()
        await expect(line.locator(".chip").first).to_have_text("queued")
        assert state_of(console, call) == "queued"
        await line.get_by_role("button", name="Hang up").click()
        await page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
        await expect(line.locator(".chip").first).to_have_text("canceled")
        assert state_of(console, call) == "canceled"


async def test_a_call_that_cannot_be_hung_up_just_now_goes_on_and_says_so(browser: Browser, console: Console) -> None:
    telephone.add_agent(console)
    call = telephone.add_call(console, CALLEE, "in-progress", sid="CA1")
    async with opened(browser, console.url, path="/console#calls") as page:
        await sign_in(page, console.key)
        line = await opened_row(page, CALLEE)
        await line.get_by_role("button", name="Hang up").click()
        await page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
        await expect(page.get_by_text("The carrier cannot be told at the moment")).to_be_visible()
        await expect(line.get_by_role("button", name="Hang up")).to_be_enabled()
        assert state_of(console, call) == "in-progress"


async def test_calls_of_one_state_or_direction_can_be_seen(browser: Browser, console: Console) -> None:
    telephone.add_agent(console)
    telephone.add_call(console, "+14155550001", "in-progress", direction="inbound")
    telephone.add_call(console, "+14155550002", "failed", error="The number is not in service", age=90)
    telephone.add_call(console, "+14155550003", "no-answer", age=120)
    telephone.add_browser_call(console)
    async with opened(browser, console.url, path="/console#calls") as page:
        await sign_in(page, console.key)
        lines = page.locator("details")
        await expect(lines).to_have_count(4)
        await expect(page.locator(".chip--bad")).to_have_text("failed")
        await page.get_by_role("button", name="Inbound").click()
        await expect(lines).to_have_count(2)
        await expect(lines.last).to_contain_text("A browser")
        await page.get_by_role("button", name="Live").click()
        await expect(lines).to_have_count(1)
        await page.get_by_role("button", name="Outbound").click()
        await expect(page.get_by_text("No such call.")).to_be_visible()
        await page.get_by_role("button", name="Failed").click()
        line = await opened_row(page, "+14155550002")
        await expect(line.locator(".wrong")).to_have_text("The number is not in service")


async def test_a_live_call_that_ends_stays_in_the_list_of_live_ones_and_says_so(
    browser: Browser, console: Console
) -> None:
    telephone.add_agent(console)
    call = telephone.add_call(console, CALLEE, "in-progress")
    async with opened(browser, console.url, path="/console#calls") as page:
        await sign_in(page, console.key)
        await page.get_by_role("button", name="Live").click()
        line = page.locator("details", has_text=CALLEE)
        await expect(line).to_contain_text("in progress")
        telephone.report(console, call, "completed", seconds=5)
        await expect(line).to_contain_text("completed")


async def test_a_campaign_shows_its_progress_and_can_be_paused_resumed_and_cancelled(
    browser: Browser, console: Console, tmp_path: Path
) -> None:
    telephone.add_agent(console)
    campaign = telephone.add_campaign(console, "Reminders in May", {"answered": 6, "no-answer": 2}, 32)
    async with opened(browser, console.url, path="/console#campaigns") as page:
        await sign_in(page, console.key)
        line = await opened_row(page, "Reminders in May")
        for text in ("Anna", "09:00–18:00 Mon–Fri", "running", "8 of 40 done"):
            await expect(line.locator("summary")).to_contain_text(text)
        await expect(line.locator(".tally")).to_have_text("answered6no answer2")
        telephone.settle(console, campaign, "busy", 3)
        await expect(line.locator("summary")).to_contain_text("11 of 40 done")
        await expect(line.locator(".tally")).to_contain_text("busy3")
        await line.get_by_role("button", name="Pause").click()
        await expect(line.locator(".chip").first).to_have_text("paused")
        await line.get_by_role("button", name="Resume").click()
        await expect(line.locator(".chip").first).to_have_text("running")
        async with page.expect_download() as download:
            await line.get_by_role("link", name="Download the results").click()
        file = await download.value
        await file.save_as(tmp_path / "results.csv")
        assert (tmp_path / "results.csv").read_text().startswith("phoneNumber,status,outcome")
        await line.get_by_role("button", name="Cancel").click()
        await page.get_by_role("button", name="Cancel the campaign").click()
        await expect(line.locator(".chip").first).to_have_text("cancelled")
        await expect(line.locator(".tally")).to_contain_text("cancelled29")
        await expect(line.get_by_role("button")).to_have_count(0)


async def test_a_campaign_says_why_it_was_paused(browser: Browser, console: Console) -> None:
    telephone.add_agent(console)
    campaign = telephone.add_campaign(console, "Reminders", {}, 3)

    def pause(session: Session) -> None:
        row = session.get_one(Campaign, campaign)
        row.status, row.reason, row.updated = "paused", "The account has no credits left", datetime.now(UTC)

    console.database.run_here(pause)
    async with opened(browser, console.url, path="/console#campaigns") as page:
        await sign_in(page, console.key)
        line = await opened_row(page, "Reminders")
        await expect(line.get_by_text("The account has no credits left")).to_be_visible()
        await line.get_by_role("button", name="Resume").click()
        await expect(line.get_by_text("The account has no credits left")).to_have_count(0)


async def test_an_agent_shows_how_it_behaves_on_the_telephone(browser: Browser, console: Console) -> None:
    telephone.add_agent(console, on_machine="leave_message", message="Please call us back.", recording=True)
    async with opened(browser, console.url, path="/console#agents") as page:
        await sign_in(page, console.key)
        line = await opened_row(page, "Anna")
        for text in (
            "leaves its message",
            "Please call us back.",
            "This call is recorded.",
            "nothing but its greeting",
        ):
            await expect(line).to_contain_text(text)


async def test_numbers_are_mapped_to_agents_and_taken_away(browser: Browser, console: Console) -> None:
    agent = telephone.add_agent(console)
    async with opened(browser, console.url, path="/console#settings") as page:
        await sign_in(page, console.key)
        section = page.locator("section", has=page.get_by_role("heading", name="Telephone numbers"))
        await section.get_by_label("Number", exact=True).fill("12")
        await section.get_by_label("Agent that answers it").fill(agent)
        await section.get_by_role("button", name="Add").click()
        await expect(section.get_by_role("alert")).to_contain_text("E.164")
        await expect(section.get_by_label("Number", exact=True)).to_be_focused()
        await section.get_by_label("Number", exact=True).fill(telephone.OURS)
        await section.get_by_label("Agent that answers it").fill("nobody")
        await section.get_by_role("button", name="Add").click()
        await expect(section.get_by_label("Agent that answers it")).to_be_focused()
        await section.get_by_label("Agent that answers it").fill(agent)
        await section.get_by_role("button", name="Add").click()
        await expect(section.locator(".entry")).to_contain_text("Anna")
        await section.get_by_role("button", name=f"Remove {telephone.OURS}").click()
        await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        await expect(section.get_by_text("No number is mapped")).to_be_visible()


async def test_the_list_of_who_is_not_called_keeps_those_who_asked(browser: Browser, console: Console) -> None:
    console.database.run_here(do_not_call.add, console.account, CALLEE, "callee")
    async with opened(browser, console.url, path="/console#settings") as page:
        await sign_in(page, console.key)
        section = page.locator("section", has=page.get_by_role("heading", name="Do not call"))
        await expect(section.locator(".entry", has_text=CALLEE)).to_contain_text("asked not to be called")
        await section.get_by_label("Number", exact=True).fill("+14155550199")
        await section.get_by_role("button", name="Add").click()
        await expect(section.locator(".entry")).to_have_count(2)
        await section.get_by_role("button", name="Remove +14155550199").click()
        await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        await expect(section.locator(".entry")).to_have_count(1)


async def test_everything_that_can_be_operated_has_a_name(browser: Browser, console: Console) -> None:
    telephone.add_agent(console)
    call = telephone.add_call(console, CALLEE, "in-progress", "completed", seconds=41)
    telephone.say(console, call)
    telephone.record(console, call)
    telephone.add_call(console, "+14155550001", "in-progress", direction="inbound")
    telephone.add_campaign(console, "Reminders", {"answered": 2}, 3)
    console.database.run_here(do_not_call.add, console.account, CALLEE, "owner")
    async with opened(browser, console.url, path="/console") as page:
        await sign_in(page, console.key)
        for name in ("Calls", "Campaigns", "Agents", "Settings"):
            await go(page, name)
            await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
            for line in await page.locator("summary").all():
                await line.click()
            await expect(page.locator("details:not([open])")).to_have_count(0)
            assert await unnamed(page) == [], name


@pytest.mark.parametrize("size", [DESKTOP, NARROW])
async def test_what_is_opened_fits_too(browser: Browser, console: Console, size: tuple[int, int]) -> None:
    telephone.add_agent(console, on_machine="leave_message", message="Please call us back. " * 20)
    call = telephone.add_call(console, CALLEE, "in-progress", "completed", seconds=41)
    telephone.say(console, call)
    telephone.record(console, call)
    telephone.add_campaign(console, "Reminders" * 10, {"no-common-hour": 6, "answered": 2}, 32)
    async with opened(browser, console.url, path="/console", size=size) as page:
        await sign_in(page, console.key)
        for name in ("Calls", "Campaigns", "Agents", "Settings"):
            await go(page, name)
            await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
            if name != "Settings":
                await page.locator("summary").click()
                await expect(page.locator(".facts").first).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
