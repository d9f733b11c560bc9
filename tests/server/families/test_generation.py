"""Voices and talking heads below /api/generate."""

from __future__ import annotations

from typing import Any

from tests.seeds.sample import sample_json
from tests.server.families.world import CREDITS, MOST_ACTIVE, PRICES, Client

VOICE: dict[str, Any] = {"text": "Welcome. How may I help you today?"}
AVATAR: dict[str, Any] = {
    "image": "https://example.com/portrait.jpg",
    "resolution": "720p",
    "model": "veed-fabric",
    "text": "Good morning.",
}


async def test_a_voice_is_queued_with_an_estimate(client: Client) -> None:
    answer = await client.post("/api/generate/voice", json={**VOICE, "model": "fish-audio-s1", "speed": 1.5})
    assert answer.status_code == 202
    data = answer.json()["data"]
    assert data | {"jobId": ""} == {
        "jobId": "",
        "status": "queued",
        "message": "Voice generation job queued",
        "estimatedMinutes": 1,
    }
    job = client.world.job(data["jobId"])
    assert (job.family, job.kind, job.price) == ("F2", "voice", PRICES.voice)
    assert dict(job.payload) == {
        "text": VOICE["text"],
        "voice": "piper-joe",
        "language": "en",
        "speed": 1.5,
        "model": "fish-audio-s1",
    }
    assert client.world.balance() == CREDITS - PRICES.voice


async def test_long_texts_are_estimated_to_take_longer(client: Client) -> None:
    body = {"text": "A sentence of some length, to be said aloud. " * 200, "language": "es"}
    assert (await client.post("/api/generate/voice", json=body)).json()["data"]["estimatedMinutes"] >= 3


async def test_the_voice_is_chosen_by_model_language_and_name(client: Client) -> None:
    for body, voice, language in (
        ({"model": "kokoro"}, "kokoro:af_heart", "en"),
        ({"model": "elevenlabs-v3"}, "piper-joe", "en"),
        ({"language": "es-MX"}, "kokoro:ef_dora", "es"),
        ({"voiceId": "kokoro:ef_dora"}, "kokoro:ef_dora", "es"),
        ({"voiceId": "piper-joe", "language": "en_GB"}, "piper-joe", "en"),
    ):
        answer = await client.post("/api/generate/voice", json={**VOICE, **body})
        payload = client.world.job(answer.json()["data"]["jobId"]).payload
        assert (payload["voice"], payload["language"]) == (voice, language), body


async def test_an_avatar_speaks_a_text_or_a_recording_which_goes_first(client: Client) -> None:
    audio = "https://example.com/speech.mp3"
    for body, said in (({}, ("Good morning.", None)), ({"audio": audio}, (None, audio))):
        answer = await client.post("/api/generate/avatar", json={**AVATAR, **body})
        assert answer.status_code == 202
        job = client.world.job(answer.json()["data"]["jobId"])
        assert (job.payload["text"], job.payload["audio"]) == said
        assert (job.kind, job.price, job.payload["model"]) == ("avatar", PRICES.avatar, "veed-fabric")


async def test_what_cannot_be_made_is_400_and_costs_nothing(client: Client) -> None:
    for path, body, error in (
        ("voice", {**VOICE, "voiceId": "voice_unknown"}, "voiceId: there is no voice 'voice_unknown' here"),
        ("voice", {**VOICE, "language": "de"}, "language: no voice here speaks 'de'"),
        ("voice", {**VOICE, "voiceId": "kokoro:ef_dora", "language": "en"}, "voiceId: kokoro:ef_dora speaks es"),
        ("voice", {**VOICE, "speed": 3}, "speed: "),
        ("avatar", {**AVATAR, "voiceId": "nobody"}, "voiceId: there is no voice 'nobody' here"),
        ("avatar", {**AVATAR, "image": "https://192.168.0.1/a.png"}, "image: "),
        ("avatar", {**AVATAR, "audio": "https://metadata.internal/a.mp3"}, "audio: "),
        ("avatar", {**AVATAR, "text": None}, "audio: is required, or text"),
    ):
        answer = await client.post(f"/api/generate/{path}", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"].startswith(error), answer.text
    assert client.world.balance() == CREDITS


async def test_other_kinds_have_no_engine_and_cost_nothing(client: Client) -> None:
    answer = await client.post("/api/generate/image", json={"prompt": "A city", "model": "flux-2-pro"})
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert answer.json()["error"].startswith("no engine is configured for")
    assert client.world.balance() == CREDITS


async def test_too_many_jobs_at_once_are_refused_until_one_has_ended(client: Client) -> None:
    answers = [await client.post("/api/generate/voice", json=VOICE) for _ in range(MOST_ACTIVE + 1)]
    assert [answer.status_code for answer in answers] == [202] * MOST_ACTIVE + [429]
    assert answers[-1].json()["code"] == "RATE_LIMITED"
    assert answers[-1].headers["retry-after"] == "10"
    assert client.world.balance() == CREDITS - MOST_ACTIVE * PRICES.voice


async def test_the_documents_bodies_are_accepted(client: Client) -> None:
    avatar = await client.world.avatar()
    for path, name in (("/v1/videos", "create_video"), ("/v1/content/generate", "generate_content")):
        answer = await client.post(path, json={**sample_json(name), "avatar_id": avatar.id})
        assert answer.status_code == 201, answer.text
