"""Live faces with the real voice and the real landmarker, as a caller receives them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.definition import AgentError
from media.avatar.assets import DEMO_PORTRAIT
from media.avatar.landmarks import MODEL, FaceLandmarker
from media.models import model_dir
from media.speech.protocols import SpeechChunk
from media.speech.synthesis import VoiceRegistry
from media.worker import ModelWorker
from server.faces.faces import Faces
from server.faces.options import FaceOptions
from server.faces.portraits import enrol_portraits
from tests.media.avatar.faces import PORTRAITS
from tests.media.avatar.sync import SHUT, gaps
from tests.peers.face_reader import Spoken, mouth_shut, rgb, sync_of
from tests.peers.webrtc_caller import WebRtcCaller, calling
from tests.server.browser.fakes import FakeSession
from tests.server.browser.serving import KEY, Server, serving

pytestmark = pytest.mark.models

TEXT = "My name is Mira. Maybe you would prefer a warm place by the window? Both of the big tables are free on Monday."


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(model_dir(MODEL))


@pytest.fixture
async def speech() -> list[SpeechChunk]:
    worker = ModelWorker("voice")
    try:
        voice = VoiceRegistry(worker, deterministic=True).open()
        return [chunk async for chunk in voice.synthesise(TEXT, deadline=0.0)]
    finally:
        worker.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    faces = Faces(FaceOptions(tmp_path))
    await faces.start({"demo": DEMO_PORTRAIT})
    try:
        async with serving(faces=faces.open, within=180.0) as running:
            yield running
    finally:
        await faces.close()


def spoken(chunks: list[SpeechChunk]) -> Spoken:
    rate = chunks[0].rate
    phonemes = [(p.phoneme, p.start / rate, p.end / rate) for chunk in chunks for p in chunk.phonemes]
    return Spoken(np.concatenate([chunk.samples for chunk in chunks]), rate, phonemes)


def say(session: FakeSession, chunks: list[SpeechChunk]) -> None:
    session.heard_all.clear()
    session.link.notify("state", {"state": "speaking"})
    for chunk in chunks:
        session.playout.append(1, TEXT, chunk)


async def watched(caller: WebRtcCaller, server: Server, chunks: list[SpeechChunk]) -> None:
    """The agent says it all, and the reports that tell the streams' times have come."""
    session = await server.factory.sessions.get()
    while len(caller.pictures) < 10:
        await caller.news()
    say(session, chunks)
    await session.heard_all.wait()
    await caller.listen(1.0)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_the_mouth_a_caller_sees_follows_the_voice_it_hears(
    codec: str, server: Server, speech: list[SpeechChunk], landmarker: FaceLandmarker
) -> None:
    async with calling(server.url, key=KEY, video=True, codec=codec) as caller:
        await watched(caller, server, speech)
        sync = sync_of(caller, spoken(speech), landmarker)
    # Rough bounds that a busy machine keeps; tests/bench/faces.py measures.
    assert abs(sync.lag) < 0.12
    assert sync.correlation > 0.6
    assert np.mean(sync.openings) > 0.12


async def test_a_mouth_that_is_interrupted_closes_and_stays_shut(
    server: Server, speech: list[SpeechChunk], landmarker: FaceLandmarker
) -> None:
    async with calling(server.url, key=KEY, video=True) as caller:
        session = await server.factory.sessions.get()
        say(session, speech)
        since = asyncio.get_running_loop().time()
        await caller.until_audible(since)
        await caller.listen(2.0)
        asked = asyncio.get_running_loop().time()
        session.interrupt()
        session.link.notify("state", {"state": "listening"})
        await caller.listen(3.0)
        shown = gaps((rgb(frame) for at, _, frame in caller.pictures if since < at < asked), landmarker)
        assert shown.max() > 3 * SHUT
        assert mouth_shut(caller, asked, landmarker, until=asked + 10.0) is not None


async def test_a_caller_without_video_gets_none_and_nothing_is_drawn(server: Server) -> None:
    async with calling(server.url, key=KEY) as caller:
        session = await server.factory.sessions.get()
        await session.until(1.0)
        assert caller.pictures == []
        assert not [event for event in caller.events if event["type"] == "avatar"]


def test_a_portrait_is_enrolled_once_and_a_damaged_one_again(tmp_path: Path) -> None:
    first = enrol_portraits({"demo": DEMO_PORTRAIT, "other": DEMO_PORTRAIT}, tmp_path)
    (folder,) = tmp_path.iterdir()
    written = (folder / "portrait.png").stat().st_mtime_ns
    assert enrol_portraits({"demo": DEMO_PORTRAIT}, tmp_path)["demo"].digest == first["other"].digest
    assert (folder / "portrait.png").stat().st_mtime_ns == written
    (folder / "portrait.png").write_bytes(b"damaged")
    assert enrol_portraits({"demo": DEMO_PORTRAIT}, tmp_path)["demo"].digest == first["demo"].digest


def blank(path: Path) -> Path:
    buffer = io.BytesIO()
    Image.new("RGB", (600, 600), (90, 120, 150)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    return path


def test_a_portrait_that_cannot_speak_is_named_with_what_would_help(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"agent anna: avatar: .*wall\.png: No face was found"):
        enrol_portraits({"anna": blank(tmp_path / "wall.png")}, tmp_path / "cache")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(AgentError, match=r"agent anna: avatar: .*text\.jpg"):
        enrol_portraits({"anna": tmp_path / "text.jpg"}, tmp_path / "cache")
    with pytest.raises(AgentError, match=r"agent anna: avatar: .*none\.jpg"):
        enrol_portraits({"anna": tmp_path / "none.jpg"}, tmp_path / "cache")


def test_a_photograph_becomes_an_agents_face(tmp_path: Path) -> None:
    pack = enrol_portraits({"grace": PORTRAITS / "grace_hopper.jpg"}, tmp_path)["grace"]
    assert pack.portrait.shape == (512, 512, 3)
