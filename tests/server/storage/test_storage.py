from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from server.database import Database
from server.settings import Settings, StorageSettings
from server.storage import KeyInvalid, QuotaExceeded, Storage, StorageError, StorageFailed, origin_of
from server.storage.keys import is_key, location
from server.storage.s3 import S3Files
from server.storage.store import LocalStore, Store
from tests.server.storage.conftest import ANNA, BEN, QUOTA, Clock, storage_of

KEY = "outputs/job_1/video.mp4"
FILM = bytes(range(256)) * 40


def content(storage: Storage, key: str = KEY, begin: int = 0, end: int | None = None) -> bytes:
    info = storage.stat(key)
    assert info is not None
    return b"".join(storage.read(info, begin, end))


def put(storage: Storage, data: bytes = FILM, key: str = KEY, account: str = ANNA, **more: object) -> None:
    storage.put(key, data, media_type="video/mp4", account_id=account, **more)  # type: ignore[arg-type]


class Broken:
    """A store that fails, here and there."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.writes = self.deletes = True

    def write(self, location: str, source: Path, media_type: str) -> None:
        if not self.writes:
            raise StorageFailed("The disk is full")
        self.inner.write(location, source, media_type)

    def read(self, location: str, begin: int, end: int) -> object:
        return self.inner.read(location, begin, end)

    def delete(self, location: str) -> None:
        if not self.deletes:
            raise StorageFailed("The disk is away")
        self.inner.delete(location)

    def signed_url(self, location: str, seconds: int) -> str | None:
        return self.inner.signed_url(location, seconds)


def test_a_file_comes_back_as_it_was_put_and_in_parts(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(FILM)
    info = storage.put(KEY, source, media_type="video/mp4", account_id=ANNA)
    assert (info.size, info.media_type, info.expires) == (len(FILM), "video/mp4", None)
    assert storage.stat(KEY) == info
    assert content(storage) == FILM
    assert content(storage, KEY, 100, 300) == FILM[100:300]
    assert content(storage, KEY, 10_000) == FILM[10_000:]
    assert content(storage, KEY, 50, 50) == b""
    assert source.read_bytes() == FILM


def test_a_large_file_goes_up_in_parts(accounts: Database, store: Store, clock: Clock, tmp_path: Path) -> None:
    storage = storage_of(accounts, store, clock, tmp_path, quota=1 << 30)
    data = os.urandom(20 << 20)
    put(storage, data)
    assert content(storage) == data
    assert content(storage, KEY, 9 << 20, (9 << 20) + 5) == data[9 << 20 :][:5]


def test_a_second_file_of_a_key_replaces_the_first_and_counts_alone(storage: Storage) -> None:
    put(storage, bytes(60_000))
    put(storage, b"new")
    assert content(storage) == b"new"
    assert storage.used(ANNA) == 3


def test_another_accounts_key_is_taken_and_its_file_unseen(storage: Storage) -> None:
    put(storage)
    with pytest.raises(KeyInvalid):
        put(storage, b"mine", account=BEN)
    assert storage.stat(KEY, BEN) is None
    storage.delete(KEY, BEN)
    assert content(storage) == FILM


def test_deleting_frees_the_bytes_and_twice_is_no_error(storage: Storage) -> None:
    put(storage)
    info = storage.stat(KEY)
    assert info is not None
    storage.delete(KEY)
    storage.delete(KEY)
    assert storage.used(ANNA) == 0
    assert storage.stat(KEY) is None
    with pytest.raises(FileNotFoundError):
        b"".join(storage.read(info))


def test_an_account_without_room_is_refused_and_another_is_not(storage: Storage) -> None:
    put(storage, bytes(70_000))
    with pytest.raises(QuotaExceeded, match="MiB of storage left") as refused:
        put(storage, bytes(40_000), "outputs/b/c.mp4")
    assert refused.value.free == 30_000
    assert storage.stat("outputs/b/c.mp4") is None
    put(storage, bytes(70_000), "outputs/ben/c.mp4", BEN)
    put(storage, bytes(QUOTA), KEY)  # in place of the first
    storage.delete(KEY)
    put(storage, bytes(QUOTA), "outputs/b/c.mp4")
    assert storage.room(ANNA) == 0


def test_the_last_room_is_given_once_however_many_ask(either_database: Database, clock: Clock, tmp_path: Path) -> None:
    storage = storage_of(either_database, LocalStore(tmp_path / "files"), clock, tmp_path)
    together = threading.Barrier(8)

    def attempt(number: int) -> bool:
        together.wait()
        try:
            put(storage, bytes(30_000), f"outputs/{number}/x.mp4")
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(8))) == 3
    assert storage.used(ANNA) == 90_000


def test_a_file_that_cannot_be_written_leaves_nothing(accounts: Database, clock: Clock, tmp_path: Path) -> None:
    store = Broken(LocalStore(tmp_path / "files"))
    storage = storage_of(accounts, store, clock, tmp_path)  # type: ignore[arg-type]
    store.writes = False
    with pytest.raises(StorageFailed, match="disk is full"):
        put(storage)
    assert storage.used(ANNA) == 0
    assert storage.stat(KEY) is None
    store.deletes = False  # not even that: the sweep comes later
    with pytest.raises(StorageFailed):
        put(storage)
    assert storage.used(ANNA) == len(FILM)
    store.deletes = True
    assert storage.sweep() == 0
    clock.wait(hours=25)
    assert storage.sweep() == 1
    assert storage.used(ANNA) == 0


def test_the_sweep_removes_what_is_over_and_keeps_the_rest(storage: Storage, clock: Clock) -> None:
    put(storage, b"a", "uploads/a/a.mp4", keep=timedelta(days=1))
    put(storage, b"b", "uploads/b/b.mp4", keep=timedelta(days=3))
    put(storage, b"c", "outputs/c/c.mp4")
    assert storage.sweep() == 0
    clock.wait(days=2)
    assert storage.sweep() == 1
    assert storage.stat("uploads/a/a.mp4") is None
    clock.wait(days=2)
    assert storage.sweep() == 1
    assert content(storage, "outputs/c/c.mp4") == b"c"


def test_the_sweep_goes_on_after_what_cannot_be_removed(accounts: Database, clock: Clock, tmp_path: Path) -> None:
    store = Broken(LocalStore(tmp_path / "files"))
    storage = storage_of(accounts, store, clock, tmp_path)  # type: ignore[arg-type]
    for number in range(5):
        put(storage, b"x", f"uploads/{number}/x.mp4", keep=timedelta(days=1))
    clock.wait(days=2)
    store.deletes = False
    assert storage.sweep() == 0
    store.deletes = True
    assert storage.sweep() == 5


def test_the_sweep_removes_uploads_that_never_ended(on_disk: Storage, clock: Clock) -> None:
    with on_disk.scratch_file() as fresh:
        old = on_disk.scratch / "old"
        old.write_bytes(b"x")
        os.utime(fresh, (clock.seconds(), clock.seconds()))
        os.utime(old, (clock.seconds() - 90_000,) * 2)
        on_disk.sweep()
        assert fresh.is_file()
        assert not old.exists()
    assert not fresh.exists()


def test_files_on_disk_are_their_owners_alone_and_nothing_is_left_over(on_disk: Storage, tmp_path: Path) -> None:
    put(on_disk)
    path = tmp_path / "files" / ANNA / KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["video.mp4"]
    on_disk.delete(KEY)
    assert list((tmp_path / "files").iterdir()) == []


def test_writing_and_deleting_in_one_folder_at_once_loses_nothing(on_disk: Storage) -> None:
    def work(number: int) -> None:
        key = f"outputs/same/{number}.mp4"
        for _ in range(10):
            put(on_disk, b"x" * number, key)
            on_disk.delete(key)
        put(on_disk, b"x" * number, key)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(1, 5)))
    for number in range(1, 5):
        assert content(on_disk, f"outputs/same/{number}.mp4") == b"x" * number


def test_a_missing_source_is_refused_before_anything_is_reserved(on_disk: Storage, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed) as failed:
        on_disk.put(KEY, tmp_path / "nothing", media_type="video/mp4", account_id=ANNA)
    assert str(tmp_path) not in str(failed.value)
    assert on_disk.used(ANNA) == 0


@pytest.mark.parametrize(
    "key",
    ["", "a", "/a/b", "a//b", "a/", "../a/b", "a/../b", "a/./b", "a/.b", "a\\b/c", "a/b\0", "a/ü", "a/b c", "a/%2e%2e",
     "a/b\n", "agents/x/y", "~/x", "a/" + "b" * 200, "a/b" * 200, "C:/x", "a/b?x", "a/b#x"],
)  # fmt: skip
def test_what_is_no_key_is_refused_everywhere(on_disk: Storage, key: str) -> None:
    with pytest.raises(KeyInvalid):
        put(on_disk, key=key)
    with pytest.raises(KeyInvalid):
        on_disk.sign(key)
    assert on_disk.stat(key) is None
    on_disk.delete(key)


@given(st.text(max_size=60) | st.text("ab./-_", max_size=30))
def test_a_key_never_leaves_its_accounts_folder(text: str) -> None:
    if is_key(text):
        place = Path("/root") / location("acct_1", text)
        assert os.path.normpath(place) == str(place)
        assert place.is_relative_to("/root/acct_1")
    for account in ("", "..", "a/b", "a/../b", "a" * 41):
        with pytest.raises(KeyInvalid):
            location(account, "a/b")


def test_an_unknown_account_stores_nothing(on_disk: Storage) -> None:
    with pytest.raises(KeyInvalid):
        put(on_disk, account="acct_nobody")


def test_the_settings_choose_the_store(settings: Settings, accounts: Database, s3_settings: StorageSettings) -> None:
    for options, words in ((StorageSettings(), "LocalStore"), (s3_settings, "S3Files")):
        storage = Storage.of(settings.model_copy(update={"storage": options}), accounts)
        assert type(storage._store).__name__ == words
        put(storage, b"x")
        assert content(storage) == b"x"
        storage.delete(KEY)


def test_a_bucket_gives_urls_of_its_own_that_expire(
    accounts: Database, s3_settings: StorageSettings, clock: Clock, tmp_path: Path
) -> None:
    storage = storage_of(accounts, S3Files(s3_settings), clock, tmp_path)
    put(storage)
    info = storage.stat(KEY)
    assert info is not None
    url = storage.elsewhere(info, 60)
    assert url is not None
    assert "X-Amz-Expires=60" in url
    assert "secret of the tests" not in url
    answer = httpx.get(url)
    assert answer.content == FILM
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-disposition"] == 'inline; filename="video.mp4"'


@pytest.mark.parametrize("endpoint", [None, "http://files.example:9000", "https://files.example/s3"])
def test_the_origin_of_a_bucket_is_that_of_its_urls(endpoint: str | None) -> None:
    secret = SecretStr("secret of the tests")
    settings = StorageSettings(
        bucket="files", endpoint=endpoint, region="eu-west-3", access_key_id="tester", secret_access_key=secret
    )
    url = S3Files(settings).signed_url("a/b.wav", 60)
    assert url is not None
    parts = urlsplit(url)
    assert origin_of(settings) == f"{parts.scheme}://{parts.netloc}"
    assert origin_of(StorageSettings()) is None


def test_a_bucket_that_is_away_fails_without_saying_where(
    accounts: Database, clock: Clock, tmp_path: Path, s3_settings: StorageSettings
) -> None:
    gone = s3_settings.model_copy(update={"bucket": "there-is-none"})
    storage = storage_of(accounts, S3Files(gone), clock, tmp_path)
    with pytest.raises(StorageError) as failed:
        put(storage)
    assert "there-is-none" not in str(failed.value)
    assert storage.used(ANNA) == 0
