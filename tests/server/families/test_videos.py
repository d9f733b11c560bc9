"""F1's videos: ordered, paid, listed, read, by whom they belong to."""

from __future__ import annotations

from typing import Any

from server.database import Database
from server.settings import Settings
from tests.server.families.world import CREDITS, PRICES, Client, World
from tests.server.gate.serving import served

SCRIPT = "Good morning. This is the video that we promised you."


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"script": "  "}, "script: must not be blank"),
    ({"script": None}, "script: must be a valid string"),
    ({"duration": 0}, "duration: must be greater than or equal to 1"),
    ({"duration": "long"}, "duration: must be a valid number"),
    ({"avatar_id": "avatar_0000000000000000"}, "avatar_id: there is no such avatar"),
    ({"avatar_id": "../../etc"}, "avatar_id: "),
    ({"language": "tlh"}, "language: no voice here speaks 'tlh'; there are voices for en, es"),
    ({"language": "english please"}, "language: must be a language such as en"),
    ({"script": SCRIPT * 20, "duration": 10}, "script: takes about 54 s to say however fast"),
]


async def order(client: Client, **changed: Any) -> dict[str, Any]:
    avatar = await client.world.avatar()
    body = {"avatar_id": avatar.id, "script": SCRIPT, "language": "en-US", "duration": 45, **changed}
    answer = await client.post("/v1/videos", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_video_is_queued_and_paid(client: Client) -> None:
    video = await order(client)
    assert video["id"].startswith("video_")
    assert video | {"created_at": "", "id": "", "avatar_id": ""} == {
        "id": "",
        "status": "queued",
        "avatar_id": "",
        "video_url": None,
        "duration": None,
        "error": None,
        "created_at": "",
        "completed_at": None,
        "thumbnail_url": None,
        "metadata": {},
    }
    assert client.world.balance() == CREDITS - PRICES.avatar_video
    job = client.world.job(video["id"])
    assert (job.family, job.kind, job.payload["voice"], job.payload["language"]) == ("F1", "video", "piper-joe", "en")
    assert (await client.get(f"/v1/videos/{video['id']}")).json() == video


async def test_a_finished_video_has_its_file_signed_and_its_metadata(client: Client) -> None:
    video = await order(client)
    client.world.complete(video["id"], ["outputs/x/video.mp4", "outputs/x/poster.webp"], {"durationSeconds": 4.2})
    shown = (await client.get(f"/v1/videos/{video['id']}")).json()
    assert shown["status"] == "completed"
    assert shown["duration"] == 4.2
    assert client.world.opened(shown["video_url"]) == "outputs/x/video.mp4"
    assert client.world.opened(shown["thumbnail_url"]) == "outputs/x/poster.webp"
    assert shown["completed_at"].endswith("Z")


async def test_a_failed_video_says_why_and_gives_the_credits_back(client: Client) -> None:
    video = await order(client)
    client.world.fail(video["id"], "The avatar is not there any more")
    shown = (await client.get(f"/v1/videos/{video['id']}")).json()
    assert (shown["status"], shown["error"]) == ("failed", "The avatar is not there any more")
    assert client.world.balance() == CREDITS


async def test_content_keeps_the_prompt_for_the_writer(client: Client) -> None:
    avatar = await client.world.avatar()
    body = {"prompt": "Make a video about tea", "avatar_id": avatar.id, "language": "es", "duration": 60}
    video = (await client.post("/v1/content/generate", json=body)).json()
    payload = client.world.job(video["id"]).payload
    assert (payload["prompt"], payload["script"], payload["seconds"]) == ("Make a video about tea", None, 60)
    assert (payload["voice"], payload["language"]) == ("kokoro:ef_dora", "es")
    assert client.world.balance() == CREDITS - PRICES.content


async def test_an_avatars_own_voice_speaks_where_it_speaks_the_language(client: Client) -> None:
    avatar = await client.world.avatar(voice="kokoro:af_heart")
    for language, voice in (("en", "kokoro:af_heart"), ("es", "kokoro:ef_dora")):
        body = {"avatar_id": avatar.id, "script": SCRIPT, "language": language}
        made = (await client.post("/v1/videos", json=body)).json()
        assert client.world.job(made["id"]).payload["voice"] == voice


async def test_what_cannot_be_made_is_422_and_costs_nothing(client: Client) -> None:
    avatar = await client.world.avatar()
    for changed, error in WRONG:
        answer = await client.post("/v1/videos", json={"avatar_id": avatar.id, "script": SCRIPT, **changed})
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] == "BAD_REQUEST"
        assert answer.json()["error"].startswith(error), answer.text
    assert client.world.balance() == CREDITS


async def test_nobody_orders_with_another_accounts_avatar_or_reads_its_videos(client: Client) -> None:
    video = await order(client)
    stranger = client.world.stranger()
    body = {"avatar_id": video["avatar_id"], "script": SCRIPT}
    assert (await client.post("/v1/videos", json=body, headers=stranger)).status_code == 422
    assert (await client.get(f"/v1/videos/{video['id']}", headers=stranger)).status_code == 404
    assert (await client.get("/v1/videos", headers=stranger)).json() == {"data": [], "has_more": False}
    after = await client.get(f"/v1/videos?starting_after={video['id']}", headers=stranger)
    assert after.status_code == 422


async def test_videos_come_in_pages_the_newest_first(client: Client) -> None:
    made = [(await order(client))["id"] for _ in range(3)]
    first = (await client.get("/v1/videos?limit=2")).json()
    assert [video["id"] for video in first["data"]] == made[:0:-1]
    assert first["has_more"] is True
    rest = (await client.get(f"/v1/videos?limit=2&starting_after={made[1]}")).json()
    assert ([video["id"] for video in rest["data"]], rest["has_more"]) == (made[:1], False)
    for wrong in ("limit=0", "limit=101", "limit=x", "starting_after=video_unknown"):
        assert (await client.get(f"/v1/videos?{wrong}")).status_code == 422


async def test_the_same_order_with_one_key_is_one_video(client: Client) -> None:
    avatar = await client.world.avatar()
    body = {"avatar_id": avatar.id, "script": SCRIPT}
    headers = {**client.world.headers, "idempotency-key": "once"}
    first = await client.post("/v1/videos", json=body, headers=headers)
    second = await client.post("/v1/videos", json=body, headers=headers)
    assert first.json() == second.json()
    assert client.world.balance() == CREDITS - PRICES.avatar_video
    other = await client.post("/v1/videos", json={**body, "script": "Something else."}, headers=headers)
    assert other.status_code == 409


async def test_an_account_without_credits_is_told_so(client: Client) -> None:
    made = 0
    for _ in range(CREDITS // PRICES.content + 1):
        avatar = await client.world.avatar()
        answer = await client.post("/v1/content/generate", json={"prompt": "tea", "avatar_id": avatar.id})
        if answer.status_code != 201:
            break
        made += 1
        client.world.complete(answer.json()["id"], ["outputs/x/video.mp4"], {})
    assert answer.status_code == 402
    assert answer.json()["code"] == "PAYMENT_REQUIRED"
    assert client.world.balance() == CREDITS - made * PRICES.content


async def test_the_small_model_writes_few_languages_and_says_which(settings: Settings, database: Database) -> None:
    world = World(settings, database, small_writer=True)
    async with served(settings, database, world.endpoints(), enabled=False) as service:
        client = Client(service.client, world)
        avatar = await world.avatar()
        body = {"prompt": "tea", "avatar_id": avatar.id, "language": "hi"}
        answer = await client.post("/v1/content/generate", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith("language: scripts are written in en, es, fr, it, pt here")
    await world.library.close()
