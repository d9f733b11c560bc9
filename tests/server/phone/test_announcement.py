"""Texts that are spoken on a line by somebody who does not listen; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from media.speech.protocols import SpeechChunk
from server.phone.announcement import Announcement
from tests.agents.session.stage import Line, ToneVoice
from tests.virtual_time import run_virtual

MESSAGE = "Call us back."
SECONDS = 0.05 * len(MESSAGE)


class SlowVoice(ToneVoice):
    """Never speaks."""

    async def synthesise(self, text: str, *, deadline: float, speed: float = 1.0) -> AsyncGenerator[SpeechChunk]:
        await asyncio.sleep(3600)
        yield SpeechChunk(np.zeros(0, np.float32), self.rate, 0, (), (), final=True)


class Scene:
    """An announcement, the line it speaks on, and the voice."""

    def __init__(self, texts: list[str], voice: ToneVoice | None = None, **options: Any) -> None:
        self.line = Line()
        self.voice = voice or ToneVoice()
        self.loop = asyncio.get_running_loop()
        self.announcement = Announcement(self.line, self.voice, texts, **options)
        self.began = self.loop.time()

    async def play(self, *acts: Callable[[], Coroutine[Any, Any, None]]) -> float:
        """Run it, and the acts beside it; returns after how long it ended."""
        wire = asyncio.create_task(self._wire())
        try:
            async with asyncio.timeout(300), asyncio.TaskGroup() as group:
                run = group.create_task(self.announcement.run())
                for act in acts:
                    group.create_task(act())
                await run
                return self.loop.time() - self.began
        finally:
            wire.cancel()

    async def _wire(self) -> None:
        while True:
            playout = self.line.playout
            frame = playout.take(160) if playout is not None else None
            if frame is not None:
                self.line.heard.append((self.loop.time() - self.began, frame.samples))
                self.announcement.heard(frame.end)
            await asyncio.sleep(0.02)

    @property
    def seconds(self) -> float:
        """How long something was heard."""
        return sum(float(np.count_nonzero(samples)) for _, samples in self.line.heard) / 8000

    @property
    def first(self) -> float:
        return self.line.heard[0][0]


def test_the_texts_are_spoken_to_their_end_and_then_it_hangs_up() -> None:
    async def main() -> None:
        scene = Scene([MESSAGE, " ", "Goodbye."], hang_up="message left")
        await scene.play()
        assert scene.line.hung_up == "message left"
        assert scene.announcement.spoken
        assert scene.voice.spoken == [MESSAGE, "Goodbye."]
        assert scene.seconds == pytest.approx(SECONDS + 0.4, abs=0.05)

    run_virtual(main)


def test_without_a_reason_it_returns_and_the_line_stays() -> None:
    async def main() -> None:
        scene = Scene([MESSAGE])
        await scene.play()
        assert scene.line.hung_up is None
        assert scene.announcement.spoken

    run_virtual(main)


def test_it_is_synthesised_ahead_and_waits_for_its_moment() -> None:
    async def main() -> None:
        begin: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        scene = Scene([MESSAGE], begin=begin)

        async def beep() -> None:
            await asyncio.sleep(5.0)
            assert scene.voice.spoken == [MESSAGE]
            assert scene.line.heard == []
            begin.set_result(None)

        await scene.play(beep)
        assert scene.first == pytest.approx(5.0, abs=0.05)

    run_virtual(main)


def test_a_moment_that_never_comes_leaves_the_text_out() -> None:
    async def main() -> None:
        begin: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        scene = Scene([MESSAGE], begin=begin, hang_up="over")
        asyncio.get_running_loop().call_later(1.0, begin.cancel)
        await scene.play()
        assert (scene.line.heard, scene.announcement.spoken, scene.line.hung_up) == ([], False, "over")

    run_virtual(main)


def test_a_beep_that_comes_late_makes_it_begin_again() -> None:
    async def main() -> None:
        scene = Scene([MESSAGE], hang_up="message left")

        async def beep() -> None:
            scene.announcement.again()  # nothing was said yet
            await asyncio.sleep(0.35)
            scene.announcement.again()

        await scene.play(beep)
        assert scene.seconds == pytest.approx(0.3 + SECONDS, abs=0.05)
        assert scene.announcement.spoken
        scene.announcement.again()  # safe after the end

    run_virtual(main)


def test_it_keeps_the_line_until_something_happens_or_it_has_waited_long_enough() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        happens: asyncio.Future[None] = loop.create_future()
        scene = Scene([], until=happens, patience=60.0)
        loop.call_later(7.0, happens.set_result, None)
        assert await scene.play() == pytest.approx(7.0, abs=0.05)
        never: asyncio.Future[None] = loop.create_future()
        assert await Scene([], until=never, patience=60.0).play() == pytest.approx(60.0, abs=0.05)
        assert not never.cancelled()

    run_virtual(main)


@pytest.mark.parametrize("after", [0.0, 0.01, 0.3, 4.0])
def test_last_words_take_the_place_of_the_text(after: float) -> None:
    async def main() -> None:
        begin: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        scene = Scene([MESSAGE], begin=begin if after == 4.0 else None, hang_up="message left")

        async def end() -> None:
            await asyncio.sleep(after)
            scene.announcement.finish("That is all.", "no credits")
            scene.announcement.finish("Too late.", "again")

        await scene.play(end)
        assert scene.line.hung_up == "no credits"
        assert scene.voice.spoken[-1] == "That is all."
        assert not scene.announcement.spoken

    run_virtual(main)


@pytest.mark.parametrize("voice", [ToneVoice(error=RuntimeError("broken")), SlowVoice()], ids=["broken", "silent"])
def test_with_a_voice_that_fails_last_words_are_left_out_and_it_hangs_up(voice: ToneVoice) -> None:
    async def main() -> None:
        scene = Scene([MESSAGE], voice, until=asyncio.get_running_loop().create_future())
        asyncio.get_running_loop().call_later(1.0, scene.announcement.finish, "That is all.", "no credits")
        assert await scene.play() < 20.0
        assert (scene.line.hung_up, scene.line.heard) == ("no credits", [])

    run_virtual(main)


def test_a_voice_that_fails_leaves_no_message() -> None:
    async def main() -> None:
        scene = Scene([MESSAGE], ToneVoice(error=RuntimeError("broken")), hang_up="over")
        await scene.play()
        assert (scene.announcement.spoken, scene.line.hung_up) == (False, "over")

    run_virtual(main)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.2])
def test_when_the_line_is_gone_it_ends_at_once(after: float) -> None:
    async def main() -> None:
        scene = Scene([MESSAGE], hang_up="message left")
        asyncio.get_running_loop().call_later(after, scene.announcement.caller_left, "gone")
        assert await scene.play() == pytest.approx(after, abs=0.03)
        assert scene.line.hung_up is None
        assert len(asyncio.all_tasks()) <= 2  # this one, and the wire that is being cancelled

    run_virtual(main)


@pytest.mark.parametrize("steps", range(8))
def test_it_can_be_cancelled_at_any_point_and_leaves_nothing_running(steps: int) -> None:
    async def main() -> None:
        scene = Scene([MESSAGE])
        run = asyncio.create_task(scene.announcement.run())
        for _ in range(steps):
            await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main)
