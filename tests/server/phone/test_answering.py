"""Answered calls of ours from end to end in virtual time, by who has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from media.worker import WorkerFull
from server.phone.book import CallFacts
from tests.bench.greetings.corpus import special_information_tone, tone
from tests.server.phone.answered import Scene
from tests.virtual_time import run_virtual

MESSAGE = "Call {name} back."
LEFT = "Call Ana back."
GREETING = "Hi, leave a message after the tone."


def play(script: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_virtual(script)


def test_with_a_person_the_session_talks_to_the_end() -> None:
    async def main() -> None:
        scene = Scene()
        scene.callee.speaks("Hello?", 0.4, 0.5)
        asyncio.get_running_loop().call_later(8.0, scene.callee.hangs_up)
        await scene.hold()
        assert scene.opened == [0.0], "the agent does not wait to know who it is"
        assert [session.left for session in scene.sessions] == ["the caller hung up"]
        assert scene.facts == [CallFacts(answered_by="human")]

    play(main)


def test_a_person_may_take_their_time() -> None:
    async def main() -> None:
        scene = Scene()
        scene.callee.speaks("Yes?", 3.5, 0.5)
        asyncio.get_running_loop().call_later(8.0, scene.callee.hangs_up)
        await scene.hold()
        assert scene.facts == [CallFacts(answered_by="human")]

    play(main)


def test_who_hangs_up_at_once_is_not_known() -> None:
    async def main() -> None:
        scene = Scene()
        asyncio.get_running_loop().call_later(0.5, scene.callee.hangs_up)
        await scene.hold()
        assert scene.facts == [CallFacts(answered_by="unknown")]

    play(main)


def test_a_machine_is_hung_up_on() -> None:
    async def main() -> None:
        scene = Scene()
        scene.callee.speaks(GREETING, 0.4, 3.0)
        await scene.hold()
        assert [session.left for session in scene.sessions] == ["a machine answered"]
        assert scene.facts == [CallFacts(answered_by="machine", outcome="machine")]
        assert scene.ended < 4.0
        assert scene.callee.frames == []

    play(main)


def test_a_message_is_left_after_the_beep() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message=MESSAGE)
        scene.callee.speaks(GREETING, 0.4, 4.0)
        scene.callee.sounds(tone([1000], 0.5), 5.0)
        await scene.hold()
        assert scene.voice.spoken == [LEFT]
        assert 5.5 < scene.callee.frames[0] < 6.0
        assert scene.ended > scene.callee.frames[0] + 0.05 * len(LEFT) - 0.15
        assert scene.call is not None
        assert scene.call.hung_up == "message left"
        assert (scene.answered_by, scene.outcome) == ("machine", "message left")

    play(main)


def test_without_a_beep_the_message_is_left_when_the_machine_is_silent() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message=MESSAGE)
        scene.callee.speaks("I can't take your call, leave me a message, thanks.", 0.4, 4.0)
        await scene.hold()
        assert 5.9 < scene.callee.frames[0] < 6.5
        assert scene.outcome == "message left"

    play(main)


def test_a_message_that_was_begun_before_the_beep_is_begun_again() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message="A message that takes long enough for a beep to come.")
        scene.callee.speaks("I can't take your call, leave me a message, thanks.", 0.4, 4.0)
        scene.callee.sounds(tone([1000], 0.5), 6.6)
        await scene.hold()
        assert len(scene.callee.sent("clear")) >= 1
        first, last = scene.callee.frames[0], scene.callee.frames[-1]
        assert last - first > 0.05 * 52 + 0.8
        assert scene.outcome == "message left"

    play(main)


def test_a_full_mailbox_gets_no_message() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message=MESSAGE)
        scene.callee.speaks("The mailbox is full and cannot accept any messages.", 0.4, 3.0)
        await scene.hold()
        assert scene.outcome == "machine"
        assert scene.callee.frames == []

    play(main)


def test_who_hangs_up_during_the_message_was_left_none() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message="A message that takes long enough.")
        scene.callee.speaks(GREETING, 0.4, 4.0)
        scene.callee.sounds(tone([1000], 0.5), 5.0)
        asyncio.get_running_loop().call_later(6.2, scene.callee.hangs_up)
        await scene.hold()
        assert (scene.answered_by, scene.outcome) == ("machine", "machine")

    play(main)


def test_an_agent_may_carry_on_with_machines() -> None:
    async def main() -> None:
        scene = Scene(on_machine="carry_on")
        scene.callee.speaks(GREETING, 0.4, 4.0)
        asyncio.get_running_loop().call_later(9.0, scene.callee.hangs_up)
        await scene.hold()
        assert [session.left for session in scene.sessions] == ["the caller hung up"]
        assert scene.facts == [CallFacts(answered_by="machine")]

    play(main)


def test_nobody_listens_where_the_agent_does_not_want_to_know() -> None:
    async def main() -> None:
        scene = Scene(detect_machine=False)
        scene.callee.speaks(GREETING, 0.4, 4.0)
        asyncio.get_running_loop().call_later(9.0, scene.callee.hangs_up)
        await scene.hold()
        assert [session.left for session in scene.sessions] == ["the caller hung up"]
        assert scene.facts == []

    play(main)


def test_a_number_out_of_service_ends_the_call() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message=MESSAGE)
        scene.callee.sounds(special_information_tone(), 0.3)
        await scene.hold()
        assert scene.outcome == "not in service"
        assert scene.ended < 2.0

    play(main)


def test_a_screener_is_told_who_calls_and_the_person_gets_the_agent() -> None:
    async def main() -> None:
        scene = Scene(screening="This is Mira for {name}.")
        scene.callee.speaks("Please state your name and why you are calling.", 0.4, 3.0)
        scene.callee.speaks("Thank you, please hold.", 8.0, 1.5)
        scene.callee.speaks("Hello?", 20.0, 0.6)
        asyncio.get_running_loop().call_later(30.0, scene.callee.hangs_up)
        await scene.hold()
        assert scene.voice.spoken == ["This is Mira for Ana."]
        assert [session.left for session in scene.sessions] == ["a screener answered", "the caller hung up"]
        assert 20.6 < scene.opened[1] < 22.0
        assert (scene.answered_by, scene.outcome) == ("human", "screened")

    play(main)


def test_a_screener_who_finds_nobody_is_not_waited_for_longer_than_a_minute() -> None:
    async def main() -> None:
        scene = Scene()
        scene.callee.speaks("Please state your name and why you are calling.", 0.4, 3.0)
        await scene.hold()
        assert scene.voice.spoken == ["This is Mira, calling for Ana."]
        assert 60.0 < scene.ended < 75.0
        assert (scene.answered_by, scene.outcome) == ("machine", "screened")
        assert len(scene.sessions) == 1

    play(main)


def test_a_machine_behind_a_screener_gets_the_message() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message=MESSAGE)
        scene.callee.speaks("Please state your name and why you are calling.", 0.4, 3.0)
        scene.callee.speaks(GREETING, 15.0, 4.0)
        scene.callee.sounds(tone([1000], 0.5), 20.0)
        await scene.hold()
        assert scene.voice.spoken == ["This is Mira, calling for Ana.", LEFT]
        assert (scene.answered_by, scene.outcome) == ("machine", "message left")

    play(main)


def test_a_turn_that_was_answered_ends_the_watch() -> None:
    async def main() -> None:
        scene = Scene()
        scene.callee.speaks("Hello?", 0.4, 0.5)
        scene.callee.speaks(GREETING, 6.0, 3.0)

        async def talks() -> None:
            await asyncio.sleep(4.0)
            link = scene.sessions[0].link
            link.notify("transcript", {"turn": 2, "text": "Hello?", "final": True})
            link.notify("answer", {"turn": 1, "text": "Good day."})  # the greeting, which answers nobody
            link.notify("answer", {"turn": 2, "text": "This is Mira."})
            await asyncio.sleep(8.0)
            scene.callee.hangs_up()

        await scene.hold(talks)
        assert [session.left for session in scene.sessions] == ["the caller hung up"]
        assert scene.facts == [CallFacts(answered_by="human")]

    play(main)


@pytest.mark.parametrize("error", [WorkerFull("recognition"), RuntimeError("broken")])
def test_without_a_recogniser_a_beep_still_tells(error: Exception) -> None:
    async def main() -> None:
        scene = Scene()
        scene.callee.recogniser.error = error
        scene.callee.speaks(GREETING, 0.4, 4.0)
        scene.callee.sounds(tone([1000], 0.5), 5.0)
        await scene.hold()
        assert scene.outcome == "machine"

    play(main)


def test_a_book_that_fails_does_not_end_the_call() -> None:
    async def main() -> None:
        scene = Scene()

        async def note(call_id: str, facts: CallFacts) -> None:
            raise OSError("the database is gone")

        scene.book.note = note  # type: ignore[method-assign]
        scene.callee.speaks("Hello?", 0.4, 0.5)
        asyncio.get_running_loop().call_later(8.0, scene.callee.hangs_up)
        await scene.hold()
        assert [session.left for session in scene.sessions] == ["the caller hung up"]

    play(main)


def test_last_words_are_said_whoever_holds_the_line() -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message=MESSAGE)
        scene.callee.speaks(GREETING, 0.4, 4.0)

        async def runs_out() -> None:
            await asyncio.sleep(6.0)
            assert scene.call is not None
            scene.call.finish("That is all.", "no credits")

        await scene.hold(runs_out)
        assert scene.voice.spoken == [LEFT, "That is all."]
        assert scene.call is not None
        assert scene.call.hung_up == "no credits"
        assert scene.outcome == "machine"

    play(main)


@pytest.mark.parametrize("after", [0.1, 1.0, 3.0, 5.3, 6.0])
def test_cancelling_leaves_nothing_running(after: float) -> None:
    async def main() -> None:
        scene = Scene(on_machine="leave_message", message=MESSAGE)
        scene.callee.speaks(GREETING, 0.4, 4.0)
        scene.callee.sounds(tone([1000], 0.5), 5.0)
        holding = asyncio.create_task(scene.hold())
        await asyncio.sleep(after)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    play(main)
