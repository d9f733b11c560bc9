from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from media.audio.frames import SPEECH_RATE, Samples
from media.avatar.errors import NetworkInvalid
from media.avatar.face import FaceState
from media.avatar.landmarks import Picture
from media.avatar.neural import ADAPTERS, LipSyncAdapter, NeuralRenderer, open_adapter
from media.avatar.neural.adapter import Array, PreparedFace, laid_back
from media.avatar.neural.mel import wav2lip_mel
from media.avatar.neural.renderer import NeuralAvatar
from media.avatar.neural.ultralight import Ultralight
from media.avatar.neural.wav2lip import Wav2Lip
from media.avatar.renderer import Moment, PuppetAvatar
from media.worker import WorkerClosed, WorkerFull
from tests.media.avatar.faces import drawn_pack
from tests.media.avatar.networks import tiny_musetalk, tiny_ultralight, tiny_wav2lip

PACK = drawn_pack()
MAKERS: dict[str, Callable[[Path], Path]] = {
    "wav2lip": lambda folder: tiny_wav2lip(folder / "wav2lip.onnx"),
    "ultralight": lambda folder: tiny_ultralight(folder / "ultralight"),
    "musetalk": lambda folder: tiny_musetalk(folder / "musetalk"),
}


def tone(adapter: LipSyncAdapter, size: float) -> Samples:
    count = round((adapter.hears.before + adapter.hears.after) * SPEECH_RATE)
    return (size * np.sin(np.arange(count) * 2 * np.pi * 300 / SPEECH_RATE)).astype(np.float32)


@pytest.fixture(params=sorted(MAKERS))
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> LipSyncAdapter:
    return open_adapter(request.param, MAKERS[request.param](tmp_path))


def test_every_adapter_has_a_tiny_network_to_test_it() -> None:
    assert set(MAKERS) == set(ADAPTERS)


def test_the_network_repaints_the_mouth_and_nothing_else(adapter: LipSyncAdapter) -> None:
    face = adapter.prepare(PACK)
    windows = adapter.audio_windows([tone(adapter, size) for size in (0.0, 0.9)])
    quiet, loud = adapter.infer([(face, window) for window in windows])
    assert loud.mean() > quiet.mean() + 3  # the sound reached the network, each frame its own
    layer = laid_back(PACK, face, loud)
    changed = np.abs(layer[..., :3].astype(int) - PACK.portrait).max(-1)
    assert changed[300:320, 240:272].max() > 3
    assert changed[:235].max() == 0  # eyes and brows are the puppet's
    assert changed[:, : face.left].max() == 0


def test_a_batch_gives_what_single_frames_give(adapter: LipSyncAdapter) -> None:
    other = drawn_pack(parted=12.0)
    faces = [adapter.prepare(pack) for pack in (PACK, other, PACK)]
    sounds = [tone(adapter, size) for size in (0.1, 0.5, 0.2)]
    windows = adapter.audio_windows(sounds)
    for sound, window in zip(sounds, windows, strict=True):
        assert np.allclose(adapter.audio_windows([sound])[0], window, atol=1e-6)
    frames = list(zip(faces, windows, strict=True))
    together = adapter.infer(frames)
    for frame, painted in zip(frames, together, strict=True):
        assert np.array_equal(adapter.infer([frame])[0], painted)


