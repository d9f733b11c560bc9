"""A session's face: pictures when there are any, none when they are late, and never an end to the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from media.audio.frames import Samples
from media.audio.playout import Playout
from media.avatar.driver import CLOSING
from media.avatar.pack import AvatarPack
from media.avatar.renderer import I420, Avatar, Frame, Hearing, Moment
from media.avatar.visemes import openness
from media.speech.protocols import SpeechChunk, SpokenPhoneme
from media.worker import ModelWorker, WorkerClosed, WorkerFull
from server.faces.live import LATE, LiveFace, Studio
from tests.media.avatar.faces import drawn_pack
from tests.virtual_time import run_virtual

RATE = 24_000
PERIOD = 0.04


class Sketch:
    """Implements `Avatar`."""

    pack: AvatarPack = drawn_pack()


class Painter:
    """Implements `Renderer`: paints nothing, keeps what it was asked for, and is as slow or broken as it is told."""

    def __init__(self, name: str = "puppet", hears: Hearing | None = None) -> None:
        self.name = name
        self.hears = hears or Hearing()
        self.moments: list[Moment] = []
        self.seconds = 0.0
        self.error: Exception | None = None
        self.workers: list[ModelWorker] = []

    async def prepare(self, pack: AvatarPack) -> Avatar:
        return Sketch()

    async def render(self, avatar: Avatar, moment: Moment, *, deadline: float) -> Frame:
        self.moments.append(moment)
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return Frame(np.zeros(I420, np.uint8))

    def close(self) -> None:
        """Nothing to stop."""


class Line:
    """Implements `SpeechTimeline`; speech sounds from media time `begins` on, until `stopped`."""

    rate = RATE

    def __init__(self) -> None:
        self.playout: Playout | None = Playout(RATE)
        self.begins: float | None = None
        self.events: list[tuple[str, dict[str, object]]] = []
        self._observers: list[Callable[[str, Mapping[str, object]], None]] = []

    def position_at(self, media_time: float) -> int | None:
        if self.begins is None or media_time < self.begins:
            return None
        return round((media_time - self.begins) * RATE)

    def observe(self, observer: Callable[[str, Mapping[str, object]], None]) -> None:
        self._observers.append(observer)

    def notify(self, event: str, data: dict[str, object]) -> None:
        self.events.append((event, data))
        for observer in self._observers:
            observer(event, data)

    def say(self, sound: str, seconds: float, samples: Samples | None = None) -> None:
        assert self.playout is not None
        count = round(seconds * RATE)
        phoneme = SpokenPhoneme(sound, 0, count)
        quiet = np.zeros(count, np.float32)
        chunk = SpeechChunk(quiet if samples is None else samples, RATE, 0, (), (phoneme,), final=True)
        self.playout.append(1, "ah", chunk)

    @property
    def states(self) -> list[object]:
        return [data["state"] for event, data in self.events if event == "avatar"]


class Scene:
    """A live face in virtual time."""

    def __init__(self, painter: Painter | None = None, *, asked: str = "puppet", side: int = 512) -> None:
        self.painter = painter or Painter()
        self.line = Line()
        self.problem: Exception | None = None
        self.prepared = asyncio.Event()
        self.prepared.set()
        self.face = LiveFace(Studio(self.painter, asked, side, PERIOD), self._avatar, self.line, seed=1)
        self.at = 0.0

    async def _avatar(self) -> Avatar:
        await self.prepared.wait()
        if self.problem is not None:
            raise self.problem
        return Sketch()

    async def frames(self, count: int) -> int:
        """Ask for so many frames; returns how many were shown."""
        shown = 0
        for _ in range(count):
            await asyncio.sleep(0)
            shown += await self.face.frame_at(self.at) is not None
            self.at += PERIOD
        return shown


def test_the_first_picture_is_there_as_soon_as_the_avatar_is() -> None:
    async def main() -> None:
        scene = Scene()
        scene.prepared.clear()
        assert await scene.frames(3) == 0
        assert scene.line.states == []
        scene.prepared.set()
        await asyncio.sleep(0)
        assert await scene.frames(3) == 3
        assert scene.line.events[0] == (
            "avatar",
            {"state": "ready", "mood": "idle", "renderer": "puppet", "fallback": False},
        )
        await scene.face.close()

    run_virtual(main)


def test_the_mouth_opens_while_a_vowel_sounds_and_closes_when_it_is_cut() -> None:
    async def main() -> None:
        scene = Scene()
        scene.line.say("ɑː", 10.0)
        scene.line.begins = 0.4
        await scene.frames(30)
        openings = [openness(moment.face.mouth) for moment in scene.painter.moments]
        assert max(openings[:9]) < 0.01
        assert min(openings[14:]) > 0.5
        scene.line.begins = None
        await scene.frames(int(CLOSING / PERIOD) + 1)
        assert openness(scene.painter.moments[-1].face.mouth) < 0.01
        await scene.face.close()

    run_virtual(main)


def test_the_client_is_told_how_the_face_feels() -> None:
    async def main() -> None:
        scene = Scene()
        for state in ("listening", "thinking", "speaking"):
            scene.line.notify("state", {"state": state})
            await scene.frames(3)
        moods = [data["mood"] for event, data in scene.line.events if event == "avatar"]
        assert moods == ["idle", "listening", "thinking", "speaking"]
        await scene.face.close()

    run_virtual(main)


def test_a_picture_that_is_late_is_left_out_and_the_next_one_is_drawn() -> None:
    async def main() -> None:
        scene = Scene()
        loop = asyncio.get_running_loop()
        await scene.frames(2)
        scene.painter.seconds, began = 60.0, loop.time()
        assert await scene.frames(1) == 0
        assert loop.time() - began == pytest.approx(LATE * PERIOD)
        scene.painter.seconds = 0.0
        assert await scene.frames(2) == 2
        assert scene.face.missed == 1
        await scene.face.close()

    run_virtual(main)


@pytest.mark.parametrize("error", [WorkerFull("puppet"), WorkerClosed("puppet")])
def test_a_machine_that_is_behind_drops_pictures_and_keeps_the_face(error: Exception) -> None:
    async def main() -> None:
        scene = Scene()
        scene.painter.error = error
        assert await scene.frames(20) == 0
        scene.painter.error = None
        assert await scene.frames(2) == 2
        assert scene.line.states == ["ready"]
        await scene.face.close()

    run_virtual(main)


def test_a_renderer_that_is_broken_takes_the_face_off_and_nothing_else() -> None:
    async def main() -> None:
        scene = Scene()
        await scene.frames(1)
        scene.painter.error = ZeroDivisionError("broken")
        assert await scene.frames(2) == 0
        assert scene.line.states == ["ready"]
        assert await scene.frames(2) == 0
        assert scene.line.states == ["ready", "unavailable"]
        drawn = len(scene.painter.moments)
        await scene.frames(5)
        assert len(scene.painter.moments) == drawn
        await scene.face.close()

    run_virtual(main)


def test_an_avatar_that_cannot_be_prepared_is_said_to_be_unavailable() -> None:
    async def main() -> None:
        scene = Scene()
        scene.problem = OSError("/srv/secret: no such file")
        assert await scene.frames(3) == 0
        assert scene.line.states == ["unavailable"]
        assert "secret" not in str(scene.line.events)
        await scene.face.close()

    run_virtual(main)


def test_a_network_hears_the_sound_around_each_picture_and_nothing_in_silence() -> None:
    async def main() -> None:
        scene = Scene(Painter("wav2lip", Hearing(before=0.1, after=0.2)), asked="wav2lip")
        tone = np.sin(2 * np.pi * 300 * np.arange(5 * RATE) / RATE).astype(np.float32)
        scene.line.say("ɑː", 5.0, tone)
        scene.line.begins = 1.0
        await scene.frames(75)
        before, during = scene.painter.moments[5], scene.painter.moments[60]
        assert before.sound is None
        assert during.sound is not None
        assert len(during.sound) == pytest.approx(0.3 * 16_000, abs=1)
        assert float(np.sqrt(np.mean(during.sound**2))) == pytest.approx(np.sqrt(0.5), abs=0.02)
        await scene.face.close()

    run_virtual(main)


def test_a_network_that_was_given_up_is_said_to_be_so() -> None:
    async def main() -> None:
        scene = Scene(Painter("wav2lip"), asked="wav2lip")
        await scene.frames(2)
        scene.painter.name = "puppet"
        await scene.frames(2)
        told = [(d["renderer"], d["fallback"]) for event, d in scene.line.events if event == "avatar"]
        assert told == [("wav2lip", False), ("puppet", True)]
        await scene.face.close()

    run_virtual(main)


def test_pictures_have_the_size_that_is_asked_for() -> None:
    async def main() -> None:
        scene = Scene(side=384)
        await scene.frames(1)
        picture = await scene.face.frame_at(scene.at)
        assert picture is not None
        assert (picture.width, picture.height, picture.format.name) == (384, 384, "yuv420p")
        await scene.face.close()

    run_virtual(main)


def test_a_session_that_ends_before_its_face_is_ready_leaves_nothing_behind() -> None:
    async def main() -> None:
        scene = Scene()
        scene.prepared.clear()
        await scene.frames(1)
        await scene.face.close()
        await scene.face.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await scene.frames(1) == 0

    run_virtual(main)
