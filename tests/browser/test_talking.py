"""A conversation on the page, with an agent that says what the test tells it to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import opened, view
from tests.browser.serving import PageServer, eventually, serving_page
from tests.server.browser.fakes import FakeSession

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def begin(page: Page, server: PageServer, number: int = 0) -> FakeSession:
    """Press Talk; returns the session that runs then."""
    await page.click("#talk")
    session = await server.session(number)
    await view(page, "live")
    return session


async def test_the_agents_are_shown_and_the_first_is_chosen(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        cards = page.locator("label.agent")
        await expect(cards).to_have_count(2)
        await expect(page.get_by_role("radio", name="Lucia")).to_be_checked()
        await expect(page.locator("#agent-name")).to_have_text("Lucia")
        await expect(page.locator("#poster")).to_be_visible()
        await page.get_by_role("radio", name="مريم").check(force=True)
        await expect(page.locator("#agent-name")).to_have_text("مريم")
        await expect(page.locator("#poster")).to_be_hidden()
        await expect(page.locator("#stage-initial")).to_have_text("م")
        assert page.url.endswith("?agent=sales")
        await page.reload()
        await expect(page.locator("#agent-name")).to_have_text("مريم")


async def test_a_name_is_never_markup(browser: Browser, server: PageServer) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    server.agents.cards[0] = type(server.agents.cards[0])("demo", hostile, "xx-not-a-language", hostile)
    async with opened(browser, server.url) as page:
        await expect(page.locator("#agent-name")).to_have_text(hostile)
        await begin(page, server)
        server.tell("saying", turn=0, text=hostile)
        server.tell("transcript", turn=1, text=hostile, final=True)
        await expect(page.locator(".line--you .line__text")).to_have_text(hostile)
        assert await page.locator("main img[onerror]").count() == 0


async def test_both_sides_are_captioned(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await begin(page, server)
        server.tell("saying", turn=0, text="Good day! How can I help?")
        server.tell("word", turn=0, text="Good", start=0, end=4)
        await expect(page.locator(".line__now")).to_have_text("Good")
        await expect(page.locator(".line__rest")).to_have_text("day! How can I help?")
        server.tell("answer", turn=0, text="Good day! How can I help?", interrupted=False)
        await expect(page.locator(".line__rest")).to_have_count(0)
        server.tell("transcript", turn=1, text="When do", final=False)
        yours = page.locator(".line--you")
        await expect(yours).to_have_class("line line--you line--partial")
        server.tell("transcript", turn=1, text="When do you close?", final=True)
        await expect(yours).to_have_class("line line--you")
        await expect(yours.locator(".line__text")).to_have_text("When do you close?")
        server.tell("saying", turn=1, text="We close at ten tonight.")
        server.tell("word", turn=1, text="We", start=0, end=2)
        server.tell("answer", turn=1, text="We", interrupted=True)
        await expect(page.locator("del")).to_have_text("close at ten tonight.")
        await expect(page.locator(".line__note")).to_have_text("interrupted")
        told = page.locator("#announcements")
        await expect(told).to_contain_text("Lucia: Good day! How can I help?")
        await expect(told).to_contain_text("You: When do you close?")
        await expect(told).to_contain_text("Lucia: We – and was cut short")


async def test_the_latest_words_stay_in_view_unless_one_reads_back(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await begin(page, server)
        for turn in range(30):
            server.tell("transcript", turn=turn, text=f"Sentence number {turn}", final=True)
        last = page.locator(".line--you", has_text="Sentence number 29")
        await expect(last).to_be_in_viewport()
        await page.locator("#captions").evaluate("(log) => { log.scrollTop = 0; }")
        await expect(page.locator("#captions-latest")).to_be_visible()
        server.tell("transcript", turn=30, text="Sentence number 30", final=True)
        await expect(page.locator(".line--you", has_text="Sentence number 0")).to_be_in_viewport()
        await page.click("#captions-latest")
        await expect(page.locator(".line--you", has_text="Sentence number 30")).to_be_in_viewport()
        await expect(page.locator("#captions-latest")).to_be_hidden()


async def test_the_time_of_each_turn_is_shown(browser: Browser, server: PageServer) -> None:
    times = {"transcript": 110, "confirmed": 380, "answer_begun": 120, "first_token": 200, "first_clause": 240}
    async with opened(browser, server.url) as page:
        await begin(page, server)
        for turn, first in ((1, 480), (2, 900)):
            server.tell("saying", turn=turn, text="At ten.")
            server.tell("latency", turn=turn, **times, first_audio=first - 10, first_sound=first)
            await expect(page.get_by_role("button", name=f"Answered after {first / 1000:.2f} s")).to_be_visible()
            server.tell("answer", turn=turn, text="At ten.", interrupted=False)
        await expect(page.locator("#timing-total")).to_have_text("0.90 s")
        rows = page.locator(".waterfall__row")
        await expect(rows).to_have_count(5)
        await expect(rows.nth(0)).to_contain_text("Words understood")
        await expect(rows.nth(0)).to_contain_text("0.11 s")
        await page.get_by_role("button", name="Answered after 0.48 s").click()
        await expect(page.locator("#timing-total")).to_have_text("0.48 s")
        await expect(page.get_by_role("button", name="Turn 1: 0.48 s")).to_have_attribute("aria-pressed", "true")
        await page.click("#end")
        await expect(page.locator("#agent-line")).to_contain_text("2 answers, typically after 0.69 s")


async def test_what_is_typed_is_sent(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        session = await begin(page, server)
        await page.fill("#typed", "  What about Sunday?  ")
        await page.keyboard.press("Enter")
        await eventually(lambda: session.typed == ["What about Sunday?"])
        assert await page.input_value("#typed") == ""
        await page.keyboard.press("Enter")
        await page.fill("#typed", "And Monday?")
        await page.get_by_role("button", name="Send").click()
        await eventually(lambda: session.typed == ["What about Sunday?", "And Monday?"])


async def test_the_agent_is_interrupted_by_a_button_while_it_speaks(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        session = await begin(page, server)
        await expect(page.locator("#interrupt")).to_be_disabled()
        server.tell("state", state="speaking")
        await expect(page.locator("#state-text")).to_have_text("Speaking")
        await page.click("#interrupt")
        await eventually(lambda: session.interrupted == 1)
        server.tell("state", state="listening")
        await expect(page.locator("#state-text")).to_have_text("Listening")
        await expect(page.locator("#interrupt")).to_be_disabled()


async def test_the_microphone_is_heard_until_it_is_muted(browser: Browser, server: PageServer) -> None:
    def level(session: FakeSession) -> float:
        return float(np.abs(np.concatenate([frame.samples for frame in session.frames[-50:]])).max())

    async with opened(browser, server.url) as page:
        session = await begin(page, server)
        await eventually(lambda: session.frames and level(session) > 0.01)  # the test device beeps every second
        await page.click("#mute")
        await expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#mute-text")).to_have_text("Unmute")
        count = len(session.frames)
        await eventually(lambda: len(session.frames) > count + 120)
        assert level(session) == 0.0
        await page.click("#mute")
        await eventually(lambda: level(session) > 0.01)


async def test_the_agent_is_heard(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        session = await begin(page, server)
        server.call(session.say, 3.0)
        await page.wait_for_function(
            "() => Number(document.getElementById('stage').style.getPropertyValue('--level')) > 0.3"
        )
        playing = await page.evaluate("() => !document.getElementById('video').paused")
        assert playing


async def test_the_poster_stays_until_the_face_is_there_and_comes_back_after_it(
    browser: Browser, tmp_path: Path
) -> None:
    with serving_page(tmp_path, faces=True) as server:
        async with opened(browser, server.url) as page:
            await begin(page, server)
            await expect(page.locator("#stage")).to_have_class("stage__frame stage__frame--face")
            await expect(page.locator("#video")).to_have_css("opacity", "1")
            blue = await page.evaluate(
                """() => {
                     const canvas = document.createElement("canvas");
                     canvas.width = canvas.height = 16;
                     const context = canvas.getContext("2d");
                     context.drawImage(document.getElementById("video"), 0, 0, 16, 16);
                     const [red, , blue] = context.getImageData(0, 8, 1, 1).data;
                     return blue - red;
                   }"""
            )
            assert blue > 60
            await page.click("#end")
            await expect(page.locator("#stage")).to_have_class("stage__frame")
            await expect(page.locator("#poster")).to_be_visible()


async def test_a_picture_that_stalls_gives_way_to_the_poster(browser: Browser, tmp_path: Path) -> None:
    with serving_page(tmp_path, faces=True) as server:
        async with opened(browser, server.url) as page:
            await begin(page, server)
            await expect(page.locator("#stage")).to_have_class("stage__frame stage__frame--face")
            server.stall.set()
            await expect(page.locator("#stage")).to_have_class("stage__frame")
            server.stall.clear()
            await expect(page.locator("#stage")).to_have_class("stage__frame stage__frame--face")


async def test_hanging_up_ends_the_session_at_the_server(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        session = await begin(page, server)
        server.tell("transcript", turn=1, text="Good bye", final=True)
        await page.click("#end")
        await view(page, "ended")
        await eventually(session.over.is_set)
        assert session.left == "the caller hung up"
        await expect(page.locator("#agent-line")).to_contain_text("You ended it after 0:0")
        await expect(page.locator(".line--you")).to_contain_text("Good bye")
        await expect(page.locator("#problem")).to_be_hidden()
        again = await begin(page, server, 1)
        await expect(page.locator(".line")).to_have_count(0)
        server.call(again.link.hang_up, "the conversation is over")
        await view(page, "ended")
        await expect(page.locator("#agent-line")).to_contain_text("Lucia ended it")
        await page.click("#another")
        await view(page, "choosing")
        await expect(page.locator("#agent-line")).to_contain_text("Trattoria Lucia")


async def test_leaving_the_page_ends_the_session(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        session = await begin(page, server)
        await page.goto("about:blank")
        await eventually(session.over.is_set, 5)
        assert session.left


async def test_one_can_give_up_while_it_connects(browser: Browser, server: PageServer) -> None:
    waits = "navigator.mediaDevices.getUserMedia = () => new Promise(() => {});"
    async with opened(browser, server.url, script=waits) as page:
        await page.click("#talk")
        await expect(page.locator("#state-text")).to_have_text("Waiting for the microphone")
        await page.get_by_role("button", name="Cancel").click()
        await view(page, "choosing")
        await expect(page.locator("#talk")).to_be_focused()
        assert server.conversations.made == []


async def test_one_can_talk_without_a_microphone_and_take_one_later(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.get_by_role("button", name="Start without one").click()
        session = await server.session()
        await view(page, "live")
        await expect(page.locator("#typed")).to_be_focused()
        await page.keyboard.type("Hello")
        await page.keyboard.press("Enter")
        await eventually(lambda: session.typed == ["Hello"])
        await eventually(lambda: len(session.frames) > 20)
        assert max(float(np.abs(frame.samples).max()) for frame in session.frames) < 0.001
        await page.get_by_role("button", name="Use a microphone").click()
        await expect(page.locator("#mute-text")).to_have_text("Mute")
        await eventually(lambda: any(float(np.abs(frame.samples).max()) > 0.01 for frame in session.frames[-50:]))


async def test_sound_that_the_browser_holds_back_is_a_click_away(browser: Browser, server: PageServer) -> None:
    held = """
      let held = true;
      const play = HTMLMediaElement.prototype.play;
      HTMLMediaElement.prototype.play = function () {
        if (!held) return play.call(this);
        held = false;
        return Promise.reject(new DOMException("no gesture", "NotAllowedError"));
      };
    """
    async with opened(browser, server.url, script=held) as page:
        await begin(page, server)
        await page.get_by_role("button", name="Turn on the sound").click()
        await expect(page.locator("#listen")).to_be_hidden()
        assert await page.evaluate("() => !document.getElementById('video').paused")


async def test_the_connection_is_graded_and_its_figures_can_be_read(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await begin(page, server)
        details = page.locator("#quality-details")
        await page.click("#quality")

        async def complain() -> None:
            while True:  # the server itself, which hears the page well, says so every two seconds
                server.tell("quality", round_trip_ms=12, wait_ms=20, missing_percent=7.5)
                await asyncio.sleep(0.05)

        complaining = asyncio.create_task(complain())
        try:
            await expect(page.locator("#quality-text")).to_have_text("Weak")
            await expect(details).to_contain_text("Lost on the way there")
            await expect(details).to_contain_text("7.5 %")
        finally:
            complaining.cancel()
        await page.keyboard.press("Escape")
        await expect(details).to_be_hidden()


async def test_events_that_are_new_to_the_page_are_no_trouble(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await begin(page, server)
        server.tell("horoscope", sign="libra")
        server.tell("transcript", turn=1, text=None, final=True)
        server.tell("word", turn=9, text="lost", start=0, end=4)
        server.tell("avatar", state="anything")
        server.tell("state", state="unheard of")
        server.tell("transcript", turn=2, text="Still here", final=True)
        await expect(page.locator(".line--you")).to_contain_text("Still here")
