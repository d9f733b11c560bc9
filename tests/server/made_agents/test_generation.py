"""The agent creation service on the whole server: what is ordered is made, once, and can be talked to."""

from __future__ import annotations

import asyncio
import base64
import http.server
import io
import os
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from media.avatar.pack import load_pack
from server.credits import ledger
from server.database import Database, authenticate
from server.database.keys import create_account, create_key
from server.database.tables import Avatar, MadeAgent
from server.fetching import UrlPolicy
from server.made_agents import generation
from server.made_agents.naming import DEFAULT_PROMPT
from tests.media.avatar.faces import PORTRAITS
from tests.peers.webrtc_caller import calling
from tests.server.whole import Whole, whole

pytestmark = pytest.mark.models

GRACE = (PORTRAITS / "grace_hopper.jpg").read_bytes()
SPEECH = (Path(__file__).parents[2] / "speech" / "open_hours.wav").read_bytes()
NO_LIMITS: dict[str, Any] = {"limits": {"enabled": False}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("data"), policy=UrlPolicy(allow_local=True), **NO_LIMITS) as running:
        yield running


def text(data: bytes, kind: str = "") -> str:
    encoded = base64.b64encode(data).decode()
    return f"data:{kind};base64,{encoded}" if kind else encoded


def ask(server: Whole, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
    given = {"api-secret": key or server.key, **headers}
    return httpx.post(f"{server.url}/v1/agent/generate", json=body, headers=given, timeout=60)


def status(server: Whole, agent_id: str, key: str | None = None) -> httpx.Response:
    headers = {"api-secret": key or server.key}
    return httpx.get(f"{server.url}/v1/agent/status/{agent_id}", headers=headers, timeout=60)


def made(server: Whole, body: Any) -> dict[str, Any]:
    """The agent of an order, when it is ready or has failed."""
    ordered = ask(server, body)
    assert ordered.status_code == 200, ordered.text
    return settled(server, ordered.json()["agent_id"])


def settled(server: Whole, agent_id: str) -> dict[str, Any]:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        data: dict[str, Any] = status(server, agent_id).json()["data"]
        if data["status"] != "processing":
            return data
        time.sleep(0.1)
    raise AssertionError("the agent is still being made")


def balance(server: Whole) -> int:
    return server.database.run_here(lambda session: ledger.balance(session, server.account))


def another_account(server: Whole) -> str:
    """The key of a new account without credits."""

    def make(session: Session) -> str:
        return create_key(session, "key", create_account(session, "other", plan="free")).secret

    return server.database.run_here(make)


@contextmanager
def website(files: dict[str, bytes]) -> Iterator[str]:
    """A web server on this machine."""

    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files.get(self.path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}"
        finally:
            serving.shutdown()
            thread.join()


def filmed(pictures: list[Image.Image]) -> bytes:
    """A film without sound, half a second of each picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 512, 600, "yuv420p"
        for picture in pictures:
            for _ in range(5):
                frame = av.VideoFrame.from_ndarray(np.array(picture.resize((512, 600))), "rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def test_an_order_is_answered_at_once_and_becomes_an_agent_with_its_files(server: Whole) -> None:
    before = balance(server)
    prompt = "You are Ada, an art critic who analyzes visual artworks."
    ordered = ask(server, {"prompt": prompt, "image": text(GRACE, "image/jpeg"), "audio": text(SPEECH)})
    answer = ordered.json()
    assert ordered.status_code == 200
    assert answer == {
        "success": True,
        "message": "Agent generation started",
        "agent_id": answer["agent_id"],
        "status": "processing",
    }
    assert re.fullmatch(r"A\d{2}[A-Z]{3}\d{4}", answer["agent_id"])
    data = settled(server, answer["agent_id"])
    assert (data["status"], data["error_message"]) == ("ready", None)
    assert (data["agent_id"], data["event_type"]) == (answer["agent_id"], "lip_created")
    assert (data["name"], data["system_prompt"]) == ("Ada", prompt)
    for field in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", data[field])
        datetime.fromisoformat(data[field])
    assert Image.open(io.BytesIO(httpx.get(data["image_url"]).content)).format == "JPEG"
    film = httpx.get(data["video_url"])
    with av.open(io.BytesIO(film.content), "r") as container:
        assert container.streams.video[0].frames > 50
    assert balance(server) == before - server.settings.prices.agent


def test_the_pack_is_a_whole_avatar_pack(server: Whole, tmp_path: Path) -> None:
    data = made(server, {"image": text(GRACE)})
    archive = httpx.get(data["model_url"])
    assert archive.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        packed.extractall(tmp_path / "pack")
    assert load_pack(tmp_path / "pack").face_height > 100


def test_of_nothing_an_agent_with_a_face_and_a_voice_is_made(server: Whole) -> None:
    data = made(server, {"prompt": "", "image": None, "audio": " "})
    assert (data["status"], data["name"], data["system_prompt"]) == ("ready", "Mira", DEFAULT_PROMPT)
    assert data["model_url"]


def test_files_come_by_url_too(server: Whole) -> None:
    with website({"/face.jpg": GRACE, "/voice.wav": SPEECH}) as site:
        data = made(server, {"image": f"{site}/face.jpg", "audio": f"{site}/voice.wav"})
    assert data["status"] == "ready", data["error_message"]


def test_of_a_video_the_frame_with_the_face_is_taken(server: Whole) -> None:
    with Image.open(io.BytesIO(GRACE)) as image:
        grey = Image.new("RGB", (512, 600), (128, 128, 128))
        film = filmed([grey, grey, image.convert("RGB"), grey])
    data = made(server, {"video": text(film, "video/mp4")})
    assert data["status"] == "ready", data["error_message"]
    with Image.open(io.BytesIO(httpx.get(data["image_url"]).content)) as chosen:
        assert np.array(chosen.convert("L")).std() > 20


def nothing_there() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (600, 600), (90, 120, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("field", "data", "says"),
    [
        ("image", nothing_there(), "image: No face was found"),
        ("image", GRACE[:2000], "image: "),
        ("image", SPEECH, "image: "),
        ("video", GRACE, "video: "),
        ("audio", GRACE, "audio: "),
        ("audio", SPEECH[:9000], "audio: "),
    ],
    ids=["no face", "cut", "sound for picture", "picture for video", "picture for sound", "hardly any speech"],
)
def test_what_cannot_be_used_fails_with_a_helpful_text_and_is_not_paid(
    server: Whole, field: str, data: bytes, says: str
) -> None:
    before = balance(server)
    result = made(server, {field: text(data)})
    assert result["status"] == "failed"
    assert result["error_message"].startswith(says)
    assert (result["image_url"], result["video_url"], result["model_url"]) == (None, None, None)
    assert balance(server) == before


def test_a_file_that_is_not_there_fails(server: Whole) -> None:
    with website({}) as site:
        data = made(server, {"image": f"{site}/face.jpg"})
    assert (data["status"], data["error_message"]) == ("failed", "image: The server answered 404.")


@pytest.mark.parametrize(
    ("body", "status_code", "says"),
    [
        ({"image": "file:///etc/passwd"}, 400, "image: "),
        ({"image": "https://user:secret@example.com/a.jpg"}, 400, "image: "),
        ({"video": "gopher://example.com/"}, 400, "video: "),
        ({"audio": "this is no base64!"}, 400, "audio: "),
        ({"image": "data:image/png,abc"}, 400, "image: "),
        ({"image": 5}, 400, "image: "),
        ({"prompt": "x" * 8001}, 400, "prompt: "),
        ([], 400, ""),
    ],
)
def test_what_is_wrong_with_a_request_is_said_at_once(server: Whole, body: Any, status_code: int, says: str) -> None:
    before = balance(server)
    answer = ask(server, body)
    assert answer.status_code == status_code
    assert set(answer.json()) == {"error", "code", "details"}
    assert answer.json()["error"].startswith(says)
    assert balance(server) == before


def test_whoever_has_no_key_gets_the_family_s_401(server: Whole) -> None:
    for answer in (ask(server, {}, key="wrong"), httpx.post(f"{server.url}/v1/agent/generate", json={})):
        assert answer.status_code == 401
        assert answer.json()["code"] == "UNAUTHORIZED"
        assert answer.json()["details"]


def test_whoever_cannot_pay_gets_402_and_nothing_is_left(server: Whole) -> None:
    key = another_account(server)
    folders = set((server.settings.data_dir / "agents").iterdir())
    answer = ask(server, {"image": text(GRACE)}, key=key)
    assert (answer.status_code, answer.json()["code"]) == (402, "PAYMENT_REQUIRED")
    assert set((server.settings.data_dir / "agents").iterdir()) <= folders


def test_nobody_else_sees_or_uses_an_agent(server: Whole) -> None:
    data = made(server, {"prompt": "You are Ada."})
    key = another_account(server)
    assert status(server, data["agent_id"], key).status_code == 404
    assert status(server, "A00AAA0000").status_code == 404
    headers = {"Authorization": f"Bearer {key}"}
    asked = httpx.post(f"{server.url}/api/sessions", json={"agentId": data["agent_id"]}, headers=headers)
    assert asked.status_code == 404


def test_a_link_is_worth_nothing_when_it_is_changed(server: Whole) -> None:
    data = made(server, {})
    url = httpx.URL(data["model_url"])
    assert httpx.get(url.copy_set_param("signature", "0" * 64)).status_code == 403
    assert httpx.get(url.copy_set_param("expires", "99999999999")).status_code == 403
    assert httpx.get(str(url).replace("avatar.zip", "preview.mp4")).status_code == 403


def test_one_key_orders_once(server: Whole) -> None:
    before = balance(server)
    first, second = (ask(server, {"prompt": "You are Ada."}, **{"Idempotency-Key": "one"}) for _ in range(2))
    assert first.json() == second.json()
    settled(server, first.json()["agent_id"])
    assert balance(server) == before - server.settings.prices.agent
    assert ask(server, {"prompt": "You are Bob."}, **{"Idempotency-Key": "one"}).status_code == 409


async def test_a_ready_agent_is_heard_and_seen_in_a_session(server: Whole) -> None:
    data = await asyncio.to_thread(
        made, server, {"prompt": "You are Ada, an art critic.", "image": text(GRACE), "audio": text(SPEECH)}
    )
    async with asyncio.timeout(180):
        async with calling(server.url, data["agent_id"], key=server.key, video=True) as caller:
            await caller.connected()
            await caller.until_audible()
            while len(caller.pictures) < 10:
                await caller.news()


def test_the_page_on_this_machine_talks_to_the_operators_agents(server: Whole) -> None:
    data = made(server, {"prompt": "You are Ada."})
    with server.visitor() as page:
        listed = {agent["id"]: agent for agent in page.get("/api/sessions/agents").json()["data"]}
        assert listed[data["agent_id"]]["name"] == "Ada"
        assert page.get(listed[data["agent_id"]]["poster"]).status_code == 200
        assert page.post("/api/sessions", json={"agentId": data["agent_id"]}).status_code == 201


def test_orders_that_a_crash_interrupted_are_made_and_those_of_a_lost_server_refunded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.sleep(3600)

    with monkeypatch.context() as patched:
        patched.setattr(generation.Generations, "_make", never)
        with whole(tmp_path, **NO_LIMITS) as before:
            ordered = [ask(before, {"image": text(GRACE)}).json()["agent_id"] for _ in range(2)]
            assert {status(before, each).json()["data"]["status"] for each in ordered} == {"processing"}
            paid = balance(before)
    with whole(tmp_path, **NO_LIMITS) as after:
        assert [settled(after, each)["status"] for each in ordered] == ["ready", "ready"]
        assert balance(after) == paid
        with monkeypatch.context() as patched:
            patched.setattr(generation.Generations, "_make", never)
            lost = ask(after, {}).json()["agent_id"]
            price = after.settings.prices.agent
            assert balance(after) == paid - price
            later = datetime.fromisoformat(status(after, lost).json()["data"]["created_at"]) + timedelta(hours=2)
            after.run(after.parts.people.generations.sweep(later))
            data = status(after, lost).json()["data"]
            assert (data["status"], data["error_message"]) == ("failed", generation.OUR_FAULT)
            assert balance(after) == paid
            assert not after.database.run_here(ledger.audit)


@pytest.mark.slow
def test_a_killed_server_loses_no_agent_and_no_credit(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    key = "sk_live_" + "k" * 32
    environment |= {"VISAVIS_DATA_DIR": str(tmp_path), "VISAVIS_BOOTSTRAP_KEY": key, "VISAVIS_LIMITS__ENABLED": "false"}
    headers = {"api-secret": key}

    @contextmanager
    def serving() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve"], env={**environment, "VISAVIS_PORT": str(port)}
        )
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(2400):
                with suppress(httpx.TransportError):
                    if httpx.get(f"{url}/readyz", timeout=60).status_code == 200:
                        break
                time.sleep(0.1)
            yield process, url
        finally:
            process.kill()
            process.wait()

    ordered = []
    with serving() as (process, url):
        for _ in range(3):
            answer = httpx.post(f"{url}/v1/agent/generate", json={"image": text(GRACE)}, headers=headers, timeout=120)
            assert answer.status_code == 200, answer.text
            ordered.append(answer.json()["agent_id"])
        time.sleep(1.0)
        process.kill()
    with serving() as (_, url):
        until = time.monotonic() + 240
        found: set[str] = {"processing"}
        while "processing" in found and time.monotonic() < until:
            time.sleep(0.3)
            found = {
                httpx.get(f"{url}/v1/agent/status/{each}", headers=headers, timeout=60).json()["data"]["status"]
                for each in ordered
            }
        assert found == {"ready"}
    database = Database(f"sqlite:///{tmp_path}/visavis.db", threads=1)
    try:
        assert database.run_here(ledger.audit) == []
        account = database.run_here(authenticate, key)
        assert account is not None
        entries = database.run_here(ledger.entries, account.account_id)
        assert sorted(entry.kind for entry in entries if entry.job_id in ordered) == ["reserve"] * 3 + ["settle"] * 3
        used = database.run_here(lambda session: set(session.scalars(select(MadeAgent.avatar_id))))
        there = database.run_here(lambda session: set(session.scalars(select(Avatar.id))))
        assert len(used) == 3
        # What was being written when the server was killed has a name with a dot until the sweep an hour later.
        kept = {path.name for path in (tmp_path / "avatars").iterdir() if not path.name.startswith(".")}
        assert used == there == kept
    finally:
        database.close()
