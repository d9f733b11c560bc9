"""What `/api/generate` and F4 accept, what it costs, and who serves it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from server.credits import audit, reserve
from server.gate.call import ApiCall, ApiResult
from server.platform.engines import Engines, Generation
from server.platform.generation import LISTING_PATH, Queued, QueuedJob
from tests.server.gate.serving import Served

URL = "https://example.com/file"
VALID: dict[str, dict[str, Any]] = {
    "image": {"prompt": "a city"},
    "video": {"script": "hello"},
    "voice": {"text": "hello"},
    "voice-clone": {"name": "me", "sampleAudioUrl": URL},
    "avatar": {"image": URL, "resolution": "720p", "model": "veed-fabric", "text": "hello"},
    "clip": {"sourceVideoUrl": URL},
    "b-roll": {"prompt": "waves"},
    "text2video": {"script": "hello"},
    "commercial": {"product": "soap", "platform": "tv", "duration": 30, "tone": "funny"},
    "translate": {"videoUrl": URL, "outputLanguage": "de"},
    "instant-ad": {"websiteUrl": URL, "platform": "tiktok", "count": 3, "style": "bold"},
    "photoshoot": {
        "productImage": URL,
        "background": "custom",
        "angle": "hero",
        "lighting": "soft",
        "count": 4,
    },
}
PRICES = {
    "image": 10,
    "video": 250,
    "voice": 80,
    "voice-clone": 80,
    "avatar": 750,
    "clip": 30,
    "b-roll": 150,
    "text2video": 250,
    "commercial": 3000,
    "translate": 1800,
    "instant-ad": 1000,
    "photoshoot": 30,
}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("image", {"prompt": "x" * 2001}, "prompt"),
    ("image", {"width": 255}, "width"),
    ("image", {"height": 2049}, "height"),
    ("image", {"steps": 51}, "steps"),
    ("image", {"seed": -1}, "seed"),
    ("image", {"style": "cubist"}, "style"),
    ("image", {"model": "flux-9"}, "model"),
    ("video", {"script": "x" * 5001}, "script"),
    ("video", {"avatarImage": "http://example.com/x"}, "avatarImage"),
    ("video", {"duration": 2}, "duration"),
    ("video", {"duration": 61}, "duration"),
    ("video", {"resolution": "480p"}, "resolution"),
    ("voice", {"text": "x" * 10_001}, "text"),
    ("voice", {"speed": 0.4}, "speed"),
    ("voice", {"speed": 2.1}, "speed"),
    ("voice", {"language": "english please"}, "language"),
    ("voice", {"model": "veed-fabric"}, "model"),
    ("voice-clone", {"name": "x" * 101}, "name"),
    ("voice-clone", {"sampleAudioUrl": "https://10.0.0.1/x"}, "sampleAudioUrl"),
    ("avatar", {"text": None}, "audio"),
    ("avatar", {"resolution": "4k"}, "resolution"),
    ("avatar", {"audio": "https://localhost/x"}, "audio"),
    ("clip", {"maxClips": 21}, "maxClips"),
    ("clip", {"minDuration": 9, "maxDuration": 8}, "minDuration"),
    ("clip", {"viralScoreThreshold": 11}, "viralScoreThreshold"),
    ("clip", {"aspectRatio": "4:3"}, "aspectRatio"),
    ("b-roll", {"duration": 7}, "duration"),
    ("b-roll", {"model": "veo-3.1"}, "model"),
    ("text2video", {"style": "casual"}, "style"),
    ("commercial", {"duration": 45}, "duration"),
    ("commercial", {"tone": "sad"}, "tone"),
    ("commercial", {"productImages": [URL, "https://127.1/x"]}, "productImages[1]"),
    ("translate", {"outputLanguage": "d"}, "outputLanguage"),
    ("instant-ad", {"count": 5}, "count"),
    ("instant-ad", {"outputFormat": "gif"}, "outputFormat"),
    ("photoshoot", {"angle": "below"}, "angle"),
    ("photoshoot", {"count": 0}, "count"),
]


@pytest.mark.parametrize("kind", VALID)
async def test_without_an_engine_it_says_so_and_takes_nothing(service: Served, kind: str) -> None:
    headers = service.bearer(credits=10_000)
    answer = await service.client.post(f"/api/generate/{kind}", json=VALID[kind], headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "FORBIDDEN"
    assert answer.json()["error"].startswith("no engine is configured for ")
    assert (await service.client.get("/api/usage", headers=headers)).json()["data"]["credits"] == 10_000


@pytest.mark.parametrize(("kind", "change", "field"), WRONG)
async def test_what_is_wrong_is_named(service: Served, kind: str, change: dict[str, Any], field: str) -> None:
    body = VALID[kind] | change
    answer = await service.client.post(f"/api/generate/{kind}", json=body, headers=service.bearer())
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{field}: ")


@pytest.mark.parametrize("kind", VALID)
async def test_every_required_field_is_required(service: Served, kind: str) -> None:
    headers = service.bearer()
    optional = {("avatar", "text")}
    for field in VALID[kind]:
        if (kind, field) in optional:
            continue
        body = {name: value for name, value in VALID[kind].items() if name != field}
        answer = await service.client.post(f"/api/generate/{kind}", json=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"] == f"{field}: is required"


class Recorder:
    """An engine that takes the credits and remembers what for."""

    def __init__(self) -> None:
        self.done: list[Generation] = []

    async def serve(self, call: ApiCall[Any], generation: Generation) -> ApiResult:
        """Take the credits."""
        self.done.append(generation)
        return await call.transact(self._take, call.account.id, generation)

    def _take(self, session: Session, account_id: str, generation: Generation) -> ApiResult:
        job_id = f"job{len(self.done)}"
        reserve(session, account_id, generation.price, job_id=job_id, item=generation.item)
        return ApiResult(Queued(data=QueuedJob(job_id=job_id, message=f"{generation.kind} queued")))


@pytest.mark.parametrize("kind", sorted(set(VALID) - {"voice", "voice-clone"}))
async def test_an_engine_gets_what_was_asked_for_at_its_price(service: Served, engines: Engines, kind: str) -> None:
    recorder = Recorder()
    engine = "avatar" if kind == "avatar" else ""
    engines.add(engine, kind, recorder.serve)
    headers = service.bearer(credits=10_000)
    answer = await service.client.post(f"/api/generate/{kind}", json=VALID[kind], headers=headers)
    assert answer.status_code == 202
    assert answer.json() == {"data": {"jobId": "job1", "status": "queued", "message": f"{kind} queued"}}
    [generation] = recorder.done
    assert (generation.kind, generation.price, generation.engine) == (kind, PRICES[kind], engine)
    usage = (await service.client.get("/api/usage", headers=headers)).json()["data"]
    assert usage["credits"] == 10_000 - PRICES[kind]
    assert sum(usage["used"].values()) == 1


async def test_a_model_above_the_plan_is_refused_whoever_serves_it(service: Served, engines: Engines) -> None:
    engines.add("", "image", Recorder().serve)
    body = {"prompt": "x", "model": "flux-kontext-max"}
    answer = await service.client.post("/api/generate/image", json=body, headers=service.bearer("pro"))
    assert answer.status_code == 403
    assert answer.json()["error"] == "The model flux-kontext-max needs the business plan; yours is pro"
    assert (await service.client.post("/api/generate/image", json=body, headers=service.bearer())).status_code == 202


async def test_voices_are_cloned_from_the_creator_plan_on(service: Served) -> None:
    for plan, said in (("free", "This needs the creator plan"), ("creator", "no engine is configured for voice-clone")):
        answer = await service.client.post(
            "/api/generate/voice-clone", json=VALID["voice-clone"], headers=service.bearer(plan)
        )
        assert answer.status_code == 403
        assert answer.json()["error"].startswith(said)


async def test_a_job_that_cannot_be_paid_is_not_made(service: Served, engines: Engines) -> None:
    engines.add("avatar", "avatar", Recorder().serve)
    answer = await service.client.post(
        "/api/generate/avatar", json=VALID["avatar"], headers=service.bearer(credits=749)
    )
    assert answer.status_code == 402
    assert service.database.run_here(audit) == []


LISTING = {"image_urls": ["https://example.com/1.jpg"], "description": "Bright apartment with a terrace."}


async def test_a_listing_video_has_no_engine_yet(service: Served) -> None:
    headers = service.bearer()
    answer = await service.client.post(LISTING_PATH, json=LISTING, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert (await service.client.get(f"{LISTING_PATH}/unknown", headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image_urls": []}, "image_urls"),
        ({"image_urls": ["x"]}, "image_urls[0]"),
        ({"image_urls": ["https://[fe80::1]/x"]}, "image_urls[0]"),
        ({"description": "too short"}, "description"),
        ({"format": "round"}, "format"),
        ({"colors": ["#1a1a2e"]}, "colors"),
        ({"colors": ["#1a1a2e", "white"]}, "colors[1]"),
        ({"displayLogo": True}, "logoUrl"),
        ({"displayLogo": "yes"}, "displayLogo"),
        ({"webhookUrl": "https://10.0.0.1/"}, "webhookUrl"),
    ],
)
async def test_a_listing_video_that_cannot_be_made_is_refused(
    service: Served, change: dict[str, Any], field: str
) -> None:
    answer = await service.client.post(LISTING_PATH, json=LISTING | change, headers=service.bearer())
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{field}: ")
