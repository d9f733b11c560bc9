"""The console in Chromium, on the server's own parts, without its models: nothing here is spoken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy.orm import Session

from server.credits import ledger
from server.database.tables import Job, WebhookDelivery
from tests.browser.chromium import DESKTOP, PHONE, opened
from tests.browser.console import Console, go, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_wrong_key_is_said_to_be_and_a_right_one_opens_the_console(browser: Browser, console: Console) -> None:
    async with opened(browser, console.url, path="/console") as page:
        await sign_in(page, "sk_live_wrong")
        await expect(page.get_by_role("alert")).to_contain_text("unknown or revoked")
        await sign_in(page, console.key)
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await expect(page.locator("dd", has_text="100,000")).to_be_visible()
        assert await page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0
        cookies = await page.context.cookies()
        assert [(c["name"], c["httpOnly"], c["sameSite"]) for c in cookies] == [("visavis_console", True, "Strict")]
        assert console.key not in str(cookies)
        await page.reload()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_jobs_move_while_one_watches_and_play_in_place(browser: Browser, console: Console) -> None:
    running = console.add_job(1, "running")
    async with opened(browser, console.url, path="/console#jobs") as page:
        await sign_in(page, console.key)
        line = page.locator("details", has_text=running)
        await expect(line).to_contain_text("running")
        await expect(line.get_by_role("progressbar")).to_have_attribute("aria-label", "40 per cent, speaking")
        files = [{"key": f"{console.account}/voice.wav", "mediaType": "audio/wav"}]
        finished = {"outputs": files, "metadata": {"durationSeconds": 1.5}}

        def finish(session: Session) -> None:
            job = session.get_one(Job, running)
            job.status, job.result, job.finished = "completed", finished, datetime.now(UTC)

        console.database.run_here(finish)
        await expect(line).to_contain_text("completed")
        await line.locator("summary").click()
        await expect(line.locator("audio")).to_have_count(1)
        await expect(line).to_contain_text("durationSeconds")


async def test_a_job_that_is_cancelled_gives_its_credits_back(browser: Browser, console: Console) -> None:
    waiting = console.add_job(1, "queued", phase="", progress=0.0)
    async with opened(browser, console.url, path="/console#jobs") as page:
        await sign_in(page, console.key)
        line = page.locator("details", has_text=waiting)
        await line.locator("summary").click()
        await line.get_by_role("button", name="Cancel").click()
        await page.get_by_role("button", name="Keep it").click()
        await expect(line).to_contain_text("queued")
        await line.get_by_role("button", name="Cancel").click()
        await page.get_by_role("button", name="Cancel the job").click()
        await expect(line).to_contain_text("cancelled")
        assert console.database.run_here(ledger.balance, console.account) == 100_000
        await go(page, "Overview")
        await expect(page.get_by_text("Refunded")).to_be_visible()


async def test_older_jobs_and_those_of_one_state_can_be_seen(browser: Browser, console: Console) -> None:
    for number in range(55):
        console.add_job(
            number, "failed" if number == 54 else "completed", age=number, error="no voice" if number == 54 else None
        )
    async with opened(browser, console.url, path="/console#jobs") as page:
        await sign_in(page, console.key)
        await expect(page.locator("details")).to_have_count(50)
        await page.get_by_role("button", name="Show more").click()
        await expect(page.locator("details")).to_have_count(55)
        await page.get_by_role("button", name="Failed").click()
        await expect(page.locator("details")).to_have_count(1)
        await page.locator("summary").click()
        await expect(page.get_by_text("no voice")).to_be_visible()


async def test_after_a_long_absence_no_job_is_missing_between_the_old_and_the_new(
    browser: Browser, console: Console
) -> None:
    console.add_job(0, "completed", age=900)
    away = "Object.defineProperty(document, 'hidden', {get: () => window.away === true, configurable: true})"
    async with opened(browser, console.url, path="/console#jobs", script=away) as page:
        await sign_in(page, console.key)
        await expect(page.locator("details")).to_have_count(1)
        await page.evaluate("window.away = true")
        for number in range(1, 56):
            console.add_job(number, "completed", age=900 - number)
        await page.evaluate("window.away = false")
        await expect(page.locator("details").first).to_contain_text("job-55")
        await expect(page.locator("details")).to_have_count(50)
        await page.get_by_role("button", name="Show more").click()
        await expect(page.locator("details")).to_have_count(56)
        await expect(page.locator("details").last).to_contain_text("job-0")


async def test_a_key_is_shown_once_and_can_be_rotated_and_revoked(browser: Browser, console: Console) -> None:
    async with opened(browser, console.url, path="/console#keys") as page:
        await sign_in(page, console.key)
        await page.get_by_role("button", name="New key").click()
        await page.get_by_role("button", name="Create the key").click()
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("name")
        await page.get_by_label("Name, to tell it from others").fill("phone")
        await page.get_by_role("button", name="Create the key").click()
        await expect(page.get_by_role("dialog").locator("code")).to_contain_text("sk_live_")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Revoke phone").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(page.locator(".row", has_text="phone")).to_contain_text("revoked")
        await page.get_by_role("button", name="Revoke test").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_webhook_url_that_must_not_be_called_is_refused_at_its_field(
    browser: Browser, console: Console
) -> None:
    async with opened(browser, console.url, path="/console#settings") as page:
        await sign_in(page, console.key)
        url = page.get_by_label("URL that hears")
        await url.fill("http://169.254.169.254/latest")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("webhookUrl")
        await expect(url).to_be_focused()
        await url.fill("https://hooks.example.com/visavis")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Webhooks go there from now on")).to_be_visible()
        await page.get_by_role("button", name="Show the secret").click()
        await expect(page.get_by_text("whsec_")).to_be_visible()


async def test_deliveries_show_their_attempts(browser: Browser, console: Console) -> None:
    console.add_job(1, "completed")
    now = datetime.now(UTC)
    sent = WebhookDelivery(
        id="msg_1",
        account_id=console.account,
        job_id="job-1",
        target="account",
        event="job.completed",
        url="https://hooks.example.com/visavis",
        body="{}",
        status="failed",
        unit="",
        round=1,
        attempts=4,
        last_status=500,
        log=[{"status": 500}],
        created=now,
    )
    console.database.run_here(lambda session: session.add(sent))
    async with opened(browser, console.url, path="/console#webhooks") as page:
        await sign_in(page, console.key)
        line = page.locator("details", has_text="job.completed")
        await expect(line).to_contain_text("failed")
        await line.locator("summary").click()
        await expect(line.get_by_role("button", name="Send again")).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
async def test_every_view_fits_and_has_its_heading(
    browser: Browser, console: Console, size: tuple[int, int], look: str
) -> None:
    async with opened(browser, console.url, path="/console", size=size, color_scheme=look) as page:
        await sign_in(page, console.key)
        views = {
            "Overview": "Overview",
            "Jobs": "Jobs",
            "Agents": "Agents",
            "Calls": "Calls",
            "Campaigns": "Campaigns",
            "Webhooks": "Webhook deliveries",
            "API keys": "API keys",
            "Settings": "Settings",
        }
        for name, heading in views.items():
            await go(page, name)
            await expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
