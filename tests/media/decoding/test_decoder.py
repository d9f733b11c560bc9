from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from media.decoding import Limits, MediaError, MediaProblem, SafeDecoder
from media.decoding.decoder import MOST_WAITING, Source
from media.decoding.limits import MIB
from media.decoding.process import Helper
from tests.media.decoding.files import encoded, endless_wav, half_red, png_bomb, sound, video


@pytest.fixture(scope="module")
def decoder() -> Iterator[SafeDecoder]:
    decoder = SafeDecoder(parallel=2)
    yield decoder
    decoder.close()


async def refusal(decoder: SafeDecoder, source: Source, **limits: int) -> MediaError:
    with pytest.raises(MediaError) as refused:
        await decoder.image(source, limits=Limits(**limits))
    return refused.value


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "media.decoding" in " ".join(child.cmdline() or ["-"])]


async def started(before: list[psutil.Process]) -> list[psutil.Process]:
    """The helpers that were not there before, at least one. A process has no command line for a moment as it starts."""
    async with asyncio.timeout(30):
        while not (found := [child for child in children() if child not in before]):
            await asyncio.sleep(0.01)
    return found


async def test_a_picture_comes_back_whole(decoder: SafeDecoder) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 200, 3), np.uint8)
    picture = await decoder.image(encoded(Image.fromarray(noise), "PNG"))
    assert np.array_equal(picture, noise)
    picture[0, 0] = 1  # the caller's own


async def test_a_path_is_as_good_as_bytes(decoder: SafeDecoder, tmp_path: Path) -> None:
    path = tmp_path / "no name tells what this is"
    path.write_bytes(encoded(half_red(), "PNG"))
    assert (await decoder.image(path)).shape == (40, 60, 3)
    assert (await decoder.probe(path)).mime == "image/png"


async def test_sound_comes_back_whole(decoder: SafeDecoder) -> None:
    samples = await decoder.audio(sound("mp4"), rate=48_000, max_seconds=5.0)
    assert abs(len(samples) - 96_000) < 7_000
    assert samples.dtype == np.float32
    assert 0.2 < np.abs(samples).max() < 0.3


async def test_frames_come_back_in_order(decoder: SafeDecoder) -> None:
    levels = [float(frame.mean()) for frame in await decoder.frames(video(), count=5, max_side=48)]
    assert len(levels) == 5
    assert np.diff(levels).min() > 20


async def test_a_video_is_told_apart_from_sound(decoder: SafeDecoder) -> None:
    info = await decoder.probe(video(with_sound=True))
    assert (info.kind, info.has_audio, info.width, info.height) == ("video", True, 64, 48)
    assert (await decoder.probe(sound("webm"))).kind == "audio"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", MediaProblem.EMPTY),
        (b"<html><body>404", MediaProblem.WRONG_KIND),
        (random.Random(6).randbytes(64), MediaProblem.UNREADABLE),
        (encoded(half_red(), "PNG")[:60], MediaProblem.DAMAGED),
        (png_bomb(20_000, 10_000), MediaProblem.TOO_LARGE),
        (png_bomb(9_000, 9_000), MediaProblem.TOO_LARGE),
    ],
)
async def test_refusals_cross_the_border(decoder: SafeDecoder, data: bytes, code: MediaProblem) -> None:
    assert (await refusal(decoder, data)).code is code


async def test_a_200_megapixel_picture_is_refused(decoder: SafeDecoder) -> None:
    refused = await refusal(decoder, encoded(Image.new("1", (20_000, 10_000)), "PNG"))
    assert refused.code is MediaProblem.TOO_LARGE
    assert "50 million" in refused.message


async def test_a_picture_that_needs_more_memory_than_allowed_is_refused(decoder: SafeDecoder) -> None:
    refused = await refusal(decoder, encoded(Image.new("RGB", (6000, 6000)), "PNG"), memory=32 * MIB)
    assert refused.code is MediaProblem.TOO_COSTLY


