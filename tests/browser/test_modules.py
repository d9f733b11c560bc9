"""The parts of the page that need no page: what was said, where bars stand, what errors are called, what keys mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.chromium import opened
from tests.browser.serving import serving_page

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    folder: Path = tmp_path_factory.mktemp("page")
    with serving_page(folder) as server:
        async with opened(browser, server.url) as shown:
            await shown.evaluate(
                """async () => {
                     const base = document.querySelector("script[type=module]").src;
                     window.load = (name) => import(new URL(name, base));
                   }"""
            )
            yield shown


async def transcript_of(page: Page, events: list[dict[str, Any]], *, close: bool = False) -> list[dict[str, Any]]:
    """The entries after these events, an agent's text as heard|unheard."""
    entries: list[dict[str, Any]] = await page.evaluate(
        """async ([events, close]) => {
             const { Transcript } = await load("transcript.js");
             const transcript = new Transcript();
             for (const event of events) transcript.take(event);
             if (close) transcript.close();
             const shown = ({ text, heard }) => text.slice(0, heard) + "|" + text.slice(heard);
             return transcript.entries.map(({ who, text, final, state, interrupted = null, pieces }) => who === "you"
               ? { who, text, final }
               : { who, state, interrupted, text: pieces.map(shown).join(" ") });
           }""",
        [events, close],
    )
    return entries


def saying(text: str, turn: int = 1) -> dict[str, Any]:
    return {"type": "saying", "turn": turn, "text": text}


def word(text: str, start: int, turn: int = 1) -> dict[str, Any]:
    return {"type": "word", "turn": turn, "text": text, "start": start, "end": start + len(text)}


def heard(text: str, turn: int = 1, *, interrupted: bool = False) -> dict[str, Any]:
    return {"type": "answer", "turn": turn, "text": text, "interrupted": interrupted}


def caller(text: str, turn: int = 1, *, final: bool = True) -> dict[str, Any]:
    return {"type": "transcript", "turn": turn, "text": text, "final": final}


async def test_partial_words_become_final_ones(page: Page) -> None:
    partial = await transcript_of(page, [caller("When do", final=False), caller("When do you close", final=False)])
    assert partial == [{"who": "you", "text": "When do you close", "final": False}]
    final = await transcript_of(
        page, [caller("When do", final=False), caller("When do you close?"), caller("x", final=False)]
    )
    assert final == [{"who": "you", "text": "When do you close?", "final": True}]


async def test_what_was_no_turn_is_taken_back(page: Page) -> None:
    events = [caller("uh-huh", final=False), {"type": "discarded", "turn": 1, "reason": "backchannel"}]
    assert await transcript_of(page, events) == []


async def test_words_light_up_as_they_sound(page: Page) -> None:
    events = [saying("We close at ten."), word("We", 0), word("close", 3)]
    assert (await transcript_of(page, events))[0]["text"] == "We close| at ten."


async def test_words_go_on_in_the_next_piece(page: Page) -> None:
    pieces = [saying("Yes."), saying("Yes, we do.")]
    one = await transcript_of(page, [*pieces, word("Yes.", 0)])
    assert one[0]["text"] == "Yes.| |Yes, we do."
    two = await transcript_of(page, [*pieces, word("Yes.", 0), word("Yes,", 0), word("we", 5)])
    assert two[0]["text"] == "Yes.| Yes, we| do."


async def test_the_words_of_one_number_share_its_characters(page: Page) -> None:
    number = {"type": "word", "turn": 1, "text": "twenty", "start": 3, "end": 5}
    events = [saying("At 21 sharp. "), word("At", 0), number, {**number, "text": "one"}, word("sharp.", 6)]
    assert (await transcript_of(page, events))[0]["text"] == "At 21 sharp.| "


async def test_what_an_interruption_cut_is_known(page: Page) -> None:
    events = [saying("We close at ten."), word("We", 0), word("close", 3), heard("We close", interrupted=True)]
    entry = (await transcript_of(page, events))[0]
    assert entry == {"who": "agent", "state": "cut", "interrupted": True, "text": "We close| at ten."}


async def test_an_answer_heard_to_its_end_is_whole_even_where_words_had_no_times(page: Page) -> None:
    assert (await transcript_of(page, [saying("Good day!"), heard("Good day!")]))[0]["text"] == "Good day!|"


async def test_an_answer_of_which_nothing_was_heard_was_never_given(page: Page) -> None:
    entries = await transcript_of(page, [caller("I would"), saying("What?"), caller("like a table", 2)])
    assert [entry["text"] for entry in entries] == ["I would", "like a table"]


async def test_an_answer_without_words_ahead_still_appears(page: Page) -> None:
    assert (await transcript_of(page, [heard("Good day!")]))[0]["text"] == "Good day!|"


async def test_at_the_end_nothing_is_left_open(page: Page) -> None:
    events = [saying("Good bye and thanks."), word("Good", 0), caller("wai", 2, final=False)]
    entries = await transcript_of(page, events, close=True)
    assert entries == [{"who": "agent", "state": "cut", "interrupted": False, "text": "Good| bye and thanks."}]


async def test_a_long_conversation_stays_bounded(page: Page) -> None:
    entries = await transcript_of(page, [caller(f"turn {number}", number) for number in range(300)])
    assert len(entries) == 200
    assert entries[-1]["text"] == "turn 299"


