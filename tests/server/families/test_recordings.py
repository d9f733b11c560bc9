"""Recordings are deleted by whom they belong to, and by nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy.orm import Session

from server.calling import steps
from server.database import Database, create_account, create_key
from server.database.tables import PhoneCall
from server.families.recordings import CallRecordings
from server.phone.recordings import recording_key
from server.settings import Settings
from server.storage import Storage, StorageFailed
from tests.server.gate.serving import served


@dataclass
class Desk:
    """A client of the endpoint, and an account with a key."""

    client: httpx.AsyncClient
    database: Database
    files: Storage
    account: str
    headers: dict[str, str]

    def call(self, *, recorded: bool = True) -> str:
        """A call, with its recording."""

        def work(session: Session) -> str:
            call = steps.add(
                session,
                account_id=self.account,
                agent_id="demo",
                direction="inbound",
                carrier="twilio",
                own_number="+14155550100",
                peer="+14155550123",
                price=0,
                now=datetime.now(UTC),
            )
            call.recording = recording_key(call.call_id) if recorded else None
            return call.call_id

        call_id = self.database.run_here(work)
        if recorded:
            self.files.put(recording_key(call_id), b"RIFF", media_type="audio/wav", account_id=self.account)
        return call_id

    def recording(self, call_id: str) -> str | None:
        return self.database.read_here(lambda session: session.get_one(PhoneCall, call_id).recording)

    async def delete(self, call_id: str, headers: dict[str, str] | None = None) -> httpx.Response:
        path = f"/api/voice-agent/calls/{call_id}/recording"
        return await self.client.delete(path, headers=self.headers if headers is None else headers)

    def stranger(self) -> dict[str, str]:
        return _headers(self.database, self.database.run_here(create_account, "other", plan="enterprise", credits=0))


def _headers(database: Database, account: str) -> dict[str, str]:
    return {"authorization": f"Bearer {database.run_here(create_key, 'tests', account).secret}"}


@pytest.fixture
async def desk(settings: Settings, database: Database) -> AsyncIterator[Desk]:
    account = database.run_here(create_account, "tests", plan="enterprise", credits=0)
    files = Storage.of(settings, database)
    async with served(settings, database, CallRecordings(files).endpoints(), enabled=False) as service:
        yield Desk(service.client, database, files, account, _headers(database, account))


async def test_a_recording_is_deleted_and_its_bytes_are_free(desk: Desk) -> None:
    call_id = desk.call()
    answer = await desk.delete(call_id)
    assert (answer.status_code, answer.json()["data"]) == (200, {"callId": call_id})
    assert desk.recording(call_id) is None
    assert desk.files.stat(recording_key(call_id)) is None
    assert desk.files.used(desk.account) == 0
    assert (await desk.delete(call_id)).status_code == 404


async def test_another_accounts_recording_is_not_there(desk: Desk) -> None:
    call_id = desk.call()
    answer = await desk.delete(call_id, desk.stranger())
    assert answer.status_code == 404
    assert desk.recording(call_id) == recording_key(call_id)
    assert desk.files.stat(recording_key(call_id)) is not None


async def test_a_call_without_a_recording_and_no_call_at_all_are_told_apart(desk: Desk) -> None:
    assert "no recording" in (await desk.delete(desk.call(recorded=False))).text
    assert "no telephone call" in (await desk.delete("call_0")).text
    assert (await desk.delete("..%2fuploads")).status_code == 404
    assert (await desk.delete(desk.call(), {})).status_code == 401


async def test_a_store_that_is_away_deletes_it_the_next_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    call_id = desk.call()

    def away(_location: str) -> None:
        raise StorageFailed("The disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(desk.files._store, "delete", away)
        answer = await desk.delete(call_id)
    assert answer.status_code == 503
    assert "try again" in answer.text
    assert desk.recording(call_id) is not None
    assert (await desk.delete(call_id)).status_code == 200
