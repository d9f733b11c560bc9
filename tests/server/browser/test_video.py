from __future__ import annotations

import asyncio

import av
import numpy as np

from server.browser.ice import wants_video
from server.browser.video import LEVELS, LoadGovernor, SpeechTimeline, VideoSource
from tests.peers.webrtc_caller import RATE, calling
from tests.server.browser.serving import KEY, serving


class Lamp:
    """A face that is white while speech sounds, and black in silence."""

    def __init__(self, timeline: SpeechTimeline, *, seconds: float = 0.0) -> None:
        self.timeline = timeline
        self.times: list[float] = []
        self.closed = False
        self.seconds = seconds

    async def frame_at(self, time: float) -> av.VideoFrame | None:
        self.times.append(time)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        light = 16 if self.timeline.position_at(time) is None else 235
        frame = av.VideoFrame.from_ndarray(np.full((192, 128), light, np.uint8), format="gray")
        return frame.reformat(format="yuv420p")

    async def close(self) -> None:
        self.closed = True


async def test_picture_and_sound_of_the_same_moment_carry_the_same_time() -> None:
    lamps: list[Lamp] = []

    def faces(agent_id: str, timeline: SpeechTimeline) -> VideoSource | None:
        assert agent_id == "demo"
        lamps.append(Lamp(timeline))
        return lamps[0]

    async with serving(faces=faces) as server:
        async with calling(server.url, key=KEY, video=True) as caller:
            session = await server.factory.sessions.get()
            await caller.event("ready")
            while len(caller.pictures) < 5:
                await caller.news()
            session.say(1.0)
            await session.heard_all.wait()
            await caller.listen(0.3)
            loud = [h.pts / RATE for h in caller.heard if h.level > 0.1]
            white = [pts for _, pts, frame in caller.pictures if frame.to_ndarray(format="gray").mean() > 128]
        # Both streams' times begin at their first packets, which belong to the same media time within a frame.
        assert abs(loud[0] - white[0]) < 0.08
        assert abs(loud[-1] - white[-1]) < 0.08
        assert len(white) >= 15
        assert lamps[0].times == sorted(set(lamps[0].times))
    assert lamps[0].closed


async def test_a_caller_that_shows_only_h264_gets_it() -> None:
    async with (
        serving(faces=lambda _agent, timeline: Lamp(timeline)) as server,
        calling(server.url, key=KEY, video=True, codec="h264") as caller,
    ):
        session = await server.factory.sessions.get()
        session.say(1.0)
        while len(caller.pictures) < 30:
            await caller.news()
        lights = [frame.to_ndarray(format="gray").mean() for _, _, frame in caller.pictures]
        assert min(lights) < 30
        assert max(lights) > 220


async def test_for_a_caller_that_shows_no_pictures_no_face_is_made() -> None:
    made: list[str] = []

    def faces(agent_id: str, timeline: SpeechTimeline) -> VideoSource | None:
        made.append(agent_id)
        return Lamp(timeline)

    async with serving(faces=faces) as server, calling(server.url, key=KEY):
        session = await server.factory.sessions.get()
        await session.until(0.3)
        assert made == []


def test_pictures_are_wanted_where_they_are_offered_and_not_only_sent() -> None:
    voice = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\n"
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n"
    assert not wants_video(voice)
    assert wants_video(voice + video)
    assert wants_video(voice + video + "a=recvonly\r\n")
    assert wants_video(video + "a=sendonly\r\n" + video + "a=sendrecv\r\n")
    assert not wants_video(voice + video + "a=sendonly\r\n")
    assert not wants_video(voice + video + "a=inactive\r\n")
    assert not wants_video(voice + video.replace(" 9 ", " 0 "))


async def test_an_agent_without_a_face_sends_no_video() -> None:
    async with (
        serving(faces=lambda _agent, _timeline: None) as server,
        calling(server.url, key=KEY, video=True) as caller,
    ):
        session = await server.factory.sessions.get()
        await session.until(0.3)
        assert caller.pictures == []


async def test_a_slow_face_leaves_pictures_out_and_the_voice_whole() -> None:
    async with (
        serving(faces=lambda _agent, timeline: Lamp(timeline, seconds=0.1)) as server,
        calling(server.url, key=KEY, video=True) as caller,
    ):
        session = await server.factory.sessions.get()
        session.say(3.0)
        assert (await caller.event("video"))["level"] == "fewer frames"
        await session.heard_all.wait()
        await caller.listen(0.2)
        assert abs(sum(h.level > 0.1 for h in caller.heard) * 0.02 - 3.0) < 0.1


def test_under_load_frames_go_first_then_size_then_all_and_they_come_back() -> None:
    governor = LoadGovernor()
    seen, now = [governor.level.name], 0.0
    for late in [1] * 400 + [0] * 2000:
        now += 0.04
        if governor.note(now, late=late):
            seen.append(governor.level.name)
    names = [level.name for level in LEVELS]
    assert seen == [*names, *reversed(names[:-1])]


def test_what_happens_while_a_session_is_joined_is_not_held_against_it() -> None:
    governor = LoadGovernor()
    assert not any(governor.note(n * 0.04, late=int(n < 35)) for n in range(400))


def test_a_few_late_pictures_change_nothing() -> None:
    governor = LoadGovernor()
    assert not any(governor.note(n * 0.04, late=int(n % 10 == 0)) for n in range(1000))
