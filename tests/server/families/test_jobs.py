"""Jobs and webhooks as their owner sees them: listed, read, cancelled, delivered."""

from __future__ import annotations

from typing import Any

from tests.server.families.world import CREDITS, PRICES, Client

VOICE = {"text": "Good morning.", "model": "fish-audio-s1"}
HOOK = "https://hooks.example.com/videos"


async def voice(client: Client) -> str:
    answer = await client.post("/api/generate/voice", json=VOICE)
    return str(answer.json()["data"]["jobId"])


async def test_a_job_is_read_while_it_waits_and_when_it_is_done(client: Client) -> None:
    job_id = await voice(client)
    waiting = (await client.get(f"/api/jobs?id={job_id}")).json()["data"]
    assert (waiting["status"], waiting["outputUrl"], waiting["error"], waiting["type"]) == (
        "queued",
        None,
        None,
        "voice",
    )
    client.world.complete(job_id, ["outputs/x/voice.wav"], {"durationSeconds": 1.2})
    done = (await client.get(f"/api/jobs?id={job_id}")).json()["data"]
    assert (done["status"], done["metadata"], done["progress"]) == ("completed", {"durationSeconds": 1.2}, 1.0)
    assert client.world.opened(done["outputUrl"]) == "outputs/x/voice.wav"
    assert done["completedAt"] is not None


async def test_jobs_come_in_pages_by_status_and_only_ones_own(client: Client) -> None:
    made = [await voice(client) for _ in range(3)]
    client.world.fail(made[0], "It could not be spoken")
    first = (await client.get("/api/jobs?limit=2")).json()
    assert ([job["id"] for job in first["data"]], first["hasMore"]) == (made[:0:-1], True)
    rest = (await client.get(f"/api/jobs?startingAfter={made[1]}")).json()
    assert ([job["id"] for job in rest["data"]], rest["hasMore"]) == (made[:1], False)
    (failed,) = (await client.get("/api/jobs?status=failed")).json()["data"]
    assert (failed["id"], failed["error"]) == (made[0], "It could not be spoken")
    stranger = client.world.stranger()
    assert (await client.get("/api/jobs", headers=stranger)).json()["data"] == []
    for path in (f"/api/jobs?id={made[1]}", "/api/jobs?id=unknown"):
        assert (await client.get(path, headers=stranger)).status_code == 404
    assert (await client.get(f"/api/jobs?startingAfter={made[1]}", headers=stranger)).status_code == 400


async def test_a_job_that_waits_is_cancelled_once_and_its_credits_return(client: Client) -> None:
    job_id = await voice(client)
    assert client.world.balance() == CREDITS - PRICES.voice
    stranger = await client.http.delete(f"/api/jobs/{job_id}", headers=client.world.stranger())
    assert stranger.status_code == 404
    answer = await client.http.delete(f"/api/jobs/{job_id}", headers=client.world.headers)
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "cancelled")
    assert client.world.balance() == CREDITS
    again = await client.http.delete(f"/api/jobs/{job_id}", headers=client.world.headers)
    assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")
    assert client.world.balance() == CREDITS


async def registered(client: Client, **changed: Any) -> dict[str, Any]:
    answer = await client.post("/v1/webhooks", json={"url": HOOK, **changed})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_webhook_shows_its_secret_once_and_hears_of_its_accounts_videos_alone(client: Client) -> None:
    hook = await registered(client, events=["video.completed"])
    assert hook["secret"].startswith("whsec_")
    (listed,) = (await client.get("/v1/webhooks")).json()["data"]
    assert listed == {name: value for name, value in hook.items() if name != "secret"}
    avatar = await client.world.avatar()
    body = {"avatar_id": avatar.id, "script": "Good morning."}
    good, bad = [(await client.post("/v1/videos", json=body)).json()["id"] for _ in range(2)]
    job = await voice(client)
    client.world.complete(good, ["outputs/x/video.mp4"], {})
    client.world.complete(job, ["outputs/x/voice.wav"], {})
    client.world.fail(bad, "The avatar is not there any more")
    sent = (await client.get("/api/webhooks/deliveries")).json()
    assert [(each["jobId"], each["event"], each["url"], each["status"]) for each in sent["data"]] == [
        (good, "video.completed", HOOK, "pending")
    ]
    one = sent["data"][0]["id"]
    waiting = await client.post(f"/api/webhooks/deliveries/{one}/redeliver")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "CONFLICT")
    stranger = client.world.stranger()
    assert (await client.get("/api/webhooks/deliveries", headers=stranger)).json()["data"] == []
    hidden = await client.post(f"/api/webhooks/deliveries/{one}/redeliver", headers=stranger)
    assert hidden.status_code == 404


async def test_a_webhook_is_deleted_by_its_owner_alone(client: Client) -> None:
    hook = await registered(client)
    path = f"/v1/webhooks/{hook['id']}"
    assert (await client.http.delete(path, headers=client.world.stranger())).status_code == 404
    assert (await client.http.delete(path, headers=client.world.headers)).json() == {"id": hook["id"], "deleted": True}
    assert (await client.get("/v1/webhooks")).json() == {"data": [], "has_more": False}
    assert (await client.http.delete(path, headers=client.world.headers)).status_code == 404


async def test_webhooks_that_lead_inside_or_are_no_events_are_refused(client: Client) -> None:
    for body, error in (
        ({"url": "https://127.0.0.1/x"}, "url: "),
        ({"url": "http://hooks.example.com/x"}, "url: "),
        ({"url": HOOK, "events": ["video.started"]}, "events"),
        ({"url": HOOK, "events": []}, "events"),
        ({}, "url: is required"),
    ):
        answer = await client.post("/v1/webhooks", json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"].startswith(error), answer.text
