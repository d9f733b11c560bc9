"""Uploads through the real gate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from media import decoding
from server.database import Database
from server.settings import Settings
from server.storage import Storage
from server.storage.upload import MOST_PARTS, upload_endpoint
from tests.media.decoding.files import encoded, half_red, png_bomb, sound, video
from tests.server.gate.serving import Served, served

PICTURE = encoded(half_red(), "PNG")
MOST = 90_000
BOUNDARY = "x-boundary"


@pytest.fixture(scope="module", autouse=True)
def _helpers() -> Iterator[None]:
    yield
    decoding.close()


@pytest.fixture
async def server(settings: Settings, accounts: Database, on_disk: Storage) -> AsyncIterator[Served]:
    async with served(settings, accounts, [upload_endpoint(on_disk, max_bytes=MOST, days=7)], enabled=False) as made:
        yield made


async def send(server: Served, data: bytes, name: str = "Me at the sea.PNG", **more: object) -> httpx.Response:
    key = more.pop("key", None) or server.bearer()
    return await server.client.post("/api/upload", files={"file": (name, data, "text/html")}, headers=key)  # type: ignore[arg-type]


async def raw(
    server: Served, body: bytes, content_type: str = f"multipart/form-data; boundary={BOUNDARY}"
) -> httpx.Response:
    headers = {**server.bearer(), "content-type": content_type}
    return await server.client.post("/api/upload", content=body, headers=headers)


def part(name: str = "file", value: bytes = PICTURE, filename: str | None = "a.png") -> bytes:
    ending = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{ending}\r\n\r\n'
    return head.encode() + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize(
    ("data", "media_type", "ending"),
    [
        (PICTURE, "image/png", "png"),
        (encoded(half_red(), "JPEG"), "image/jpeg", "jpg"),
        (sound(seconds=0.5), "audio/wav", "wav"),
        (sound("mp4", seconds=0.5), "audio/mp4", "m4a"),
        (video(frames=5), "video/mp4", "mp4"),
    ],
)
async def test_an_upload_is_what_its_content_says(
    server: Served, on_disk: Storage, data: bytes, media_type: str, ending: str
) -> None:
    answer = await send(server, data)
    assert answer.status_code == 201, answer.text
    told = answer.json()["data"]
    assert set(told) == {"url", "key", "contentType", "size"}
    assert (told["contentType"], told["size"]) == (media_type, len(data))
    assert told["key"].endswith(f"/me-at-the-sea.{ending}")
    assert told["url"].startswith(f"https://files.example/files/{told['key']}?expires=")
    info = on_disk.stat(told["key"])
    assert info is not None
    assert b"".join(on_disk.read(info)) == data
    assert info.expires is not None
    assert list(on_disk.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<html><script>", "file: This is a web page"),
        (b"#EXTM3U\nhttp://127.0.0.1/\n", "file: This is a playlist"),
        (b"<svg xmlns='x'/>", "file: This is an SVG drawing"),
        (b"\x7fELF" + bytes(100), "file: This is not a sound or video file"),
        (PICTURE[:40], "file: The picture is damaged"),
        (png_bomb(20_000, 10_000), "50 million pixels"),
        (video()[:900], "file: The MP4 file is damaged"),
        (b"", "file: is empty"),
    ],
)
async def test_what_is_not_media_is_refused_and_leaves_nothing(
    server: Served, on_disk: Storage, data: bytes, text: str
) -> None:
    key = server.bearer()
    answer = await send(server, data, key=key)
    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert not on_disk.scratch.is_dir() or list(on_disk.scratch.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..\\..\\x.exe", "ü.png", "a" * 300 + ".png", "\u202egnp.exe", ".htaccess", "a/b/c"]
)
async def test_names_from_outside_become_plain_ones(server: Served, name: str) -> None:
    answer = await send(server, PICTURE, name)
    assert answer.status_code == 201
    key = answer.json()["data"]["key"]
    assert key.startswith("uploads/")
    assert key.count("/") == 2
    assert key.isascii()
    assert ".." not in key
    assert key.endswith(".png")


async def test_a_file_that_is_too_large_is_refused_while_it_comes(server: Served, on_disk: Storage) -> None:
    answer = await send(server, bytes(MOST + 1))
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]
    assert (await send(server, bytes(MOST * 4))).status_code == 413
    assert list(on_disk.scratch.iterdir()) == []


async def test_a_full_account_is_told_so_and_room_comes_back(server: Served, on_disk: Storage) -> None:
    key = server.bearer()
    big = sound(seconds=2.5)
    assert len(big) > 80_000
    first = await send(server, big, key=key)
    refused = await send(server, big, key=key)
    assert (first.status_code, refused.status_code) == (201, 413)
    assert refused.json()["code"] == "STORAGE_FULL"
    assert "of storage left: delete files" in refused.json()["error"]
    on_disk.delete(first.json()["data"]["key"])
    assert (await send(server, big, key=key)).status_code == 201
    assert (await send(server, PICTURE)).status_code == 201  # another account's room is its own


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (part() + END, 201, ""),
        (part("note", b"hello", None) + part() + END + b"epilogue", 201, ""),
        (part(), 400, "ends before the form does"),
        (part()[:-20], 400, "ends before the form does"),
        (b"", 400, "ends before the form does"),
        (END, 400, "file: is missing"),
        (part("other") + END, 400, "file: is missing"),
        (part(filename=None) + END, 400, "must be a file, not a text"),
        (part() + part() + END, 400, "must be one file"),
        (b"".join(part("x", b"", None) for _ in range(MOST_PARTS + 1)) + END, 400, f"more than {MOST_PARTS} parts"),
        (b"--x-boundary\r\n" + b"A: " + b"b" * 9000 + b"\r\n\r\nx\r\n" + END, 400, "well-formed"),
        (b"--x-boundary\r\n" + b"A: b\r\n" * 50 + b"\r\nx\r\n" + END, 400, "well-formed"),
        (b"--x-boundaryGARBAGE\r\n\r\n" + END, 400, "well-formed"),
        (b"\x00" * 200, 400, "well-formed"),
    ],
)
async def test_forms_are_read_strictly(server: Served, body: bytes, status: int, text: str) -> None:
    answer = await raw(server, body)
    assert answer.status_code == status, answer.text
    assert text in answer.text


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("image/png", 415),
        ("", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        (f"multipart/form-data; boundary={'b' * 80}", 400),
        ("multipart/mixed; boundary=x", 415),
    ],
)
async def test_anything_but_a_form_is_refused(server: Served, content_type: str, status: int) -> None:
    assert (await raw(server, part() + END, content_type)).status_code == status


async def test_uploads_need_a_key(server: Served) -> None:
    assert (await server.client.post("/api/upload", files={"file": PICTURE})).status_code == 401


async def test_a_client_that_leaves_leaves_nothing(server: Served, on_disk: Storage) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield part()[:200]
        raise RuntimeError

    headers = {**server.bearer(), "content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    assert (await server.client.post("/api/upload", content=body(), headers=headers)).status_code == 500
    assert list(on_disk.scratch.iterdir()) == []


async def test_uploads_are_limited_to_ten_a_minute(settings: Settings, accounts: Database, on_disk: Storage) -> None:
    async with served(settings, accounts, [upload_endpoint(on_disk, max_bytes=MOST, days=7)]) as made:
        key = made.bearer()
        statuses = [(await send(made, b"<html>", key=key)).status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]
