"""Files by signed URLs, in the real application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from server.app import create_app
from server.database import Database
from server.fetching import Fetcher, FetchError, FetchProblem, UrlPolicy, check_url
from server.metrics import Metrics
from server.settings import Settings, StorageSettings
from server.signing import FILE
from server.storage import LocalStore, OwnFiles, SignedUrls, Storage, file_routes
from server.storage.s3 import S3Files
from server.storage.urls import PREVIOUS
from tests.server.running import QuietEngine
from tests.server.storage.conftest import ANNA, Clock, storage_of

KEY = "outputs/job_1/video.mp4"
FILM = bytes(range(256)) * 380


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


@asynccontextmanager
async def browser(storage: Storage, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        Settings(),
        engine=QuietEngine(),
        database=database,
        metrics=Metrics(),
        routes=file_routes(storage),
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://files.example") as client:
        yield client


@pytest.fixture
async def client(on_disk: Storage, accounts: Database) -> AsyncIterator[httpx.AsyncClient]:
    on_disk.put(KEY, FILM, media_type="video/mp4", account_id=ANNA)
    async with browser(on_disk, accounts) as client:
        yield client


async def test_a_signed_url_opens_the_file_with_all_its_guards(client: httpx.AsyncClient, on_disk: Storage) -> None:
    url = on_disk.sign(KEY)
    assert url.startswith(f"https://files.example/files/{KEY}?expires=")
    answer = await client.get(path_of(url))
    assert (answer.status_code, answer.content) == (200, FILM)
    info = on_disk.stat(KEY)
    assert info is not None
    for name, value in {
        "content-type": "video/mp4",
        "content-length": str(len(FILM)),
        "accept-ranges": "bytes",
        "etag": f'"{info.etag}"',
        "last-modified": "Fri, 01 May 2026 12:00:00 GMT",
        "cache-control": "private, max-age=86400",
        "x-content-type-options": "nosniff",
        "content-disposition": 'inline; filename="video.mp4"',
        "content-security-policy": "default-src 'none'; sandbox",
        "referrer-policy": "no-referrer",
    }.items():
        assert answer.headers[name] == value


async def test_head_tells_the_same_without_the_file(client: httpx.AsyncClient, on_disk: Storage) -> None:
    path = path_of(on_disk.sign(KEY))
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    of_each_request = ("x-request-id", "date")
    assert {name: value for name, value in head.headers.items() if name not in of_each_request} == {
        name: value for name, value in got.headers.items() if name not in of_each_request
    }
    part = await client.head(path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


async def test_parts_are_parts(client: httpx.AsyncClient, on_disk: Storage) -> None:
    path = path_of(on_disk.sign(KEY))
    answer = await client.get(path, headers={"Range": "bytes=1000-1999"})
    assert (answer.status_code, answer.content) == (206, FILM[1000:2000])
    assert answer.headers["content-range"] == f"bytes 1000-1999/{len(FILM)}"
    assert (await client.get(path, headers={"Range": "bytes=-3"})).content == FILM[-3:]
    assert (await client.get(path, headers={"Range": "bytes=0-1,4-5"})).content == FILM
    beyond = await client.get(path, headers={"Range": f"bytes={len(FILM)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(FILM)}")
    assert beyond.json()["error"]
    etag = answer.headers["etag"]
    assert (await client.get(path, headers={"Range": "bytes=0-1", "If-Range": etag})).status_code == 206
    assert (await client.get(path, headers={"Range": "bytes=0-1", "If-Range": '"old"'})).status_code == 200
    unchanged = await client.get(path, headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_a_url_opens_one_file_until_it_expires(client: httpx.AsyncClient, on_disk: Storage, clock: Clock) -> None:
    on_disk.put("outputs/job_2/video.mp4", b"other", media_type="video/mp4", account_id=ANNA)
    path = path_of(on_disk.sign(KEY, 900))
    clock.wait(seconds=899)
    assert (await client.get(path)).headers["cache-control"] == "private, max-age=1"
    for changed in (
        path.replace("job_1", "job_2"),
        path.replace("expires=1", "expires=2"),
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        path.partition("&")[0],
        path.partition("?")[0],
        path + "&signature=",
        path.replace("signature=", "signature=ü"),
        path.replace("/files/outputs", "/files//outputs"),
        "/files/%2e%2e/%2e%2e/etc/passwd?expires=9&signature=9",
        "/files/",
    ):
        refused = await client.get(changed)
        assert refused.status_code == 403, changed
        assert refused.json() == {"error": "The URL has expired or was changed: ask for a new one", "code": "FORBIDDEN"}
    clock.wait(seconds=2)
    assert (await client.get(path)).status_code == 403
    assert (await client.post(path)).status_code == 405


async def test_a_deleted_file_is_gone(client: httpx.AsyncClient, on_disk: Storage, tmp_path: Path) -> None:
    path = path_of(on_disk.sign(KEY))
    (tmp_path / "files" / ANNA / KEY).unlink()  # behind our back
    assert (await client.get(path)).status_code == 404
    on_disk.delete(KEY)
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (404, "The file was deleted")


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf"])
async def test_what_a_browser_could_run_is_plain_bytes(
    client: httpx.AsyncClient, on_disk: Storage, media_type: str
) -> None:
    on_disk.put("outputs/a/page.bin", b"<script>", media_type=media_type, account_id=ANNA)
    answer = await client.get(path_of(on_disk.sign("outputs/a/page.bin")))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_files_in_a_bucket_are_had_from_the_bucket(
    accounts: Database, s3_settings: StorageSettings, clock: Clock, tmp_path: Path
) -> None:
    storage = storage_of(accounts, S3Files(s3_settings), clock, tmp_path)
    storage.put(KEY, FILM, media_type="video/mp4", account_id=ANNA)
    async with browser(storage, accounts) as client:
        path = path_of(storage.sign(KEY, 120))
        answer = await client.get(path)
        assert answer.status_code == 302
        assert answer.headers["cache-control"] == "no-store"
        assert "X-Amz-Expires=120" in answer.headers["location"]
        async with httpx.AsyncClient() as outside:
            got = await outside.get(answer.headers["location"], headers={"Range": "bytes=10-19"})
        assert (got.status_code, got.content) == (206, FILM[10:20])
        assert (await client.head(path)).headers["content-length"] == str(len(FILM))
        assert (await client.get(path.replace("job_1", "job_2"))).status_code == 403


def test_a_new_secret_leaves_the_urls_of_the_old_one_good(tmp_path: Path) -> None:
    def query(url: str) -> tuple[str, str]:
        expires, signature = urlsplit(url).query.split("&")
        return expires.removeprefix("expires="), signature.removeprefix("signature=")

    before = SignedUrls.load(tmp_path, "https://files.example")
    old = query(before.sign(KEY, 60))
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / FILE).rename(tmp_path / PREVIOUS)
    after = SignedUrls.load(tmp_path, "https://files.example")
    new = query(after.sign(KEY, 60))
    assert after.opens(KEY, *old)
    assert after.opens(KEY, *new)
    assert not before.opens(KEY, *new)
    (tmp_path / PREVIOUS).unlink()
    assert not SignedUrls.load(tmp_path, "https://files.example").opens(KEY, *old)


async def test_a_url_of_our_own_is_opened_without_the_network(on_disk: Storage, clock: Clock) -> None:
    on_disk.put(KEY, FILM, media_type="video/mp4", account_id=ANNA)
    own = OwnFiles(on_disk)
    policy = UrlPolicy(own=own.prefix)

    class Unplugged:
        async def __call__(self, host: str, port: int) -> list[str]:
            raise AssertionError("the network was asked")

    fetcher = Fetcher(policy, own=own, resolver=Unplugged())
    url = on_disk.sign(KEY, 60)
    check_url(url, policy)
    assert (await fetcher.fetch(url, max_bytes=1 << 20, max_seconds=5)).data == FILM
    with pytest.raises(FetchError) as refused:
        await fetcher.fetch(url, max_bytes=100, max_seconds=5)
    assert refused.value.code is FetchProblem.TOO_LARGE
    for changed in (url[:-1], url.replace("job_1", "job_2"), url.partition("?")[0]):
        with pytest.raises(FetchError, match="expired, or its file was deleted"):
            await fetcher.fetch(changed, max_bytes=1 << 20, max_seconds=5)
    clock.wait(seconds=61)
    with pytest.raises(FetchError, match="expired"):
        await fetcher.fetch(url, max_bytes=1 << 20, max_seconds=5)
    fetcher.close()


def test_our_own_address_opens_nothing_but_files(tmp_path: Path, accounts: Database, clock: Clock) -> None:
    local = SignedUrls.load(tmp_path, "http://127.0.0.1:8080", clock.seconds)
    storage = Storage(accounts, LocalStore(tmp_path), local, quota=1, url_s=60, scratch=tmp_path, now=clock)
    policy = UrlPolicy(own=OwnFiles(storage).prefix)
    check_url(storage.sign(KEY), policy)
    for url in (
        "http://127.0.0.1:8080/api/keys",
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:80/files/a/b",
        "http://127.0.0.1:8080@evil.example/files/",
    ):
        with pytest.raises(FetchError):
            check_url(url, policy)
