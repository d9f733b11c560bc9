"""The gate on a real socket: many at once, each counted once, none turned away by the server's own bounds."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx

from server.database import Database, create_account, create_key
from server.gate.gate import Gate
from server.settings import Settings
from tests.server.gate.serving import Things
from tests.server.running import running


async def test_two_hundred_connections_at_once_get_exactly_what_the_limit_says(
    settings: Settings, database: Database
) -> None:
    account = database.run_here(create_account, "one", plan="pro", credits=10_000)
    key = database.run_here(create_key, "test", account).secret
    things = Things()
    plan = settings.plans.pro.model_copy(update={"generate": "5 per hour"})  # however long the 200 take
    settings = settings.model_copy(update={"plans": settings.plans.model_copy(update={"pro": plan})})
    gate = Gate(settings, database, things.endpoints())
    with running(settings, database, gate=gate) as server:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:

            async def post(number: int) -> httpx.Response:
                path = ("/v1/videos", "/api/generate/thing", "/jobs/v2")[number % 3]
                return await client.post(path, json={"prompt": "x"}, headers={"x-api-key": key})

            answers = await asyncio.gather(*(post(number) for number in range(200)))
    assert Counter(answer.status_code for answer in answers) == {202: 5, 429: 195}
    assert things.made == 5
    assert all(answer.json()["code"] == "RATE_LIMITED" for answer in answers if answer.status_code == 429)
    assert sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers)[-5:] == [0, 1, 2, 3, 4]
