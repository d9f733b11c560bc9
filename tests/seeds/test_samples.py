"""Every code sample of the API's documents against a live server: unmodified but for host names, keys and ids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from media.avatar.assets import DEMO_PORTRAIT
from tests.peers.files import serving
from tests.peers.webhook_receiver import Receiver, receiving
from tests.seeds.live import Live, has_node, live
from tests.seeds.sample import sample_json

pytestmark = pytest.mark.models

VIDEO = {"completed": True, "failed": False}
AGENT = {"ready": True, "failed": False}
JOB = {"completed": True, "failed": False, "cancelled": False}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server and one worker for all samples, and a web server for the media they name."""
    folder, media = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("media")
    with Image.open(DEMO_PORTRAIT) as portrait:
        for name in ("photo.jpg", "artwork.jpg", "1.jpg", "image.png"):
            portrait.convert("RGB").save(media / name)
    shutil.copyfile("tests/speech/open_hours.wav", media / "audio.mp3")  # told by its content, whatever its name
    with serving(media) as address, live(folder, address) as made:
        yield made


def test_the_quick_start_lists_avatars(server: Live) -> None:
    done = server.run("avatars_quick_start.sh.txt")
    assert json.loads(done.stdout) == {"data": [], "has_more": False}, done


def test_an_image_in_curl_is_refused_as_documented_and_costs_nothing(server: Live) -> None:
    before = server.credits()
    done = server.run("generate_image.sh.txt")
    answer = json.loads(done.stdout)
    assert answer["code"] == "FORBIDDEN"
    assert answer["error"].startswith("no engine is configured for")
    assert server.credits() == before


def test_an_image_in_python_is_refused_as_documented(server: Live) -> None:
    done = server.run("generate_image.py.txt")
    assert done.returncode != 0
    assert "403 Client Error: Forbidden" in done.stderr, done


def test_an_image_in_node_is_refused_as_documented(server: Live) -> None:
    if not has_node():
        pytest.skip("there is no node here")
    done = server.run("generate_image.mjs.txt")
    assert done.returncode != 0
    assert "Cannot read properties of undefined (reading 'jobId')" in done.stderr, done


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def test_an_avatar_is_made_and_speaks_and_a_webhook_hears_of_it(server: Live, receiver: Receiver) -> None:
    hook = server.ask("POST", "/v1/webhooks", json={"url": receiver.url("/ok")}).json()
    receiver.secrets["/ok"] = hook["secret"]
    body = {
        **sample_json("create_avatar"),
        "image_url": f"{server.media}/photo.jpg",
        "voice_id": "piper-joe",
    }
    avatar = server.ask("POST", "/v1/avatars", json=body)
    assert avatar.status_code == 201, avatar.text
    assert avatar.json()["name"] == "My New Avatar"
    preview = httpx.get(avatar.json()["preview_url"])
    assert (preview.status_code, preview.headers["content-type"]) == (200, "image/webp")
    order = {**sample_json("create_video"), "avatar_id": avatar.json()["id"]}
    made = server.ask("POST", "/v1/videos", json=order)
    assert made.status_code == 201, made.text
    video = server.wait(f"/v1/videos/{made.json()['id']}", VIDEO)
    film = server.folder / "video.mp4"
    film.write_bytes(httpx.get(video["video_url"]).content)
    with av.open(str(film)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(video["duration"], abs=0.1)
        assert container.streams.video[0].height == 720
    (told,) = receiver.wait(1, 30)
    assert told.genuine
    assert (told.body["event"], told.body["data"]["id"]) == ("video.completed", video["id"])
    assert httpx.get(told.body["data"]["video_url"]).content == film.read_bytes()
    content = server.ask(
        "POST", "/v1/content/generate", json={**sample_json("generate_content"), "avatar_id": avatar.json()["id"]}
    )
    assert content.status_code == 201, content.text
    server.ask("DELETE", f"/api/jobs/{content.json()['id']}")
    listed = server.ask("GET", "/v1/videos").json()["data"]
    assert [each["id"] for each in listed] == [content.json()["id"], video["id"]]


def test_agents_are_created_and_polled(server: Live) -> None:
    for file in ("generate_agent.py.txt", "generate_agent_with_media.py.txt"):
        done = server.run(file)
        assert done.returncode == 0, done
        assert "'success': True" in done.stdout
        assert "'status': 'processing'" in done.stdout
    agent_id = done.stdout.partition("'agent_id': '")[2].partition("'")[0]
    status = server.run("agent_status.py.txt", A81FMS8296=agent_id)
    assert f"'agent_id': '{agent_id}'" in status.stdout, status
    server.wait(f"/v1/agent/status/{agent_id}", AGENT)


def test_the_complete_example_of_an_agent_ends_with_its_model(server: Live) -> None:
    done = server.run("agent_complete.py.txt")
    assert done.returncode == 0, done
    assert "Agent created: " in done.stdout
    assert "Agent ready: http" in done.stdout, done


def test_a_listing_video_is_refused_as_documented_and_unknown_when_polled(server: Live) -> None:
    started = json.loads(server.run("listing_video.sh.txt", **{"https://your-app.com": server.media}).stdout)
    assert started["code"] == "FORBIDDEN"
    polled = json.loads(server.run("listing_video_status.sh.txt").stdout)
    assert polled["code"] == "NOT_FOUND"


def test_a_talking_video_is_ordered_polled_and_fetched_by_its_path(server: Live) -> None:
    before = server.credits()
    body: dict[str, Any] = {
        **sample_json("talking_video"),
        "image_url": f"{server.media}/image.png",
        "audio_url": f"{server.media}/audio.mp3",
    }
    made = server.ask("POST", "/jobs/v2", json=body)
    assert (made.status_code, made.json()["status"]) == (202, "queued")
    job_id = made.json()["jobId"]
    job = server.wait(f"/jobs/v2/{job_id}", JOB)
    assert server.wait(f"/api/jobs?id={job_id}", JOB)["type"] == "ai_talking_video"
    path = f"ai-talking-videos/{body['project_id']}/outputs/{job_id}.mp4"
    assert job["outputKey"] == path
    signed = server.ask("GET", "/storage/generate-signed-path", params={"path": path}).json()
    film = httpx.get(signed["signedUrl"])
    assert (film.status_code, film.headers["content-type"]) == (200, "video/mp4")
    assert server.credits() < before


def test_a_voice_is_ordered_and_heard_of(server: Live) -> None:
    body = {"text": "Welcome. How may I help you today?", "model": "fish-audio-s1"}
    made = server.ask("POST", "/api/generate/voice", json=body)
    assert made.status_code == 202
    assert made.json()["data"]["estimatedMinutes"] == 1
    job = server.wait(f"/api/jobs?id={made.json()['data']['jobId']}", JOB)
    assert job["outputType"] == "audio/wav"
    assert job["metadata"]["model"] == "fish-audio-s1"
    sound = httpx.get(job["outputUrl"])
    assert sound.content[:4] == b"RIFF"
