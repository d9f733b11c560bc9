"""What of a request is refused, with which words, in each family's shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.database import Database
from server.gate.families import Family, family_of, plan_reaches
from server.settings import Settings
from tests.server.gate.serving import Served, served

THING = "/api/generate/thing"


@pytest.fixture
async def service(settings: Settings, database: Database) -> AsyncIterator[Served]:
    """Things without limits."""
    async with served(settings, database, enabled=False) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/v1/videos", Family.F1),
        ("/v1/nothing", Family.F1),
        ("/v1/agent/status/A1", Family.F3),
        ("/v1/agents", Family.F1),
        ("/api/usage", Family.F2),
        ("/api", Family.F2),
        ("/api/video-editor/x", Family.F4),
        ("/api/video-editors", Family.F2),
        ("/jobs/v2", Family.F5),
        ("/storage/generate-signed-path", Family.F5),
        ("/apiary", None),
        ("/", None),
        ("/telephony/voice", None),
    ],
)
def test_a_path_belongs_to_the_family_of_its_longest_prefix(path: str, family: Family | None) -> None:
    assert family_of(path) is family


def test_plans_are_ordered() -> None:
    assert plan_reaches("pro", "creator")
    assert plan_reaches("creator", "creator")
    assert not plan_reaches("free", "creator")
    assert not plan_reaches("no longer sold", "creator")
    assert plan_reaches("no longer sold", "free")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "prompt: is required"),
        ({"prompt": ""}, "prompt: must have at least 1 character"),
        ({"prompt": " \t"}, "prompt: must not be blank"),
        ({"prompt": "\u0085\ufeff\u2003\x1c"}, "prompt: must not be blank"),
        ({"prompt": "x" * 21}, "prompt: must have at most 20 characters"),
        ({"prompt": 5}, "prompt: must be a valid string"),
        ({"prompt": None}, "prompt: must be a valid string"),
        ({"prompt": "x", "width": 255}, "width: must be greater than or equal to 256"),
        ({"prompt": "x", "width": "1024"}, "width: must be a valid integer"),
        ({"prompt": "x", "width": 300.5}, "width: must be a valid integer"),
        ({"prompt": "x", "width": True}, "width: must be a valid integer"),
        ({"prompt": "x", "width": 10**30}, "width: must be less than or equal to 2048"),
        ({"prompt": "x", "speed": 1e300}, "speed: must be less than or equal to 2"),
        ({"prompt": "x", "imageUrl": "ftp://x/y"}, "imageUrl: must be an https:// URL"),
        ({"prompt": "x", "imageUrl": ["https://x"]}, "imageUrl: must be a valid string"),
        ({"prompt": 1, "width": 1}, "prompt: must be a valid string; width: must be greater than or equal to 256"),
        ([], "The body must be a JSON object"),
        ("prompt", "The body must be a JSON object"),
        (7, "The body must be a JSON object"),
    ],
)
async def test_a_wrong_field_is_named(service: Served, body: Any, said: str) -> None:
    answer = await service.client.post(THING, json=body, headers=service.bearer())
    assert answer.status_code == 400
    assert answer.json() == {"error": said, "code": "BAD_REQUEST"}
    assert service.things.made == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty"),
        (b"{", "The body is not JSON"),
        (b"{'prompt': 1}", "The body is not JSON"),
        (b'{"prompt": "x"} {}', "The body is not JSON"),
        (b'{"prompt": "x", "speed": NaN}', "NaN is not a number"),
        (b'{"prompt": "x", "speed": -Infinity}', "-Infinity is not a number"),
        (b'{"prompt": "x", "speed": 1e999}', "A number in the body is too large"),
        (b'{"prompt": "x", "other": ' + b"9" * 5000 + b"}", "A number in the body has more than 40 digits"),
        (b'{"prompt": "x", "other": ' + b"[" * 33 + b"]" * 33 + b"}", "nested more than 32 levels"),
        (b"[" * 100_000, "nested more than 32 levels"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested more than 32 levels"),
        (b'{"prompt": "\xff"}', "The body is not UTF-8 (byte 12)"),
        (b'{"prompt": "\xed\xa0\x80"}', "The body is not UTF-8"),
        (b'{"prompt": "x\\ud800"}', "prompt: is not valid Unicode"),
        (b'{"prompt": "x", "other": {"y": ["\\uDFFF"]}}', "y: is not valid Unicode"),
        (b'{"prompt": "x", "\\ud800": 1}', "is not valid Unicode"),
        (b'{"prompt": "x\\u0000y"}', "prompt: must not contain the character U+0000"),
        (b'{"prompt": "x", "prompt": "y"}', "prompt: is given more than once"),
        (b'{"prompt": "x", "o": {"\\u001b[2J": 1, "\\u001b[2J": 2}}', "?[2J: is given more than once"),
        (b'\xef\xbb\xbf{"prompt": "x"}', "The body is not JSON"),
    ],
)
async def test_a_body_that_is_no_json_says_why(service: Served, body: bytes, said: str) -> None:
    headers = {**service.bearer(), "content-type": "application/json"}
    for path, status in ((THING, 400), ("/v1/videos", 422)):
        answer = await service.client.post(path, content=body, headers=headers)
        assert answer.status_code == status
        assert said in answer.json()["error"]
        assert answer.json()["code"] == "BAD_REQUEST"


async def test_unknown_fields_are_ignored_and_texts_may_be_of_any_script(service: Served) -> None:
    body = {"prompt": "שלום 👩‍👩‍👧 \ue000", "unheard": {"of": [1]}, "width": 512.0, "imageUrl": None}
    answer = await service.client.post(THING, json=body, headers=service.bearer())
    assert (answer.status_code, answer.json()) == (202, {"jobId": "job1", "width": 512})
    assert service.things.seen[0].prompt == body["prompt"]


async def test_brackets_in_texts_are_no_nesting(service: Served) -> None:
    answer = await service.client.post(
        THING, json={"prompt": "x", "other": "[{" * 100 + '"\\'}, headers=service.bearer()
    )
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=UTF-8", 202),
        ("application/merge-patch+json", 202),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
async def test_bodies_are_json(service: Served, content_type: str, status: int) -> None:
    headers = {**service.bearer(), "content-type": content_type}
    answer = await service.client.post(THING, content=b'{"prompt": "x"}', headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert answer.json()["code"] == "UNSUPPORTED_MEDIA_TYPE"


async def test_a_body_that_is_too_large_is_refused_in_the_familys_shape(service: Served) -> None:
    body = {"prompt": "x", "other": "y" * (1 << 20)}
    answer = await service.client.post("/v1/agent/generate", json=body, headers=service.bearer())
    assert answer.status_code == 413
    assert answer.json() == {
        "error": "The body is larger than 1048576 bytes",
        "code": "PAYLOAD_TOO_LARGE",
        "details": "The body is larger than 1048576 bytes",
    }


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit: must be greater than or equal to 1"),
        ("limit=x", "limit: must be a valid integer"),
        ("limit=", "limit: must be a valid integer"),
        ("limit=1&limit=1", "limit: is given more than once"),
        ("limit=%00", "limit: must not contain the character U+0000"),
        ("limit=" + "9" * 5000, "limit: "),
    ],
)
async def test_a_wrong_parameter_of_the_query_is_named(service: Served, query: str, said: str) -> None:
    answer = await service.client.get(f"{THING}?{query}", headers=service.bearer())
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)


async def test_the_query_has_defaults_and_unknown_parameters_are_ignored(service: Served) -> None:
    headers = service.bearer()
    assert (await service.client.get(THING, headers=headers)).json() == {"limit": 20}
    assert (await service.client.get(f"{THING}?limit=7&x=1&x=2", headers=headers)).json() == {"limit": 7}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/agent/nothing", 404, "NOT_FOUND"),
        ("GET", "/jobs", 404, "NOT_FOUND"),
        ("GET", "/api/things/", 404, "NOT_FOUND"),
        ("GET", "/api/things/unknown", 404, "NOT_FOUND"),
        ("PUT", "/api/generate/thing", 405, "METHOD_NOT_ALLOWED"),
        ("OPTIONS", "/v1/agent/generate", 405, "METHOD_NOT_ALLOWED"),
        ("BREW", "/jobs/v2", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_unknown_paths_and_methods_are_answered_in_the_familys_shape(
    service: Served, method: str, path: str, status: int, code: str
) -> None:
    answer = await service.client.request(method, path, headers=service.bearer())
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert set(answer.json()) == {"error", "code"} | ({"details"} if path.startswith("/v1/agent/") else set())
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_what_fails_inside_is_told_without_its_cause(service: Served) -> None:
    service.things.fail = RuntimeError("the password is swordfish")
    answer = await service.client.post("/v1/agent/generate", json={"prompt": "x"}, headers=service.bearer())
    assert answer.status_code == 500
    assert answer.json() == {"error": "Internal error", "code": "INTERNAL_ERROR", "details": "Internal error"}


async def test_what_takes_too_long_or_has_no_database_may_be_tried_again(service: Served) -> None:
    service.things.fail = TimeoutError("of something inside")
    headers = service.bearer()
    answer = await service.client.get(THING, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    service.gate.authenticator.forget()
    service.database.close()
    answer = await service.client.get(THING, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_no_answer_allows_other_origins(service: Served) -> None:
    headers = {**service.bearer(), "origin": "https://elsewhere.example"}
    answer = await service.client.get(THING, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_credits_that_are_missing_are_402(service: Served) -> None:
    answer = await service.client.post(THING, json={"prompt": "x"}, headers=service.bearer(credits=9))
    assert answer.status_code == 402
    assert answer.json() == {
        "error": "Insufficient credits: 10 credits are needed and 9 are left",
        "code": "PAYMENT_REQUIRED",
    }


async def test_head_is_answered_as_get(service: Served) -> None:
    assert (await service.client.head(THING, headers=service.bearer())).status_code == 200


async def test_metrics_name_the_endpoint_not_the_path(service: Served) -> None:
    headers = service.bearer()
    for path in ("/api/things/known", "/api/things/unknown", "/api/nowhere/at/all"):
        await service.client.get(path, headers=headers)
    await service.client.get("/api/things/known")
    shown = (await service.client.get("/metrics")).text
    assert 'route="/api/things/{thing}",status="401"' in shown
    assert 'route="/api/things/{thing}",status="200"' in shown
    assert 'route="/api/things/{thing}",status="404"' in shown
    assert 'route="other",status="404"' in shown
    assert "nowhere" not in shown
