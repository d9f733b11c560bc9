"""Whatever fails, the page says what it is and what to do, and goes on from there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from aioice.ice import StunProtocol
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.chromium import opened, view
from tests.browser.serving import PageServer, eventually, serving_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSIONS = "**/api/sessions"


def refused(name: str, message: str = "no") -> str:
    """A script that lets the microphone fail, until `window.mended` is set."""
    return f"""
      const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (asked) => {{
        if (!window.mended) throw new DOMException("{message}", "{name}");
        return real(asked);
      }};
    """


async def problem(page: Page, code: str) -> None:
    """Wait until this problem is shown, and check that it can be read and acted on."""
    shown = page.get_by_role("alert").filter(has=page.locator("#problem-title"))
    await expect(shown).to_have_attribute("data-code", code)
    await expect(shown).to_be_visible()
    await expect(shown.locator("h2")).not_to_be_empty()
    await expect(shown.locator("#problem-text")).not_to_be_empty()
    await expect(page.locator("#talk")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("NotFoundError", "Requested device not found", "MIC_NONE"),
        ("NotAllowedError", "Permission dismissed", "MIC_DISMISSED"),
        ("NotAllowedError", "Permission denied by system", "MIC_BLOCKED_BY_SYSTEM"),
        ("NotReadableError", "Could not start audio source", "MIC_IN_USE"),
        ("InvalidStateError", "?", "MIC_FAILED"),
    ],
)
async def test_without_its_microphone_one_can_try_again(
    browser: Browser, server: PageServer, name: str, message: str, code: str
) -> None:
    async with opened(browser, server.url, script=refused(name, message)) as page:
        await page.click("#talk")
        await problem(page, code)
        await expect(page.get_by_role("button", name="Try again")).to_be_focused()
        assert server.conversations.made == []
        await page.evaluate("window.mended = true")
        await page.keyboard.press("Enter")
        await view(page, "live")
        await expect(page.locator("#problem")).to_be_hidden()


async def test_a_microphone_that_is_blocked_is_told_from_one_that_was_dismissed(
    browser: Browser, server: PageServer
) -> None:
    blocked = "navigator.permissions.query = async () => ({ state: 'denied' });"
    script = refused("NotAllowedError", "Permission denied") + blocked
    async with opened(browser, server.url, script=script) as page:
        await page.click("#talk")
        await problem(page, "MIC_DENIED")


async def test_without_a_microphone_one_can_type_instead(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, script=refused("NotFoundError")) as page:
        await page.click("#talk")
        await problem(page, "MIC_NONE")
        await page.get_by_role("button", name="Type instead").click()
        session = await server.session()
        await view(page, "live")
        await page.fill("#typed", "Hello")
        await page.keyboard.press("Enter")
        await eventually(lambda: session.typed == ["Hello"])


async def test_an_address_that_is_not_secure_is_said_at_once(browser: Browser, server: PageServer) -> None:
    script = "Object.defineProperty(window, 'isSecureContext', { value: false });"
    async with opened(browser, server.url, script=script) as page:
        await problem(page, "INSECURE_CONTEXT")


async def test_a_browser_without_calls_is_told_at_once(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, script="delete window.RTCPeerConnection;") as page:
        await problem(page, "NO_WEBRTC")


async def test_a_full_server_counts_down_to_the_next_attempt(browser: Browser, server: PageServer) -> None:
    server.conversations.taken = 99
    async with opened(browser, server.url) as page:
        await page.clock.install()
        await page.click("#talk")
        await problem(page, "SERVER_FULL")
        again = page.get_by_role("button", name="Try again")
        await expect(again).to_be_disabled()
        await expect(page.locator("#problem-count")).to_have_text("You can try again in 10 s")
        await page.clock.run_for(4_000)
        await expect(page.locator("#problem-count")).to_have_text("You can try again in 6 s")
        await page.clock.run_for(6_000)
        await expect(again).to_be_enabled()
        await expect(again).to_be_focused()
        server.conversations.taken = 0
        await again.click()
        await view(page, "live")


async def test_an_address_with_too_many_conversations_is_told(browser: Browser, server: PageServer) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=429, json={"error": "enough", "code": "RATE_LIMITED"}, headers={"retry-after": "30"})

    async with opened(browser, server.url) as page:
        await page.route(SESSIONS, refuse)
        await page.click("#talk")
        await problem(page, "RATE_LIMITED")
        await expect(page.locator("#problem-count")).to_have_text("You can try again in 30 s")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, '{"error": "Internal error", "code": "INTERNAL_ERROR"}', "SERVER_ERROR"),
        (502, "<html>Bad gateway</html>", "SERVER_ERROR"),
        (503, "", "SERVICE_UNAVAILABLE"),
        (201, "<html>a captive portal</html>", "SERVER_ERROR"),
        (403, '{"error": "no", "code": "FORBIDDEN"}', "FORBIDDEN"),
    ],
)
async def test_odd_answers_are_told(browser: Browser, server: PageServer, status: int, body: str, code: str) -> None:
    async def answer(route: Route) -> None:
        await route.fulfill(status=status, body=body)

    async with opened(browser, server.url) as page:
        await page.route(SESSIONS, answer)
        await page.click("#talk")
        await problem(page, code)


async def test_an_agent_that_is_gone_leads_back_to_the_others(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        server.conversations.known.discard("demo")
        await page.click("#talk")
        await problem(page, "AGENT_NOT_FOUND")
        await page.get_by_role("button", name="Choose someone else").click()
        await expect(page.locator("#problem")).to_be_hidden()
        await expect(page.get_by_role("radio", name="Lucia")).to_be_focused()


async def test_choosing_someone_else_takes_the_problem_away(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        server.conversations.known.discard("demo")
        await page.click("#talk")
        await problem(page, "AGENT_NOT_FOUND")
        await page.get_by_role("radio", name="مريم").check(force=True)
        await expect(page.locator("#problem")).to_be_hidden()
        await page.click("#talk")
        await view(page, "live")


async def test_a_token_that_has_expired_is_replaced_on_request(browser: Browser, tmp_path: Path) -> None:
    with serving_page(tmp_path, token_ttl=0.0) as server:
        async with opened(browser, server.url) as page:
            await page.click("#talk")
            await problem(page, "TOKEN_EXPIRED")
            await expect(page.get_by_role("button", name="Try again")).to_be_enabled()


async def test_a_page_from_before_a_restart_is_loaded_again(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.context.clear_cookies()
        await page.click("#talk")
        await problem(page, "PAGE_EXPIRED")
        await page.get_by_role("button", name="Load the page again").click()
        await expect(page.locator("#problem")).to_be_hidden()
        await page.click("#talk")
        await view(page, "live")


async def test_a_visitor_to_whom_nobody_is_open_is_told(browser: Browser, server: PageServer) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=401, json={"error": "An API key is needed", "code": "UNAUTHORIZED"})

    async with opened(browser, server.url, path="/healthz") as page:
        await page.route("**/api/sessions/agents", refuse)
        await page.goto(server.url)
        await problem(page, "NOT_OPEN")


async def test_a_server_without_agents_says_so(browser: Browser, server: PageServer) -> None:
    server.agents.cards = []
    async with opened(browser, server.url) as page:
        await problem(page, "NO_AGENTS")
        await expect(page.locator("#avatar-open")).to_be_enabled()


async def test_without_a_network_one_can_try_again(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await expect(page.locator("#talk")).to_be_enabled()
        await page.context.set_offline(True)
        await page.click("#talk")
        await problem(page, "OFFLINE")
        await page.context.set_offline(False)
        await page.get_by_role("button", name="Try again").click()
        await view(page, "live")


async def test_a_server_that_does_not_answer_is_told(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await expect(page.locator("#talk")).to_be_enabled()
        await page.route(SESSIONS, lambda route: route.abort("connectionrefused"))
        await page.click("#talk")
        await problem(page, "SERVER_UNREACHABLE")


async def test_agents_that_could_not_be_had_are_asked_for_again(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url, path="/healthz") as page:
        await page.route("**/api/sessions/agents", lambda route: route.abort("connectionrefused"))
        await page.goto(server.url)
        await problem(page, "SERVER_UNREACHABLE")
        await page.unroute("**/api/sessions/agents")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_role("radio", name="Lucia")).to_be_checked()
        await expect(page.locator("#problem")).to_be_hidden()


async def test_sound_that_cannot_pass_is_told(browser: Browser, server: PageServer) -> None:
    nowhere = """
      const set = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
        const wrong = sdp.replace(/a=candidate:.*\\r\\n/g, "").replace(/a=ice-pwd:.*/g, "a=ice-pwd:" + "x".repeat(22));
        return set.call(this, { type, sdp: wrong }).finally(() => { window.answered = true; });
      };
    """
    async with opened(browser, server.url, script=nowhere) as page:
        await page.clock.install()
        await page.click("#talk")
        await expect(page.locator("#state-text")).to_have_text("Connecting")
        for _ in range(100):
            if await page.evaluate("() => window.answered"):
                break
            await page.clock.run_for(200)
        await page.clock.run_for(16_000)
        await problem(page, "CONNECT_FAILED")


async def test_a_session_that_breaks_at_the_server_is_told_and_its_words_stay(
    browser: Browser, server: PageServer
) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#talk")
        session = await server.session()
        await view(page, "live")
        server.tell("transcript", turn=1, text="When do you close?", final=True)
        await expect(page.locator(".line--you")).to_be_visible()
        session.broken = "hear"
        await problem(page, "SESSION_BROKEN")
        await view(page, "ended")
        await expect(page.locator(".line--you")).to_contain_text("When do you close?")
        await page.get_by_role("button", name="Try again").click()
        await server.session(1)
        await view(page, "live")


async def test_a_server_that_stops_says_so_first(browser: Browser, server: PageServer) -> None:
    async with opened(browser, server.url) as page:
        await page.click("#talk")
        session = await server.session()
        await view(page, "live")
        server.call(session.link.hang_up, "the server is stopping")
        await problem(page, "SERVER_STOPPING")


@pytest.mark.slow
async def test_a_blackout_is_survived_and_a_lost_connection_is_given_up(
    browser: Browser, server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = threading.Event()
    take, answer, send = StunProtocol.datagram_received, StunProtocol.send_stun, StunProtocol.send_data

    async def send_data(protocol: StunProtocol, *given: Any) -> None:
        if not cut.is_set():
            await send(protocol, *given)

    for name, whole in (("datagram_received", take), ("send_stun", answer)):
        monkeypatch.setattr(StunProtocol, name, lambda *given, whole=whole: None if cut.is_set() else whole(*given))
    monkeypatch.setattr(StunProtocol, "send_data", send_data)
    async with opened(browser, server.url) as page:
        await page.click("#talk")
        session = await server.session()
        await view(page, "live")
        server.tell("state", state="listening")
        cut.set()
        await expect(page.locator("#state-text")).to_have_text("Reconnecting")
        await expect(page.locator("#quality-text")).to_have_text("Reconnecting")
        cut.clear()
        await expect(page.locator("#state-text")).to_have_text("Listening")
        cut.set()
        shown = page.locator("#problem")
        await expect(shown).to_have_attribute("data-code", "SESSION_LOST", timeout=40_000)
        await eventually(session.over.is_set, 20)