async def laid_out(page: Page, times: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate(
        "async (times) => (await load('waterfall.js')).layOut(times, 800)", times
    )
    return found


async def test_the_bars_of_a_turn_stand_where_its_times_are(page: Page) -> None:
    times = {
        "transcript": 200,
        "confirmed": 400,
        "answer_begun": 200,
        "first_clause": 300,
        "first_audio": 500,
        "first_sound": 500,
    }
    found = await laid_out(page, times)
    assert found["zero"] == 0
    bars = {row["name"]: (row["start"], row["width"]) for row in found["rows"]}
    assert bars["Words understood"] == (0, 25)
    assert bars["Answer found"] == (25, 12.5)
    assert bars["First sound"] == (0, 62.5)


async def test_what_was_ready_before_you_had_finished_is_said_to_be(page: Page) -> None:
    found = await laid_out(page, {"transcript": -100, "confirmed": 300, "first_sound": 300})
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["Words understood"]["early"]
    assert found["zero"] > 0
    assert "Voice made" not in rows


async def test_bars_stay_within_their_track_whatever_the_times(page: Page) -> None:
    for times in ({"transcript": -90_000, "first_sound": 30_000}, {"first_sound": 0}, {"first_sound": -5}):
        for row in (await laid_out(page, times))["rows"]:
            assert 0 <= row["start"] <= 100
            assert 0 <= row["width"] <= 100.001 - row["start"]


async def test_every_failure_has_a_title_a_text_and_something_to_do(page: Page) -> None:
    problems: dict[str, Any] = await page.evaluate("async () => (await load('errors.js')).PROBLEMS")
    for code, problem in problems.items():
        assert problem["title"], code
        assert len(problem["text"]) > 20, code
        assert problem["actions"] or code == "INSECURE_CONTEXT"


@pytest.mark.parametrize(
    ("status", "code", "shown"),
    [
        (503, "SERVER_FULL", "SERVER_FULL"),
        (503, "HTTP_503", "SERVICE_UNAVAILABLE"),
        (429, "WHATEVER", "RATE_LIMITED"),
        (401, "UNAUTHORIZED", "PAGE_EXPIRED"),
        (404, "AGENT_NOT_FOUND", "AGENT_NOT_FOUND"),
        (404, "SESSION_NOT_FOUND", "TOKEN_EXPIRED"),
        (410, "TOKEN_EXPIRED", "TOKEN_EXPIRED"),
        (403, "FORBIDDEN", "FORBIDDEN"),
        (500, "INTERNAL_ERROR", "SERVER_ERROR"),
        (0, "SERVER_UNREACHABLE", "SERVER_UNREACHABLE"),
    ],
)
async def test_answers_of_the_server_have_texts(page: Page, status: int, code: str, shown: str) -> None:
    found = await page.evaluate(
        """async ([status, code]) => {
             const { describe } = await load("errors.js");
             const { ApiError } = await load("../shared/http.js");
             return describe(new ApiError(status, code, "", 7));
           }""",
        [status, code],
    )
    assert found["code"] == shown
    assert found["retryAfter"] == (7 if status in (503, 429) else None)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("NotFoundError", "MIC_NONE"),
        ("NotReadableError", "MIC_IN_USE"),
        ("NotAllowedError", "MIC_DISMISSED"),
        ("SecurityError", "MIC_DENIED"),
        ("TypeError", "MIC_FAILED"),
    ],
)
async def test_refusals_of_the_microphone_are_told_apart(page: Page, name: str, shown: str) -> None:
    code = await page.evaluate(
        """async (name) => {
             const { openMicrophone } = await load("microphone.js");
             const own = navigator.mediaDevices.getUserMedia;
             navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", name); };
             const query = navigator.permissions.query;
             navigator.permissions.query = async () => ({ state: "prompt" });
             try { await openMicrophone(""); return null; } catch (error) { return error.code; }
             finally { navigator.mediaDevices.getUserMedia = own; navigator.permissions.query = query; }
           }""",
        name,
    )
    assert code == shown


async def test_a_microphone_that_is_gone_is_replaced_by_the_systems_choice(page: Page) -> None:
    label = await page.evaluate(
        """async () => {
             const { openMicrophone } = await load("microphone.js");
             const track = await openMicrophone("no such device");
             track.stop();
             return track.label;
           }"""
    )
    assert label


@pytest.mark.parametrize(
    ("bars", "trip", "up", "down"),
    [(4, 40, 0, 0), (4, None, None, None), (3, 200, 0, 0), (2, 40, 6, 0), (1, 40, 0, 30), (1, 900, 0, 0)],
)
async def test_the_worst_figure_decides_how_good_the_connection_is(
    page: Page, bars: int, trip: int | None, up: int | None, down: int | None
) -> None:
    figures = {"roundTrip": trip, "lostUp": up, "lostDown": down}
    assert await page.evaluate("async (figures) => (await load('quality.js')).grade(figures)", figures) == bars


@pytest.mark.parametrize(
    ("key", "target", "modifier", "meaning"),
    [
        (" ", "body", "", "mute"),
        (" ", "#talk", "", None),
        (" ", "#typed", "", None),
        (" ", "#captions", "", None),
        ("m", "body", "", "mute"),
        ("m", "#typed", "", None),
        ("m", "body", "ctrlKey", None),
        ("Escape", "body", "", "interrupt"),
        ("Escape", "#typed", "", None),
        ("/", "#mute", "", "type"),
        ("?", "body", "", "help"),
        ("d", "#microphone", "", None),
        ("x", "body", "", None),
    ],
)
async def test_keys_mean_something_only_where_they_are_not_needed(
    page: Page, key: str, target: str, modifier: str, meaning: str | None
) -> None:
    found = await page.evaluate(
        """async ([key, target, modifier]) => {
             const { meaning } = await load("keys.js");
             return meaning({ key, target: document.querySelector(target), ...(modifier ? { [modifier]: true } : {}) });
           }""",
        [key, target, modifier],
    )
    assert found == meaning
