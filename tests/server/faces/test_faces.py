"""The faces of a server: whose there are, how they are opened, what their posters show."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from media.avatar.pack import save_pack
from server.faces.faces import Faces
from server.faces.options import FaceOptions
from server.faces.renderers import checksum, open_renderer
from server.settings import Settings
from tests.media.avatar.faces import drawn_pack
from tests.media.avatar.networks import tiny_wav2lip
from tests.peers.webrtc_caller import calling
from tests.server.browser.serving import KEY, serving
from tests.server.faces.test_live import Line


@asynccontextmanager
async def opened(folder: Path, options: FaceOptions | None = None) -> AsyncIterator[Faces]:
    """Faces of users' packs, which lie in `folder` under their agents' names."""

    def packs(agent_id: str) -> Path | None:
        return folder / agent_id if (folder / agent_id).is_dir() else None

    faces = Faces(options or FaceOptions(folder / "cache"), packs=packs)
    await faces.start({})
    try:
        yield faces
    finally:
        await faces.close()


async def test_a_pack_that_comes_later_is_seen_in_the_next_session(tmp_path: Path) -> None:
    async with opened(tmp_path) as faces:
        assert faces.open("anna", Line()) is None
        assert await faces.poster("anna") is None
        save_pack(drawn_pack(), tmp_path / "anna")
        line = Line()
        face = faces.open("anna", line)
        assert face is not None
        at, picture = 0.0, None
        while picture is None:
            await asyncio.sleep(0.01)
            picture, at = await face.frame_at(at), at + 0.04
        seen = picture.to_ndarray(format="rgb24")
        assert np.abs(seen[300:, :60].astype(int) - drawn_pack().portrait[300:, :60]).mean() < 6
        await face.close()


async def test_a_poster_shows_the_face_and_its_name_changes_with_it(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "anna")
    async with opened(tmp_path) as faces:
        poster = await faces.poster("anna")
        assert poster is not None
        assert poster.tag == faces.poster_tag("anna")
        with Image.open(io.BytesIO(poster.data)) as image:
            assert (image.format, image.size) == ("WEBP", (512, 512))
            shown = np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(shown[:100] - drawn_pack().portrait[:100]).mean() < 5
        assert await faces.poster("anna") is poster
        save_pack(drawn_pack(parted=3.0), tmp_path / "anna")
        assert faces.poster_tag("anna") != poster.tag


async def test_a_damaged_pack_has_no_poster_and_its_session_goes_on_without_a_face(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "anna")
    (tmp_path / "anna" / "portrait.png").write_bytes(b"no picture")
    async with opened(tmp_path) as faces:
        assert await faces.poster("anna") is None
        (tmp_path / "anna" / "manifest.json").write_text("{}")
        assert faces.poster_tag("anna") is None
        line = Line()
        face = faces.open("anna", line)
        assert face is not None
        while not line.states:
            await asyncio.sleep(0.01)
        assert line.states == ["unavailable"]
        assert await face.frame_at(0.0) is None
        await face.close()


async def test_closed_faces_show_nothing_more(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "anna")
    async with opened(tmp_path) as faces:
        await faces.poster("anna")
        await faces.close()
        assert faces.open("anna", Line()) is None
        assert await faces.poster("anna") is None


def lip_sync(tmp_path: Path, **options: str) -> FaceOptions:
    weights = tiny_wav2lip(tmp_path / "tiny.onnx")
    return FaceOptions(tmp_path, renderer="wav2lip", weights=weights, checksum=options.get("checksum", ""))


async def test_a_network_draws_where_its_weights_are_those_that_were_named(tmp_path: Path) -> None:
    options = lip_sync(tmp_path)
    assert options.weights is not None
    right = hashlib.sha256(options.weights.read_bytes()).hexdigest().upper()
    for given in ("", right):
        renderer = await open_renderer(replace(options, checksum=given))
        assert renderer.name == "wav2lip"
        renderer.close()


async def test_with_other_weights_or_none_the_puppet_draws(tmp_path: Path) -> None:
    options = lip_sync(tmp_path)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    for wrong in (
        replace(options, checksum="0" * 64),
        replace(options, weights=tmp_path / "missing.onnx"),
        replace(options, weights=None),
        replace(options, weights=broken),
        replace(options, renderer="musetalk"),
    ):
        renderer = await open_renderer(wrong)
        assert renderer.name == "puppet"
        renderer.close()


async def test_a_session_is_told_that_the_puppet_stands_in_for_the_network(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "anna")
    async with opened(tmp_path, replace(lip_sync(tmp_path), checksum="0" * 64)) as faces:
        line = Line()
        face = faces.open("anna", line)
        assert face is not None
        while not line.states:
            await asyncio.sleep(0.01)
        status = line.events[-1][1]
        assert (status["state"], status["renderer"], status["fallback"]) == ("ready", "puppet", True)
        await face.close()


async def test_a_network_paints_the_mouth_of_a_live_face_while_it_speaks(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "anna")
    async with opened(tmp_path, lip_sync(tmp_path)) as faces:
        line = Line()
        line.say("ɑː", 3.0, np.sin(np.arange(72_000) / 20).astype(np.float32))
        face = faces.open("anna", line)
        assert face is not None
        while not line.states:
            await asyncio.sleep(0.01)
        quiet = await face.frame_at(0.0)
        line.begins = 0.1
        loud = await face.frame_at(1.0)
        assert quiet is not None
        assert loud is not None
        assert line.events[0][1]["renderer"] == "wav2lip"
        around = (slice(270, 340), slice(200, 310))
        change = quiet.to_ndarray(format="rgb24")[around].astype(int) - loud.to_ndarray(format="rgb24")[around]
        assert np.abs(change).mean() > 2.0
        await face.close()


@pytest.mark.slow
async def test_twenty_sessions_with_a_face_one_after_another_leave_nothing_behind(tmp_path: Path) -> None:
    save_pack(drawn_pack(), tmp_path / "demo")

    def threads() -> list[str]:  # but for the loop's own pool, which grows to its bound where the machine is slow
        return sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_"))

    def held() -> tuple[int, int, int]:
        gc.collect()
        return len(threads()), len(asyncio.all_tasks()), psutil.Process().num_fds()

    async with opened(tmp_path) as faces, serving(faces=faces.open, within=120.0) as server:

        async def one() -> None:
            async with calling(server.url, key=KEY, video=True) as caller:
                session = await server.factory.sessions.get()
                session.say(0.1)
                while len(caller.pictures) < 3:
                    await caller.news()
            await session.over.wait()
            while len(server.endpoints._calls):
                await asyncio.sleep(0.005)
            server.factory.made.clear()

        for _ in range(3):
            await one()
        before = held()
        for _ in range(20):
            await one()
        for _ in range(20):  # each look through everything takes a second where the machine is slow
            if all(now <= then for now, then in zip(held(), before, strict=True)):
                break
            await asyncio.sleep(0.1)
        after = held()
        assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after, threads())


def test_the_checksum_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "b.onnx").write_bytes(b"bbb")
    (tmp_path / "a.onnx").write_bytes(b"aaa")
    lines = "".join(f"{hashlib.sha256(name[0].encode() * 3).hexdigest()}  {name}\n" for name in ("a.onnx", "b.onnx"))
    assert checksum(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()


def test_the_options_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "web": {"frame_rate": 20},
            "avatar": {
                "renderer": "wav2lip",
                "weights": "w.onnx",
                "weights_sha256": "a" * 64,
                "size": 384,
                "threads": 2,
            },
        }
    )
    assert FaceOptions.of(settings) == FaceOptions(
        tmp_path / "portraits", "wav2lip", Path("w.onnx"), "a" * 64, side=384, frame_rate=20, threads=2
    )