@pytest.mark.parametrize("size", [96, 256, 384])
def test_the_size_of_a_wav2lip_is_read_from_its_file(size: int, tmp_path: Path) -> None:
    adapter = Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx", size))
    face = adapter.prepare(PACK)
    assert face.inputs["face"].shape == (6, size, size)
    assert not face.inputs["face"][:3, size // 2 :].any()  # masked first, then the reference
    assert face.inputs["face"][3:, size // 2 :].any()


def test_networks_of_other_shapes_are_refused_at_load(tmp_path: Path) -> None:
    with pytest.raises(NetworkInvalid, match="one input of shape any × 1 × 80 × 16"):
        Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx", mel=64))
    with pytest.raises(NetworkInvalid, match="gives 100 values"):
        Ultralight(tiny_ultralight(tmp_path / "u", values=100))
    (tmp_path / "x.onnx").write_bytes(b"no network")
    with pytest.raises(NetworkInvalid, match="cannot be loaded"):
        Wav2Lip(tmp_path / "x.onnx")
    with pytest.raises(NetworkInvalid, match="not at"):
        open_adapter("wav2lip", tmp_path / "nowhere.onnx")
    with pytest.raises(NetworkInvalid, match="there are: wav2lip"):
        open_adapter("hologram", tmp_path)


def test_both_kinds_of_speech_features_fit_ultralight(tmp_path: Path) -> None:
    wenet = Ultralight(tiny_ultralight(tmp_path / "w", audio=(128, 16, 32), values=65536))
    assert wenet.audio_windows([tone(wenet, 0.1)])[0].shape == (128, 16, 32)


def test_the_mel_of_a_tone_peaks_at_its_band_and_silence_is_the_floor() -> None:
    assert (wav2lip_mel(np.zeros(8000, np.float32), 16) == -4.0).all()
    low, high = (
        wav2lip_mel((0.5 * np.sin(np.arange(8000) * 2 * np.pi * f / 16000)).astype(np.float32), 16).mean(1).argmax()
        for f in (300, 3000)
    )
    assert low < 12 < 40 < high


class Broken:
    """An adapter whose provider fails after `good` inferences."""

    def __init__(self, adapter: LipSyncAdapter, good: int) -> None:
        self._adapter, self._good = adapter, good
        self.name, self.hears = adapter.name, adapter.hears
        self.prepare, self.audio_windows = adapter.prepare, adapter.audio_windows

    def infer(self, batch: Sequence[tuple[PreparedFace, Array]]) -> list[Picture]:
        self._good -= 1
        if self._good < 0:
            raise RuntimeError("CUDA error 700")
        return self._adapter.infer(batch)


async def test_frames_of_all_sessions_go_into_one_inference(tmp_path: Path) -> None:
    adapter = Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx"))
    renderer = NeuralRenderer(adapter, most=8)
    try:
        one, other = await renderer.prepare(PACK), await renderer.prepare(drawn_pack(parted=12.0))
        assert isinstance(one, NeuralAvatar)
        moment = Moment(FaceState(yaw=0.05), tone(adapter, 0.3))
        frames = await asyncio.gather(
            *(renderer.render(one if k % 2 else other, moment, deadline=float(k)) for k in range(12))
        )
        assert sum(renderer.batches) == 12
        assert renderer.batches[0] == 8
        assert np.array_equal(frames[1].i420, frames[3].i420)
        assert not np.array_equal(frames[0].i420, frames[1].i420)
        assert renderer.name == "wav2lip"
    finally:
        renderer.close()


class Slow(Broken):
    """An adapter whose inferences take until they are let go; keeps the faces of each."""

    def __init__(self, adapter: LipSyncAdapter) -> None:
        super().__init__(adapter, good=1000)
        self.go, self.begun = threading.Semaphore(0), asyncio.Event()
        self.faces: list[list[PreparedFace]] = []
        self._loop = asyncio.get_running_loop()

    def infer(self, batch: Sequence[tuple[PreparedFace, Array]]) -> list[Picture]:
        self.faces.append([face for face, _ in batch])
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.go.acquire(timeout=10)
        return super().infer(batch)


async def test_sessions_that_wait_for_an_inference_share_the_next_the_most_urgent_first(tmp_path: Path) -> None:
    slow = Slow(Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx")))
    renderer = NeuralRenderer(slow, most=4)
    try:
        avatars = [await renderer.prepare(drawn_pack(parted=float(k))) for k in range(7)]
        moment = Moment(FaceState(), tone(slow, 0.3))
        first = asyncio.create_task(renderer.render(avatars[0], moment, deadline=0.0))
        await slow.begun.wait()
        others = [asyncio.create_task(renderer.render(avatars[k], moment, deadline=9.0 - k)) for k in range(1, 7)]
        await asyncio.sleep(0)
        for _ in range(3):
            slow.go.release()
        await asyncio.gather(first, *others)
        assert renderer.batches == [1, 4, 2]
        faces = [avatar.face for avatar in avatars if isinstance(avatar, NeuralAvatar)]
        assert slow.faces == [[faces[0]], [faces[6], faces[5], faces[4], faces[3]], [faces[2], faces[1]]]
    finally:
        slow.go.release(100)
        renderer.close()


async def test_in_silence_the_puppet_draws_alone(tmp_path: Path) -> None:
    renderer = NeuralRenderer(Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx")))
    try:
        avatar = await renderer.prepare(PACK)
        await renderer.render(avatar, Moment(FaceState()), deadline=0.0)
        await renderer.render(avatar, Moment(FaceState(), np.zeros(4000, np.float32)), deadline=0.0)
        assert renderer.batches == []
    finally:
        renderer.close()


async def test_a_provider_that_fails_is_given_up_and_the_puppet_draws_on(tmp_path: Path) -> None:
    adapter = Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx"))
    renderer = NeuralRenderer(Broken(adapter, good=1))
    try:
        avatar = await renderer.prepare(PACK)
        moment = Moment(FaceState(), tone(adapter, 0.3))
        frames = [await renderer.render(avatar, moment, deadline=0.0) for _ in range(6)]
        assert all(frame.i420[:512].mean() > 60 for frame in frames)  # never black
        assert renderer.fallen_back == "wav2lip: CUDA error 700"
        assert renderer.name == "puppet"
        assert isinstance(await renderer.prepare(PACK), PuppetAvatar)
    finally:
        renderer.close()


async def test_a_full_inbox_refuses_and_a_closed_renderer_says_so(tmp_path: Path) -> None:
    adapter = Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx"))
    renderer = NeuralRenderer(adapter, capacity=2)
    avatar = await renderer.prepare(PACK)
    moment = Moment(FaceState(), tone(adapter, 0.3))
    results = await asyncio.gather(
        *(renderer.render(avatar, moment, deadline=0.0) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, WorkerFull) for result in results) == 2
    renderer.close()
    with pytest.raises(WorkerClosed):
        await renderer.render(avatar, moment, deadline=0.0)


async def test_a_cancelled_frame_is_left_out(tmp_path: Path) -> None:
    adapter = Wav2Lip(tiny_wav2lip(tmp_path / "w.onnx"))
    renderer = NeuralRenderer(adapter)
    try:
        avatar = await renderer.prepare(PACK)
        moment = Moment(FaceState(), tone(adapter, 0.3))
        gone = asyncio.create_task(renderer.render(avatar, moment, deadline=0.0))
        kept = asyncio.create_task(renderer.render(avatar, moment, deadline=1.0))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await kept).i420.shape == (768, 512)
        with pytest.raises(asyncio.CancelledError):
            await gone
    finally:
        renderer.close()