async def test_input_beyond_the_limit_is_not_even_opened(decoder: SafeDecoder, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(10 * MIB)
    refused = await refusal(decoder, sparse, bytes=9 * MIB)
    assert refused.code is MediaProblem.TOO_LARGE
    assert "at most 9 MiB" in refused.message


async def test_an_hour_of_sound_is_refused_or_decoded_within_its_limits(decoder: SafeDecoder) -> None:
    hour = endless_wav(3600)
    with pytest.raises(MediaError) as refused:
        await decoder.audio(hour, rate=16_000, max_seconds=120.0)
    assert refused.value.code is MediaProblem.TOO_LONG
    assert len(await decoder.audio(endless_wav(600), rate=8_000, max_seconds=600.0)) == 600 * 8_000


async def test_decoding_that_takes_too_much_processor_time_is_ended(decoder: SafeDecoder) -> None:
    with pytest.raises(MediaError) as refused:
        await decoder.audio(sound("flac", seconds=900.0), rate=48_000, max_seconds=3600.0, limits=Limits(cpu_s=1))
    assert refused.value.code is MediaProblem.TOO_COSTLY


async def test_folders_pipes_and_missing_files_are_refused(decoder: SafeDecoder, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        assert (await refusal(decoder, path)).code is MediaProblem.EMPTY
    refused = await refusal(decoder, tmp_path / "missing")
    assert refused.code is MediaProblem.FAILED
    assert str(tmp_path) not in refused.message


async def test_each_file_has_a_process_of_its_own_and_all_are_reaped() -> None:
    before, decoder = children(), SafeDecoder()
    for _ in range(3):
        await decoder.image(encoded(half_red(), "PNG"))
    left = await started(before)
    assert len(left) == 1  # the spare one
    assert left[0].status() != psutil.STATUS_ZOMBIE
    decoder.close()
    assert children() == before


async def test_the_helper_inherits_no_secrets_and_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_BOOTSTRAP_KEY", "sk_live_secret")
    before, decoder = children(), SafeDecoder()
    await decoder.image(encoded(half_red(), "PNG"))
    [spare] = await started(before)
    assert not any(name.startswith("VISAVIS") for name in spare.environ())
    assert spare.nice() >= 10
    async with asyncio.timeout(60):
        while {target.split(":")[0] for target in open_files(spare.pid)} != {"/dev/null", "socket"}:
            await asyncio.sleep(0.05)  # it still loads its libraries
    decoder.close()


def open_files(pid: int) -> list[str]:
    entries = list(Path(f"/proc/{pid}/fd").iterdir())
    return [str(entry.readlink()) for entry in entries if entry.is_symlink()]


async def test_cancelling_ends_the_helper_and_frees_its_place() -> None:
    decoder = SafeDecoder(parallel=1, start=lambda: Helper(("-c", _DEAF)))
    task = asyncio.create_task(decoder.image(encoded(half_red(), "PNG")))
    waiting = asyncio.create_task(decoder.image(encoded(half_red(), "PNG")))
    while not _deaf_helpers():
        await asyncio.sleep(0.01)
    waiting.cancel()
    task.cancel()
    for cancelled in (task, waiting):
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    assert not _deaf_helpers()
    decoder.close()


async def test_closing_ends_what_is_under_way() -> None:
    decoder = SafeDecoder(parallel=1, start=lambda: Helper(("-c", _DEAF)))
    task = asyncio.create_task(decoder.image(encoded(half_red(), "PNG")))
    while not _deaf_helpers():
        await asyncio.sleep(0.01)
    await asyncio.to_thread(decoder.close)
    with pytest.raises(MediaError) as refused:
        await task
    assert refused.value.code is MediaProblem.FAILED
    assert not _deaf_helpers()


async def test_a_helper_that_does_not_answer_in_time_is_ended() -> None:
    decoder = SafeDecoder(start=lambda: Helper(("-c", _DEAF)))
    with pytest.raises(MediaError, match="try again") as refused:
        await decoder.image(encoded(half_red(), "PNG"), limits=Limits(wall_s=0.3))
    assert refused.value.code is MediaProblem.BUSY  # it slept: the file is not to blame
    assert not _deaf_helpers()
    decoder.close()


async def test_a_helper_that_works_until_its_time_is_over_blames_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([1.0, 1.25])  # seconds of the processor before and after, as the system would tell
    monkeypatch.setattr(Helper, "_processor_seconds", lambda _helper: next(used))
    decoder = SafeDecoder(start=lambda: Helper(("-c", _DEAF)))
    with pytest.raises(MediaError, match="too long") as refused:
        await decoder.image(encoded(half_red(), "PNG"), limits=Limits(wall_s=0.3))
    assert refused.value.code is MediaProblem.TOO_COSTLY
    decoder.close()


async def test_more_requests_than_can_wait_are_refused() -> None:
    decoder = SafeDecoder(parallel=1, start=lambda: Helper(("-c", _DEAF)))
    data = encoded(half_red(), "PNG")
    tasks = [asyncio.create_task(decoder.image(data)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(MediaError) as refused:
        await decoder.image(data)
    assert refused.value.code is MediaProblem.BUSY
    assert refused.value.retryable
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    decoder.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        b'{"shapes": [[40, 60]]}\n',  # and nothing written
        b'{"shapes": [[-40, -60]]}\n',
        b'{"shapes": [[99999999, 99999999]]}\n',
        b'{"shapes": [[true, 1e9]]}\n',
        b'{"shapes": [["1", 1]]}\n',
        b'{"shapes": [[1, 1], [1, 1]]}\n',
        b'{"shapes": []}\n',
        b'{"problem": "no such", "message": "x"}\n',
        b'{"problem": "damaged"}\n',
        b'{"problem": "failed", "trace": "/etc/secret"}\n',
        b"{" * 3_000_000,
    ],
)
async def test_a_helper_that_was_taken_over_can_only_fail(answer: bytes) -> None:
    decoder = SafeDecoder(start=lambda: Helper(("-c", _LIAR.replace("ANSWER", _python(answer)))))
    with pytest.raises(MediaError) as refused:
        await decoder.image(encoded(half_red(), "PNG"))
    assert refused.value.code is MediaProblem.FAILED
    assert "secret" not in refused.value.message
    decoder.close()


async def test_a_crash_of_the_decoder_is_the_files_fault() -> None:
    decoder = SafeDecoder(start=lambda: Helper(("-c", _LIAR.replace("ANSWER", "os.kill(os.getpid(), 11)"))))
    assert (await refusal(decoder, encoded(half_red(), "PNG"))).code is MediaProblem.DAMAGED
    decoder.close()


PLAYLISTS = (
    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:1,\n/etc/passwd\n',
    "ffconcat version 1.0\nfile '{url}'\n",
    "[playlist]\nFile1={url}\n",
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{url}</BaseURL></Period></MPD>',
    '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n",
    '<?xml version="1.0"?><SmoothStreamingMedia><StreamIndex Url="{url}"/></SmoothStreamingMedia>',
)


@pytest.mark.parametrize("playlist", PLAYLISTS)
async def test_a_playlist_leads_nowhere_whatever_it_calls_itself(decoder: SafeDecoder, playlist: str) -> None:
    with listener() as (port, hits):
        text = playlist.format(url=f"http://127.0.0.1:{port}/x.ts", port=port).encode()
        for attempt in (
            decoder.audio(b"ID3" + text, rate=16_000, max_seconds=1),
            decoder.frames(b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + text, count=1),
        ):
            with pytest.raises(MediaError):
                await attempt
    assert hits == []


@contextmanager
def listener() -> Iterator[tuple[int, list[str]]]:
    hits: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        done = threading.Event()

        def accept() -> None:
            while not done.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                hits.append(str(address))
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], hits
        finally:
            done.set()
            thread.join()


def test_what_the_filter_forbids_fails_and_the_limits_hold() -> None:
    code = (
        "import os, socket, threading\n"
        "from media.decoding import helper, confinement as c\n"
        "helper._warm_up()\n"
        "c.limit_resources(memory=1 << 28, cpu_s=5, file_bytes=1 << 20)\n"
        "assert c.forbid_system_calls()\n"
        "def fails(work, *kinds):\n"
        "    try: work()\n"
        "    except kinds: return\n"
        "    os._exit(3)\n"
        "for work in (lambda: open('/etc/passwd'), socket.socket, os.fork, lambda: os.execv('/bin/true', ['x']),\n"
        "             lambda: os.kill(os.getppid(), 0), lambda: os.unlink('/x'), lambda: os.listdir('/')):\n"
        "    fails(work, PermissionError)\n"
        "fails(lambda: bytearray(1 << 29), MemoryError)\n"
        "thread = threading.Thread(target=print); thread.start(); thread.join()\n"
        "os._exit(0)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done


def test_everything_is_decoded_under_the_filter_by_an_ordinary_user() -> None:
    code = (
        "import io, os\n"
        "from media.decoding import helper, confinement as c\n"
        "from media.decoding.frames import read_frames\n"
        "from media.decoding.pictures import PICTURE_FORMATS, read_picture\n"
        "from media.decoding.sound import read_sound\n"
        "from tests.media.decoding import files\n"
        "films = [files.video(form=form, width=320, height=240) for form in ('mp4', 'webm')]\n"
        "pictures = [files.encoded(files.half_red().resize((900, 900)), form) for form in PICTURE_FORMATS]\n"
        "sounds = [files.sound(form, seconds=0.5) for form in files.SOUND_CODERS]\n"
        "helper._warm_up()\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"  # what root may is no measure
        "c.limit_resources(memory=1 << 30, cpu_s=60, file_bytes=1 << 20)\n"
        "c.forbid_system_calls()\n"
        "for film in films: assert list(read_frames(io.BytesIO(film), count=2, at=None, max_side=64, pixels=10**6))\n"
        "for picture in pictures: assert read_picture(io.BytesIO(picture), pixels=10**6).shape == (900, 900, 3)\n"
        "for sound in sounds: assert list(read_sound(io.BytesIO(sound), rate=16_000, max_seconds=2))\n"
        "os._exit(0)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done


_DEAF = "import socket, sys, time; s = socket.socket(fileno=int(sys.argv[1])); s.sendall(b'ready\\n'); time.sleep(600)"
_LIAR = (
    "import os, socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.sendall(b'ready\\n'); "
    "socket.recv_fds(s, 65536, 2); s.sendall(ANSWER)"
)


def _python(answer: bytes) -> str:
    return "b'{' * 3_000_000" if len(answer) > 1000 else repr(answer)


def _deaf_helpers() -> list[psutil.Process]:
    gc.collect()
    return [child for child in psutil.Process().children() if "time.sleep(600)" in " ".join(child.cmdline())]
