"""Campaigns over HTTP: made, filled, read, steered, and told apart by whose they are."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from server.calling.owners import AgentOwners
from server.campaigns import store
from server.campaigns.results import COLUMNS
from server.credits import ledger
from server.database import Database, create_account, create_key
from server.database.tables import CampaignContact
from server.families.campaign_shapes import LARGEST_CSV
from server.families.campaigns import PATH, Campaigns
from server.settings import Settings
from tests.server.gate.serving import Served, served

ONE, TWO, THREE = "+14155550123", "+14155550124", "+14155550125"
BODY: dict[str, Any] = {
    "name": "Reminders",
    "agentId": "demo",
    "contacts": [{"phoneNumber": ONE, "variables": {"name": "Ann", "visits": 3}}, {"phoneNumber": TWO}],
}
NOW = datetime(2026, 5, 4, 19, tzinfo=UTC)
TELEPHONY = {
    "twilio": {"account_sid": "AC" + "5" * 32, "auth_token": "c" * 32},
    "number": "+15005550006",
    "countries": ["US"],
}


class Owner:
    """The first account, whose the agent `demo` is, and its client."""

    def __init__(self, service: Served) -> None:
        self.database = service.database
        self.http = service.client
        self.account = self.database.run_here(create_account, "owner", plan="enterprise", credits=100)
        self.headers = self._key(self.account)

    def _key(self, account: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.database.run_here(create_key, 'tests', account).secret}"}

    def stranger(self) -> dict[str, str]:
        """The headers of another account."""
        return self._key(self.database.run_here(create_account, "other", plan="enterprise", credits=100))

    async def ask(self, method: str, path: str = "", **more: Any) -> httpx.Response:
        headers = more.pop("headers", self.headers)
        return await self.http.request(method, PATH + path, headers=headers, **more)

    async def make(self, **changed: Any) -> dict[str, Any]:
        body = {name: value for name, value in {**BODY, **changed}.items() if value is not None}
        answer = await self.ask("POST", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["data"])

    async def upload(self, campaign: str, text: str | bytes, kind: str = "text/csv") -> httpx.Response:
        return await self.ask(
            "POST", f"/{campaign}/contacts", content=text, headers={**self.headers, "content-type": kind}
        )


def _settings(settings: Settings, **telephony: Any) -> Settings:
    return Settings.model_validate(
        {"data_dir": settings.data_dir, "telephony": {**TELEPHONY, **telephony}}, strict=False
    )


@pytest.fixture
async def owner(settings: Settings, database: Database) -> AsyncIterator[Owner]:
    """Campaigns behind the gate."""
    settings = _settings(settings)
    endpoints = Campaigns(settings, AgentOwners(lambda: ["demo"]), now=lambda: NOW).endpoints()
    async with served(settings, database, endpoints, enabled=False) as service:
        yield Owner(service)


async def test_a_campaign_begins_and_can_be_read(owner: Owner) -> None:
    made = await owner.make(
        window={"from": "10:30", "until": "19:00", "days": ["tue", "mon"]},
        concurrency=5,
        retries={"busy": {"times": 2, "afterMinutes": 15}, "machine": {"times": 1}},
    )
    assert made == {
        "id": made["id"],
        "name": "Reminders",
        "agentId": "demo",
        "status": "running",
        "reason": None,
        "window": {"from": "10:30", "until": "19:00", "days": ["mon", "tue"]},
        "concurrency": 5,
        "retries": {"busy": {"times": 2, "afterMinutes": 15}, "machine": {"times": 1, "afterMinutes": 60}},
        "contacts": {"pending": 2, "calling": 0, "done": 0, "skipped": 0},
        "outcomes": {},
        "createdAt": "2026-05-04T19:00:00.000Z",
        "updatedAt": "2026-05-04T19:00:00.000Z",
        "finishedAt": None,
    }
    assert (await owner.ask("GET", f"/{made['id']}")).json() == {"data": made}
    assert (await owner.ask("GET")).json() == {"data": [made], "hasMore": False}


async def test_what_is_left_out_has_its_usual_value(owner: Owner) -> None:
    made = await owner.make()
    assert made["window"] == {
        "from": "09:00",
        "until": "18:00",
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    }
    assert (made["concurrency"], made["retries"]) == (2, {})


async def test_contacts_may_come_as_csv(owner: Owner) -> None:
    made = await owner.make(contacts=None, csv=f"phoneNumber,name\n{ONE},Ann\n{TWO},Bob\n")
    assert made["contacts"]["pending"] == 2
    answer = await owner.upload(made["id"], f"\ufeffname,phoneNumber\r\nCyd,{THREE}\r\nAnn,{ONE}\r\n")
    assert (answer.status_code, answer.json()) == (200, {"data": {"added": 1, "alreadyThere": 1}})
    again = await owner.upload(made["id"], f"phoneNumber\n{THREE}\n", kind="text/csv; charset=utf-8")
    assert again.json() == {"data": {"added": 0, "alreadyThere": 1}}
    table = await owner.ask("GET", f"/{made['id']}/results.csv")
    rows = list(csv.reader(io.StringIO(table.text, newline="")))
    assert rows == [
        [*COLUMNS, "name"],
        [ONE, "pending", "", "0", "", "", "0", "", "Ann"],
        [TWO, "pending", "", "0", "", "", "0", "", "Bob"],
        [THREE, "pending", "", "0", "", "", "0", "", "Cyd"],
    ]
    assert table.headers["content-type"].startswith("text/csv")
    assert table.headers["content-disposition"] == 'attachment; filename="results.csv"'


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"name": " "}, "name: must not be blank"),
        ({"agentId": "nobody"}, "agentId: there is no such agent"),
        ({"contacts": []}, "contacts: "),
        ({"contacts": None}, "contacts: exactly one of contacts and csv must be given"),
        ({"csv": "phoneNumber\n"}, "contacts: exactly one of contacts and csv must be given"),
        ({"contacts": [{"phoneNumber": ONE}, {"phoneNumber": "12"}]}, "contacts[1].phoneNumber: must be in E.164 form"),
        ({"contacts": [{"phoneNumber": ONE}] * 2}, "contacts[1].phoneNumber: is the number of contacts[0] too"),
        ({"contacts": [{"phoneNumber": "+19005550123"}]}, "contacts[0].phoneNumber: "),
        ({"contacts": [{"phoneNumber": "+390612345678"}]}, "contacts[0].phoneNumber: is in IT"),
        ({"contacts": [{}]}, "contacts[0].phoneNumber: is required"),
        ({"contacts": [{"phoneNumber": ONE, "variables": {"a b": "1"}}]}, "contacts"),
        ({"contacts": [{"phoneNumber": ONE, "variables": {"a": ["1"]}}]}, "contacts[0].variables.a"),
        ({"contacts": None, "csv": "number\n1\n"}, "csv: the CSV has no column phoneNumber"),
        ({"window": {"from": "9:00"}}, "window.from: "),
        ({"window": {"from": "18:00", "until": "09:00"}}, "window: until must be later than from"),
        ({"window": {"from": "22:00", "until": "23:00"}}, "window: lies within the hours in which nobody is called"),
        ({"window": {"days": ["sunday"]}}, "window.days[0]: "),
        ({"window": {"days": []}}, "window.days: "),
        ({"concurrency": 51}, "concurrency: "),
        ({"concurrency": 0}, "concurrency: "),
        ({"retries": {"busy": {"times": 11}}}, "retries.busy.times: "),
        ({"retries": {"busy": {"times": 1, "afterMinutes": 0}}}, "retries.busy.afterMinutes: "),
    ],
)
async def test_what_cannot_be_is_named_and_nothing_is_made(owner: Owner, changed: dict[str, Any], error: str) -> None:
    body = {name: value for name, value in {**BODY, **changed}.items() if value is not None}
    answer = await owner.ask("POST", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(error), answer.text
    assert (await owner.ask("GET")).json()["data"] == []


async def test_bad_uploads_add_nobody(owner: Owner) -> None:
    made = await owner.make()
    for content, kind, status, error in (
        (f"phoneNumber\n{THREE}\n12\n", "text/csv", 400, "line 3.phoneNumber: must be in E.164 form"),
        (b"phoneNumber\n\xff", "text/csv", 400, "The body is not UTF-8"),
        (f"phoneNumber\n{THREE}\x00", "text/csv", 400, "body: must not contain the character U+0000"),
        ("", "text/csv", 400, "the CSV is empty"),
        (f"phoneNumber\n{THREE}", "application/json", 415, "Send the body with Content-Type: text/csv"),
        (f"phoneNumber\n{THREE}", "text/csv; charset=utf-16", 415, "The body must be text in UTF-8"),
        ("x" * (LARGEST_CSV + 1), "text/csv", 413, f"The body is larger than {LARGEST_CSV} bytes"),
    ):
        answer = await owner.upload(made["id"], content, kind)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"].startswith(error), answer.text
    assert (await owner.ask("GET", f"/{made['id']}")).json()["data"]["contacts"]["pending"] == 2


async def test_a_campaign_has_at_most_ten_thousand_contacts(owner: Owner) -> None:
    lines = [f"+1415555{index:04}" for index in range(9999)]
    made = await owner.make(contacts=None, csv="\n".join(["phoneNumber", *lines]))
    assert made["contacts"]["pending"] == 9999
    answer = await owner.upload(made["id"], "phoneNumber\n+14155559999\n+12125550123")
    assert (answer.status_code, answer.json()["error"][:34]) == (400, "The campaign would have more than ")
    answer = await owner.upload(made["id"], "phoneNumber\n+14155559999")
    assert answer.json()["data"] == {"added": 1, "alreadyThere": 0}


async def test_a_large_upload_is_taken(owner: Owner) -> None:
    made = await owner.make()
    text = "phoneNumber,note\n" + "".join(f"+1415555{index:04},{'x' * 190}\n" for index in range(9000))
    assert len(text) > 1 << 20  # what bodies may have elsewhere
    answer = await owner.upload(made["id"], text)
    assert answer.json()["data"]["added"] + answer.json()["data"]["alreadyThere"] == 9000


async def test_a_campaign_is_its_accounts_alone(owner: Owner) -> None:
    made = await owner.make()
    stranger = owner.stranger()
    assert (await owner.ask("GET", headers=stranger)).json()["data"] == []
    paths = (
        ("GET", ""),
        ("GET", "/results.csv"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/contacts"),
        ("DELETE", ""),
    )
    for campaign, headers in ((made["id"], stranger), ("campaign_0", owner.headers)):
        for method, path in paths:
            content = f"phoneNumber\n{THREE}" if path == "/contacts" else None
            sent = {**headers, "content-type": "text/csv"} if content else headers
            answer = await owner.ask(method, f"/{campaign}{path}", headers=sent, content=content)
            assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), (method, path)
    assert (await owner.ask("GET", f"?startingAfter={made['id']}", headers=stranger)).status_code == 400
    answer = await owner.ask("POST", json=BODY, headers=stranger)
    assert (answer.status_code, answer.json()["error"]) == (400, "agentId: there is no such agent")
    assert (await owner.ask("GET", f"/{made['id']}")).json() == {"data": made}


async def test_a_campaign_is_paused_goes_on_and_is_cancelled(owner: Owner) -> None:
    path = f"/{(await owner.make())['id']}"
    for step, status in (("pause", "paused"), ("pause", "paused"), ("resume", "running"), ("resume", "running")):
        answer = await owner.ask("POST", f"{path}/{step}")
        assert (answer.status_code, answer.json()["data"]["status"]) == (200, status)
    for _ in range(2):
        answer = await owner.ask("DELETE", path)
        assert (answer.status_code, answer.json()["data"]["status"]) == (200, "cancelled")
    data = answer.json()["data"]
    assert (data["contacts"]["skipped"], data["outcomes"]) == (2, {"cancelled": 2})
    assert data["finishedAt"] == "2026-05-04T19:00:00.000Z"
    for method, step in (("POST", "/pause"), ("POST", "/resume")):
        answer = await owner.ask(method, f"{path}{step}")
        assert (answer.status_code, answer.json()["error"]) == (409, "The campaign has ended")
    assert (await owner.upload(path[1:], f"phoneNumber\n{THREE}")).status_code == 409


async def test_a_completed_campaign_stays_completed(owner: Owner) -> None:
    campaign = (await owner.make())["id"]

    def complete(session: Session) -> None:
        session.execute(update(CampaignContact).values(status="done", outcome="answered"))
        found = store.locked(session, campaign)
        assert found is not None
        assert store.close_if_over(session, found, NOW)

    owner.database.run_here(complete)
    assert (await owner.ask("DELETE", f"/{campaign}")).status_code == 409
    data = (await owner.ask("GET", f"/{campaign}")).json()["data"]
    assert (data["status"], data["outcomes"]) == ("completed", {"answered": 2})


async def test_the_list_comes_in_pages_the_newest_first(owner: Owner) -> None:
    ids = sorted([(await owner.make())["id"] for _ in range(3)], reverse=True)
    first = (await owner.ask("GET", "?limit=2")).json()
    assert ([each["id"] for each in first["data"]], first["hasMore"]) == (ids[:2], True)
    rest = (await owner.ask("GET", f"?limit=2&startingAfter={ids[1]}")).json()
    assert ([each["id"] for each in rest["data"]], rest["hasMore"]) == (ids[2:], False)


async def test_a_repeated_order_makes_one_campaign_and_takes_nothing(owner: Owner) -> None:
    headers = {**owner.headers, "idempotency-key": "spring"}
    first = await owner.ask("POST", json=BODY, headers=headers)
    again = await owner.ask("POST", json=BODY, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await owner.ask("POST", json={**BODY, "name": "Other"}, headers=headers)
    assert other.status_code == 409
    assert len((await owner.ask("GET")).json()["data"]) == 1
    assert owner.database.run_here(ledger.balance, owner.account) == 100


async def test_a_server_that_places_no_calls_says_so(settings: Settings, database: Database) -> None:
    settings = _settings(settings, twilio={"account_sid": "", "auth_token": ""})
    endpoints = Campaigns(settings, AgentOwners(lambda: ["demo"])).endpoints()
    async with served(settings, database, endpoints, enabled=False) as service:
        answer = await Owner(service).ask("POST", json=BODY)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_a_path_that_no_database_takes_names_nothing(settings: Settings, postgres_url: str) -> None:
    database = Database(postgres_url, threads=2)
    database.migrate()
    try:
        settings = _settings(settings)
        endpoints = Campaigns(settings, AgentOwners(lambda: ["demo"])).endpoints()
        async with served(settings, database, endpoints, enabled=False) as service:
            owner = Owner(service)
            for path in ("/a%00b", "/%00/results.csv", "/%ED%A0%80"):
                answer = await owner.ask("GET", path)
                assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), path
    finally:
        database.close()
