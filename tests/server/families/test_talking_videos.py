"""F5's talking videos."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.seeds.sample import sample_json
from tests.server.families.world import CREDITS, PRICES, Client

BODY = sample_json("talking_video")

WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"image_url": None}, 400, "image_url: "),
    ({"image_url": "https://10.0.0.1/a.png"}, 400, "image_url: "),
    ({"audio_url": "https://localhost/a.mp3"}, 400, "audio_url: "),
    ({"job_type": "something_else"}, 400, "job_type: "),
    ({"project_id": "../../etc"}, 400, "project_id: must be a UUID"),
    ({"output_size": 20}, 400, "output_size: "),
    ({"output_size": 4000}, 400, "output_size: "),
    ({"dynamic_scale": 3}, 400, "dynamic_scale: "),
    ({"expand_ratio": -1}, 400, "expand_ratio: "),
    ({"iteration_count": 0}, 400, "iteration_count: "),
    ({"version": 7}, 400, "version: "),
    ({"crop": "yes"}, 400, "crop: "),
    ({"values": {}}, 400, "values: "),
    ({"is_clone_required": True}, 403, "no engine is configured for voice cloning"),
]


async def test_the_sample_queues_a_job_with_every_option(client: Client) -> None:
    answer = await client.post("/jobs/v2", json=BODY)
    assert answer.status_code == 202
    job_id = answer.json()["jobId"]
    assert answer.json() == {"jobId": job_id, "status": "queued"}
    job = client.world.job(job_id)
    assert (job.family, job.kind) == ("F5", "talking")
    asked = {name: BODY[name] for name in job.payload}
    assert dict(job.payload) == asked
    assert client.world.balance() == CREDITS - PRICES.talking_video


async def test_a_finished_job_shows_its_file(client: Client) -> None:
    job_id = (await client.post("/jobs/v2", json=BODY)).json()["jobId"]
    assert (await client.get(f"/jobs/v2/{job_id}")).json()["status"] == "queued"
    key = f"ai-talking-videos/{BODY['project_id']}/outputs/{job_id}.mp4"
    client.world.complete(job_id, [key], {"durationSeconds": 3.0})
    shown = (await client.get(f"/jobs/v2/{job_id}")).json()
    assert (shown["status"], shown["outputKey"], shown["type"]) == ("completed", key, "ai_talking_video")
    assert client.world.opened(shown["outputUrl"]) == key
    stranger = await client.get(f"/jobs/v2/{job_id}", headers=client.world.stranger())
    assert stranger.status_code == 404


async def test_what_cannot_be_made_costs_nothing(client: Client) -> None:
    for changed, status, error in WRONG:
        answer = await client.post("/jobs/v2", json={**BODY, **changed})
        assert answer.status_code == status, answer.text
        assert answer.json()["error"].startswith(error), answer.text
    assert client.world.balance() == CREDITS


async def test_whole_numbers_may_be_written_with_a_point(client: Client) -> None:
    answer = await client.post("/jobs/v2", json={**BODY, "output_size": 400.0, "dynamic_scale": 1})
    assert answer.status_code == 202


async def test_only_the_two_urls_are_needed(client: Client) -> None:
    body = {"image_url": BODY["image_url"], "audio_url": BODY["audio_url"]}
    job_id = (await client.post("/jobs/v2", json=body)).json()["jobId"]
    assert client.world.job(job_id).payload["project_id"] == job_id


async def test_a_path_is_signed_for_fifteen_minutes_for_its_own_account(client: Client) -> None:
    key = f"ai-talking-videos/{BODY['project_id']}/outputs/clip.mp4"
    client.world.store(key)
    answer = await client.get("/storage/generate-signed-path", params={"path": key})
    assert answer.status_code == 200
    assert client.world.opened(answer.json()["signedUrl"]) == key
    expires = datetime.fromisoformat(answer.json()["expiresAt"])
    assert 14 * 60 < (expires - datetime.now(UTC)).total_seconds() <= 15 * 60
    signed = dict(parse_qsl(urlsplit(answer.json()["signedUrl"]).query))
    assert abs(int(signed["expires"]) - expires.timestamp()) <= 1
    stranger = client.world.stranger()
    for path, headers in (
        (key, stranger),
        ("unknown/file.mp4", None),
        ("../../etc/passwd", None),
        ("/etc/passwd", None),
        (f"{client.world.account}/{key}", None),
        ("x", None),
    ):
        hidden = await client.get(
            "/storage/generate-signed-path", params={"path": path}, headers=headers or client.world.headers
        )
        assert (hidden.status_code, hidden.json()["code"]) == (404, "NOT_FOUND"), path
    assert (await client.get("/storage/generate-signed-path")).status_code == 400
